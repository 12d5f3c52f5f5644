//! `messages`: what was said, and how far it got. What is gone stands in [`super::tombstones`].
//!
//! Order is by sequence; what the relay has not accepted yet comes last, in the order it was
//! written.

use chat_core::codec::Digest;
use chat_core::envelope::{Expiry, ExpiryMode, Suite};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::{blob, millis, optional_blob, timestamp};
use crate::content::Content;
use crate::error::Result;
use crate::message::Status;

/// The order within a conversation, in SQL: by sequence, what has none after everything that has;
/// then by `place`. An index has the same words.
pub(super) const ORDER: &str = "ifnull(sequence, 9223372036854775807)";
/// [`ORDER`] of a message without a place yet.
pub(super) const UNPLACED: i64 = i64::MAX;

/// A message as it is stored.
#[derive(Clone, Eq, PartialEq)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Where it belongs.
    pub conversation: ConversationId,
    /// Who sent it, from which device.
    pub sender: DeviceAddress,
    /// Whether this account sent it.
    pub outgoing: bool,
    /// Its place in the sending device's count; absent until sealed.
    pub number: Option<u64>,
    /// The binding of that device's message before; absent until sealed.
    pub previous: Option<Digest>,
    /// The membership index its header names; absent until sealed.
    pub named_index: Option<u64>,
    /// Its place in the conversation; absent until accepted.
    pub sequence: Option<Sequence>,
    /// When, by the sender's clock.
    pub sent_at: Timestamp,
    /// When the relay accepted it.
    pub received_at: Option<Timestamp>,
    /// What kind of content.
    pub kind: String,
    /// The content's body.
    pub body: Vec<u8>,
    /// How its sender is shown.
    pub suite: Suite,
    /// How far it got.
    pub status: Status,
    /// Why it failed.
    pub failure: Option<String>,
    /// Its timer.
    pub expiry: Option<Expiry>,
    /// When it vanishes, once the timer runs.
    pub deadline: Option<Timestamp>,
    /// What it refers to.
    pub links: Links,
}

/// What a message refers to, in columns of its own so that it can be found by it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Links {
    /// The message that a reaction, an edit or a deletion is about.
    pub target: Option<MessageId>,
    /// The first message of its thread.
    pub thread: Option<MessageId>,
    /// Whether its words name this account.
    pub mentions_us: bool,
}

impl Links {
    /// What content refers to, in the eyes of the account `ours`.
    #[must_use]
    pub fn of(content: &Content, ours: AccountId) -> Self {
        Self {
            target: content.target(),
            thread: content.thread(),
            mentions_us: content.mentions(ours),
        }
    }
}

impl std::fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageRow")
            .field("id", &self.id)
            .field("sequence", &self.sequence)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Adds a message.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed), also for an id that exists.
pub fn insert(tx: &Transaction<'_>, message: &MessageRow) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO messages (id, conversation, sender_account, sender_device, outgoing, number,
            previous, named_index, sequence, sent_at, received_at, kind, body, authenticity, status,
            failure, expiry_mode, expiry_ms, deadline, target, thread, mentions_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, ?21, ?22)",
    )?
    .execute(params![
        message.id.as_bytes(),
        message.conversation.as_bytes(),
        message.sender.account.as_bytes(),
        message.sender.device.as_bytes(),
        message.outgoing,
        message.number.map(number),
        message.previous.as_ref().map(Digest::as_bytes),
        message.named_index.map(number),
        message.sequence.map(number),
        millis(message.sent_at),
        message.received_at.map(millis),
        message.kind,
        message.body,
        suite_number(message.suite),
        status_number(message.status),
        message.failure,
        message.expiry.map(|expiry| mode_number(expiry.mode)),
        // SECURITY: at most what a timer may be; more, added to a time, is no number any more.
        message.expiry.map(|expiry| millis(Timestamp::default().after(expiry.after()))),
        message.deadline.map(millis),
        message.links.target.as_ref().map(MessageId::as_bytes),
        message.links.thread.as_ref().map(MessageId::as_bytes),
        message.links.mentions_us,
    ])?;
    Ok(())
}

/// A message by its id.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load(tx: &Transaction<'_>, id: MessageId) -> Result<Option<MessageRow>> {
    let row = tx
        .prepare_cached("SELECT * FROM messages WHERE id = ?1")?
        .query_row([id.as_bytes()], read)
        .optional()?;
    Ok(row)
}

/// Tells whether a message is here, or was. One that could only not be opened may still come.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_known(tx: &Transaction<'_>, id: MessageId) -> Result<bool> {
    let known = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)
                 OR EXISTS (SELECT 1 FROM tombstones WHERE message = ?1 AND reason <> 3)",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    Ok(known)
}

/// Notes what sealing decided.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn sealed(
    tx: &Transaction<'_>,
    id: MessageId,
    counted: (u64, Digest),
    named_index: u64,
    suite: Suite,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET number = ?2, previous = ?3, named_index = ?4, authenticity = ?5
         WHERE id = ?1",
    )?
    .execute(params![
        id.as_bytes(),
        number(counted.0),
        counted.1.as_bytes(),
        number(named_index),
        suite_number(suite),
    ])?;
    Ok(())
}

/// Notes that the relay has a message of ours.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn accepted(
    tx: &Transaction<'_>,
    id: MessageId,
    sequence: Sequence,
    at: Timestamp,
    deadline: Option<Timestamp>,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET sequence = ?2, received_at = ?3, status = ?4, failure = NULL,
            deadline = ifnull(deadline, ?5)
         WHERE id = ?1",
    )?
    .execute(params![
        id.as_bytes(),
        number(sequence),
        millis(at),
        status_number(Status::Sent),
        deadline.map(millis),
    ])?;
    Ok(())
}

/// Gives a message that was not sealed yet another body of the same kind.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn set_body(tx: &Transaction<'_>, id: MessageId, body: &[u8]) -> Result<()> {
    tx.prepare_cached("UPDATE messages SET body = ?2 WHERE id = ?1")?
        .execute(params![id.as_bytes(), body])?;
    Ok(())
}

/// Notes that the relay refused a message of ours for good.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn failed(tx: &Transaction<'_>, id: MessageId, code: &str) -> Result<()> {
    tx.prepare_cached("UPDATE messages SET status = ?2, failure = ?3 WHERE id = ?1")?
        .execute(params![id.as_bytes(), status_number(Status::Failed), code])?;
    Ok(())
}

/// The last place in a conversation that somebody else's message has.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn last_incoming(
    tx: &Transaction<'_>,
    conversation: ConversationId,
) -> Result<Option<Sequence>> {
    let last: Option<i64> = tx
        .prepare_cached(
            "SELECT max(sequence) FROM messages WHERE conversation = ?1 AND outgoing = 0",
        )?
        .query_row([conversation.as_bytes()], |row| row.get(0))?;
    Ok(last.map(unsigned))
}

/// Notes that this account has seen others' messages up to a place; starts their timers.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn see(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    up_to: Sequence,
    at: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET seen_at = ?3, status = ?4,
            deadline = CASE WHEN expiry_mode = ?5 THEN ?3 + expiry_ms ELSE deadline END
         WHERE conversation = ?1 AND outgoing = 0 AND sequence <= ?2 AND seen_at IS NULL",
    )?
    .execute(params![
        conversation.as_bytes(),
        number(up_to),
        millis(at),
        status_number(Status::Seen),
        mode_number(ExpiryMode::AfterSeen),
    ])?;
    Ok(())
}

// ── columns ─────────────────────────────────────────────────────────────────────────────────────

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let optional = |column: &str| row.get::<_, Option<i64>>(column).map(|n| n.map(unsigned));
    let mode: Option<i64> = row.get("expiry_mode")?;
    let after_ms = optional("expiry_ms")?;
    Ok(MessageRow {
        id: blob(row, "id")?,
        conversation: blob(row, "conversation")?,
        sender: DeviceAddress {
            account: blob(row, "sender_account")?,
            device: blob(row, "sender_device")?,
        },
        outgoing: row.get("outgoing")?,
        number: optional("number")?,
        previous: optional_blob(row, "previous")?,
        named_index: optional("named_index")?,
        sequence: optional("sequence")?,
        sent_at: timestamp(row.get("sent_at")?),
        received_at: row.get::<_, Option<i64>>("received_at")?.map(timestamp),
        kind: row.get("kind")?,
        body: row.get("body")?,
        suite: match row.get::<_, i64>("authenticity")? {
            2 => Suite::Signed,
            3 => Suite::Chained,
            _ => Suite::Deniable,
        },
        status: status(row.get("status")?),
        failure: row.get("failure")?,
        expiry: mode.zip(after_ms).map(|(mode, after_ms)| Expiry {
            mode: if mode == 2 { ExpiryMode::AfterSeen } else { ExpiryMode::AfterSent },
            after_ms,
        }),
        deadline: row.get::<_, Option<i64>>("deadline")?.map(timestamp),
        links: Links {
            target: optional_blob(row, "target")?,
            thread: optional_blob(row, "thread")?,
            mentions_us: row.get("mentions_us")?,
        },
    })
}

pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

pub(super) fn mode_number(mode: ExpiryMode) -> i64 {
    match mode {
        ExpiryMode::AfterSent => 1,
        ExpiryMode::AfterSeen => 2,
    }
}

fn suite_number(suite: Suite) -> i64 {
    match suite {
        Suite::Deniable => 1,
        Suite::Signed => 2,
        Suite::Chained => 3,
        Suite::HandOut => 4,
    }
}

pub(super) fn status_number(status: Status) -> i64 {
    match status {
        Status::Queued => 1,
        Status::Sent => 2,
        Status::Delivered => 3,
        Status::Seen => 4,
        Status::Failed => 5,
    }
}

fn status(number: i64) -> Status {
    match number {
        1 => Status::Queued,
        2 => Status::Sent,
        3 => Status::Delivered,
        4 => Status::Seen,
        _ => Status::Failed,
    }
}
