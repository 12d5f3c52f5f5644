//! `conversations`, `membership_entries`, `members`, `last_heard`: where people talk.
//!
//! A row is only as new as the log that was verified for it; the log is kept as it was signed.

use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::membership::{ConversationKind, Membership, SignedEntry};
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::{blob, millis, timestamp};
use super::messages::{number, unsigned};
use crate::error::{Kind, Result};

/// A conversation as it is stored.
#[derive(Clone, Debug)]
pub struct ConversationRow {
    /// Its members and rules.
    pub membership: Membership,
    /// Its name, if it has one.
    pub title: Option<String>,
    /// The other one, in a direct conversation.
    pub peer: Option<AccountId>,
    /// The highest membership index that a message has named.
    pub heard_index: u64,
    /// Whether this account takes part.
    pub standing: Standing,
    /// When it last changed.
    pub active_at: Timestamp,
}

/// Whether this account takes part in a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It does.
    Member,
    /// It left, or was removed.
    Former,
}

/// Adds a conversation, or brings it to what its log comes to now.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn save(
    tx: &Transaction<'_>,
    membership: &Membership,
    ours: AccountId,
    now: Timestamp,
) -> Result<()> {
    let peer = (membership.kind() == ConversationKind::Direct)
        .then(|| membership.members().find(|member| member.account != ours))
        .flatten();
    let standing = if membership.role(ours).is_some() { 1 } else { 2 };
    tx.prepare_cached(
        "INSERT INTO conversations (id, kind, peer, membership, membership_index, state,
            created_at, active_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
         ON CONFLICT (id) DO UPDATE SET membership = excluded.membership,
            membership_index = excluded.membership_index, state = excluded.state
         WHERE excluded.membership_index >= conversations.membership_index",
    )?
    .execute(params![
        membership.id().as_bytes(),
        kind_number(membership.kind()),
        peer.as_ref().map(|peer| peer.account.as_bytes()),
        to_bytes(membership),
        number(membership.index()),
        standing,
        millis(now),
    ])?;
    Ok(())
}

/// A conversation by its id.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn load(tx: &Transaction<'_>, id: ConversationId) -> Result<Option<ConversationRow>> {
    tx.prepare_cached("SELECT * FROM conversations WHERE id = ?1")?
        .query_row([id.as_bytes()], read)
        .optional()?
        .map(decode)
        .transpose()
}

/// All conversations, the most recently active first.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn all(tx: &Transaction<'_>) -> Result<Vec<ConversationRow>> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM conversations ORDER BY active_at DESC, id")?;
    let rows = statement.query_map([], read)?;
    rows.map(|row| decode(row?)).collect()
}

/// The ids of all conversations that are looked at.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn shown(tx: &Transaction<'_>) -> Result<Vec<ConversationId>> {
    let mut statement = tx.prepare_cached(
        "SELECT id FROM conversations WHERE id NOT IN (SELECT conversation FROM own_conversations)",
    )?;
    let rows = statement.query_map([], |row| blob(row, "id"))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The direct conversation with somebody.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn with_peer(tx: &Transaction<'_>, peer: AccountId) -> Result<Option<ConversationRow>> {
    tx.prepare_cached("SELECT * FROM conversations WHERE peer = ?1 ORDER BY created_at LIMIT 1")?
        .query_row([peer.as_bytes()], read)
        .optional()?
        .map(decode)
        .transpose()
}

struct RawRow {
    membership: Vec<u8>,
    title: Option<String>,
    peer: Option<AccountId>,
    heard_index: u64,
    standing: Standing,
    active_at: Timestamp,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RawRow> {
    let peer: Option<Vec<u8>> = row.get("peer")?;
    Ok(RawRow {
        membership: row.get("membership")?,
        title: row.get("title")?,
        peer: if peer.is_some() { Some(blob(row, "peer")?) } else { None },
        heard_index: unsigned(row.get("heard_index")?),
        standing: if row.get::<_, i64>("state")? == 1 {
            Standing::Member
        } else {
            Standing::Former
        },
        active_at: timestamp(row.get("active_at")?),
    })
}

fn decode(row: RawRow) -> Result<ConversationRow> {
    let RawRow { membership, title, peer, heard_index, standing, active_at } = row;
    let membership = from_bytes(&membership).map_err(|error| Kind::StoreFailed.because(error))?;
    Ok(ConversationRow { membership, title, peer, heard_index, standing, active_at })
}

/// Names a conversation; `None` takes the name away. Tells whether that changes anything.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_title(tx: &Transaction<'_>, id: ConversationId, title: Option<&str>) -> Result<bool> {
    let changed = tx
        .prepare_cached("UPDATE conversations SET title = ?2 WHERE id = ?1 AND title IS NOT ?2")?
        .execute(params![id.as_bytes(), title])?;
    Ok(changed == 1)
}

/// Notes whether the relay takes this account for a member; tells whether that is news.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_standing(tx: &Transaction<'_>, id: ConversationId, standing: Standing) -> Result<bool> {
    let state = match standing {
        Standing::Member => 1,
        Standing::Former => 2,
    };
    let changed = tx
        .prepare_cached("UPDATE conversations SET state = ?2 WHERE id = ?1 AND state <> ?2")?
        .execute(params![id.as_bytes(), state])?;
    Ok(changed == 1)
}

/// Notes that something happened in a conversation.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn touch(tx: &Transaction<'_>, id: ConversationId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE conversations SET active_at = max(active_at, ?2) WHERE id = ?1")?
        .execute(params![id.as_bytes(), millis(now)])?;
    Ok(())
}

// ── the membership log ──────────────────────────────────────────────────────────────────────────

/// Adds a verified entry to the log.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn push_entry(
    tx: &Transaction<'_>,
    id: ConversationId,
    place: u64,
    entry: &SignedEntry,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO membership_entries (conversation, place, entry, digest)
         VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        id.as_bytes(),
        number(place),
        to_bytes(entry),
        entry.entry.digest().as_bytes()
    ])?;
    Ok(())
}

/// The digest of the log's entry at a place, if we have it.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn entry_digest(
    tx: &Transaction<'_>,
    id: ConversationId,
    place: u64,
) -> Result<Option<Digest>> {
    let digest = tx
        .prepare_cached(
            "SELECT digest FROM membership_entries WHERE conversation = ?1 AND place = ?2",
        )?
        .query_row(params![id.as_bytes(), number(place)], |row| blob(row, "digest"))
        .optional()?;
    Ok(digest)
}

/// Notes that somebody is a member from the entry at `since` on.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn join(
    tx: &Transaction<'_>,
    id: ConversationId,
    account: AccountId,
    since: u64,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO members (conversation, account, since) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![id.as_bytes(), account.as_bytes(), number(since)])?;
    Ok(())
}

/// Notes that somebody is no longer a member from the entry at `until` on.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn part(
    tx: &Transaction<'_>,
    id: ConversationId,
    account: AccountId,
    until: u64,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE members SET until = ?3
         WHERE conversation = ?1 AND account = ?2 AND until IS NULL",
    )?
    .execute(params![id.as_bytes(), account.as_bytes(), number(until)])?;
    Ok(())
}

/// Who is a member, those first who have been one the longest.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn by_seniority(tx: &Transaction<'_>, id: ConversationId) -> Result<Vec<AccountId>> {
    let mut statement = tx.prepare_cached(
        "SELECT account FROM members WHERE conversation = ?1 AND until IS NULL
         ORDER BY since, account",
    )?;
    let rows = statement.query_map([id.as_bytes()], |row| blob(row, "account"))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Tells whether somebody was a member after the log's entry at `index`.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn was_member(
    tx: &Transaction<'_>,
    id: ConversationId,
    account: AccountId,
    index: u64,
) -> Result<bool> {
    let was = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM members WHERE conversation = ?1 AND account = ?2
                AND since <= ?3 AND (until IS NULL OR until > ?3))",
        )?
        .query_row(params![id.as_bytes(), account.as_bytes(), number(index)], |row| row.get(0))?;
    Ok(was)
}

// ── counting messages ───────────────────────────────────────────────────────────────────────────

/// How many messages this device has sealed for a conversation, and the last one's binding.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn sent_so_far(tx: &Transaction<'_>, id: ConversationId) -> Result<(u64, Digest)> {
    let sent = tx
        .prepare_cached("SELECT sent_number, sent_binding FROM conversations WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok((unsigned(row.get("sent_number")?), blob(row, "sent_binding")?))
        })?;
    Ok(sent)
}

/// Notes the message that this device has sealed last.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_sent(
    tx: &Transaction<'_>,
    id: ConversationId,
    count: u64,
    binding: Digest,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE conversations SET sent_number = ?2, sent_binding = ?3 WHERE id = ?1",
    )?
    .execute(params![id.as_bytes(), number(count), binding.as_bytes()])?;
    Ok(())
}

/// The count and binding of the last message that came from a device.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn last_heard(
    tx: &Transaction<'_>,
    id: ConversationId,
    sender: DeviceAddress,
) -> Result<Option<(u64, Digest)>> {
    let heard = tx
        .prepare_cached(
            "SELECT number, binding FROM last_heard
             WHERE conversation = ?1 AND account = ?2 AND device = ?3",
        )?
        .query_row(
            params![id.as_bytes(), sender.account.as_bytes(), sender.device.as_bytes()],
            |row| Ok((unsigned(row.get("number")?), blob(row, "binding")?)),
        )
        .optional()?;
    Ok(heard)
}

/// Notes a message that came from a device, unless a later one of it has come before.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn hear(
    tx: &Transaction<'_>,
    id: ConversationId,
    sender: DeviceAddress,
    count: u64,
    binding: Digest,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO last_heard (conversation, account, device, number, binding)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (conversation, account, device) DO UPDATE SET
            number = excluded.number, binding = excluded.binding
         WHERE excluded.number > last_heard.number",
    )?
    .execute(params![
        id.as_bytes(),
        sender.account.as_bytes(),
        sender.device.as_bytes(),
        number(count),
        binding.as_bytes(),
    ])?;
    Ok(())
}

/// Notes that a message has named a membership index.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn raise_heard_index(tx: &Transaction<'_>, id: ConversationId, index: u64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE conversations SET heard_index = ?2 WHERE id = ?1 AND heard_index < ?2",
    )?
    .execute(params![id.as_bytes(), number(index)])?;
    Ok(())
}

fn kind_number(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Direct => 1,
        ConversationKind::Group => 2,
        ConversationKind::Channel => 3,
        ConversationKind::Document => 4,
    }
}
