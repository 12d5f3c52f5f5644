//! Conversations: the signed membership log, the state it leads to, and who was in from when to when.

use std::collections::BTreeSet;

use chat_core::api::conversations::{ConversationPage, ConversationSummary, MembershipPage};
use chat_core::codec::{Digest, List, from_bytes, to_bytes};
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::limits::PAGE_MAX;
use chat_core::membership::{Change, History, Membership, MembershipEntry};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{
    Read, direct_pair, fixed, is_open, kind_number, one_more, signed, signed_entry, unsigned,
};
use super::{Connection, Conversation, StorageError, batch, receipts};

pub(super) async fn create(
    connection: &mut Connection,
    entry: &Verified<MembershipEntry>,
    membership: &Membership,
    now: Timestamp,
) -> Result<(), StorageError> {
    let id = membership.id();
    let pair = direct_pair(membership);
    let inserted = query(
        "INSERT INTO conversations \
             (id, workspace, direct_pair, head_index, head, created_at, kind, document, is_open) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(id.as_bytes().as_slice())
    .bind(membership.workspace().as_bytes().as_slice())
    .bind(pair.as_deref())
    .bind(signed(membership.index()))
    .bind(membership.head().as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .bind(kind_number(membership.kind()))
    .bind(membership.document())
    .bind(is_open(membership))
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return why_not(connection, membership, pair.as_deref()).await;
    }
    query("INSERT INTO memberships (conversation, state) VALUES ($1, $2)")
        .bind(id.as_bytes().as_slice())
        .bind(to_bytes(membership))
        .execute(&mut *connection)
        .await?;
    insert_entry(connection, id, entry).await?;
    let members: Vec<_> = membership.members().map(|member| member.account).collect();
    batch::insert_stays(connection, id, &members, entry.index, Read { from: 1, came_at: 1 }).await
}

/// The same entry may come again; a second direct conversation of the same two, or a second one
/// of the same document, may not.
async fn why_not(
    connection: &mut Connection,
    membership: &Membership,
    pair: Option<&[u8]>,
) -> Result<(), StorageError> {
    let stored: Vec<Vec<u8>> = query_scalar(
        "SELECT id FROM conversations \
         WHERE id = $1 OR (workspace = $2 AND (direct_pair = $3 OR document = $4))",
    )
    .bind(membership.id().as_bytes().as_slice())
    .bind(membership.workspace().as_bytes().as_slice())
    .bind(pair)
    .bind(membership.document())
    .fetch_all(connection)
    .await?;
    let stored: BTreeSet<ConversationId> =
        stored.iter().map(|id| fixed(id)).collect::<Result<_, _>>()?;
    match stored.first() {
        _ if stored.contains(&membership.id()) => Ok(()),
        Some(other) => Err(StorageError::ConversationExists(*other)),
        None => Err(StorageError::Conflict),
    }
}

async fn insert_entry(
    connection: &mut Connection,
    conversation: ConversationId,
    entry: &Verified<MembershipEntry>,
) -> Result<(), StorageError> {
    query("INSERT INTO entries (conversation, place, digest, entry) VALUES ($1, $2, $3, $4)")
        .bind(conversation.as_bytes().as_slice())
        .bind(signed(entry.index))
        .bind(entry.digest().as_bytes().as_slice())
        .bind(signed_entry(entry))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn append(
    connection: &mut Connection,
    entry: &Verified<MembershipEntry>,
    membership: &Membership,
    now: Timestamp,
) -> Result<(), StorageError> {
    let id = membership.id();
    let row: Option<(i64, Vec<u8>, i64)> = query_as(concat!(
        "SELECT head_index, head, last FROM conversations WHERE id = $1",
        for_update!()
    ))
    .bind(id.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    let (index, head, last) = row.ok_or(StorageError::NotFound)?;
    let continues = Some(entry.index) == unsigned(index)?.checked_add(1)
        && entry.previous == fixed::<Digest>(&head)?;
    if !continues {
        return check_same(connection, id, entry).await;
    }
    insert_entry(connection, id, entry).await?;
    advance(connection, membership).await?;
    move_people(connection, entry, membership, unsigned(last)?).await?;
    receipts::start_timers(connection, id, now).await
}

/// The entry that is stored already may come again.
async fn check_same(
    connection: &mut Connection,
    conversation: ConversationId,
    entry: &Verified<MembershipEntry>,
) -> Result<(), StorageError> {
    let stored: Option<Vec<u8>> =
        query_scalar("SELECT digest FROM entries WHERE conversation = $1 AND place = $2")
            .bind(conversation.as_bytes().as_slice())
            .bind(signed(entry.index))
            .fetch_optional(connection)
            .await?;
    match stored {
        Some(digest) if fixed::<Digest>(&digest)? == entry.digest() => Ok(()),
        _ => Err(StorageError::Conflict),
    }
}

async fn advance(connection: &mut Connection, membership: &Membership) -> Result<(), StorageError> {
    query("UPDATE conversations SET head_index = $2, head = $3, is_open = $4 WHERE id = $1")
        .bind(membership.id().as_bytes().as_slice())
        .bind(signed(membership.index()))
        .bind(membership.head().as_bytes().as_slice())
        .bind(is_open(membership))
        .execute(&mut *connection)
        .await?;
    query("UPDATE memberships SET state = $2 WHERE conversation = $1")
        .bind(membership.id().as_bytes().as_slice())
        .bind(to_bytes(membership))
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the stays of those who are no longer members and begins those of new ones.
async fn move_people(
    connection: &mut Connection,
    entry: &Verified<MembershipEntry>,
    membership: &Membership,
    last: u64,
) -> Result<(), StorageError> {
    let index = entry.index;
    let id = membership.id();
    let present: Vec<Vec<u8>> =
        query_scalar("SELECT account FROM stays WHERE conversation = $1 AND last_sequence IS NULL")
            .bind(id.as_bytes().as_slice())
            .fetch_all(&mut *connection)
            .await?;
    let present: BTreeSet<AccountId> =
        present.iter().map(|account| fixed(account)).collect::<Result<_, _>>()?;
    let members: BTreeSet<AccountId> = membership.members().map(|member| member.account).collect();
    for account in present.difference(&members) {
        query(
            "UPDATE stays SET left_index = $3, last_sequence = $4 \
             WHERE conversation = $1 AND account = $2 AND last_sequence IS NULL",
        )
        .bind(id.as_bytes().as_slice())
        .bind(account.as_bytes().as_slice())
        .bind(signed(index))
        .bind(signed(last))
        .execute(&mut *connection)
        .await?;
    }
    let gone = gone(connection, id).await?;
    if let Change::Add { members } = &entry.change
        && members.iter().any(|member| gone.contains(&member.account))
    {
        return Err(StorageError::NotFound);
    }
    // Who was deleted stands in the log until somebody removes them; nothing is kept for them.
    let joined: Vec<_> = members.difference(&present).copied().collect();
    let joined: Vec<_> = joined.into_iter().filter(|account| !gone.contains(account)).collect();
    let came_at = last.saturating_add(1);
    let reads_all = membership.policy().history == History::FromBeginning;
    let read = Read { from: if reads_all { 1 } else { came_at }, came_at };
    batch::insert_stays(connection, id, &joined, index, read).await?;
    if reads_all {
        for account in &joined {
            begin_at(connection, *account, id, last).await?;
        }
    }
    Ok(())
}

/// Those who were members and whose accounts were deleted.
async fn gone(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<BTreeSet<AccountId>, StorageError> {
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT a.id FROM stays s JOIN accounts a ON a.id = s.account \
         WHERE s.conversation = $1 AND a.deleted_at IS NOT NULL",
    )
    .bind(conversation.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    found.iter().map(|account| fixed(account)).collect()
}

/// What was said before they came, a new member's devices ask for; it is not delivered to them.
async fn begin_at(
    connection: &mut Connection,
    account: AccountId,
    conversation: ConversationId,
    last: u64,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO cursors (account, device, conversation, up_to) \
         SELECT d.account, d.device, $2, $3 FROM devices d \
         WHERE d.account = $1 AND d.removed_at IS NULL \
         ON CONFLICT (account, device, conversation) DO UPDATE \
         SET up_to = excluded.up_to WHERE cursors.up_to < excluded.up_to",
    )
    .bind(account.as_bytes().as_slice())
    .bind(conversation.as_bytes().as_slice())
    .bind(signed(last))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn by_id(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<Option<Conversation>, StorageError> {
    let found: Option<(Vec<u8>, i64)> = query_as(
        "SELECT m.state, c.last FROM conversations c \
         JOIN memberships m ON m.conversation = c.id WHERE c.id = $1",
    )
    .bind(conversation.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    let Some((state, last)) = found else { return Ok(None) };
    Ok(Some(Conversation { membership: from_bytes(&state)?, last: unsigned(last)? }))
}

pub(super) async fn entries(
    connection: &mut Connection,
    conversation: ConversationId,
    reader: AccountId,
    from: u64,
    limit: usize,
) -> Result<MembershipPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    // A stay that lasts has no left_index, and reads to the end.
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT e.entry FROM entries e WHERE e.conversation = $1 AND e.place >= $3 AND EXISTS \
             (SELECT 1 FROM stays s WHERE s.conversation = $1 AND s.account = $2 \
              AND (s.left_index IS NULL OR e.place <= s.left_index)) \
         ORDER BY e.place LIMIT $4",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(reader.as_bytes().as_slice())
    .bind(signed(from))
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    log_page(found, limit)
}

/// A page of a log, of the entries that were found when one more than its limit was looked for.
pub(super) fn log_page(
    mut found: Vec<Vec<u8>>,
    limit: usize,
) -> Result<MembershipPage, StorageError> {
    let more = found.len() > limit;
    found.truncate(limit);
    let entries = found.iter().map(|entry| from_bytes(entry)).collect::<Result<_, _>>()?;
    Ok(MembershipPage { entries: List::new(entries)?, more })
}

pub(super) async fn page_of(
    connection: &mut Connection,
    address: DeviceAddress,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<ConversationPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    // No bytes at all come before every id.
    let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let mut found: Vec<(Vec<u8>, i64, i64, i64)> = query_as(
        "SELECT c.id, c.head_index, c.last, coalesce(k.up_to, s.first_sequence - 1) \
         FROM stays s JOIN conversations c ON c.id = s.conversation \
         LEFT JOIN cursors k \
             ON k.account = s.account AND k.device = $2 AND k.conversation = s.conversation \
         WHERE s.account = $1 AND s.last_sequence IS NULL AND s.conversation > $3 \
         ORDER BY s.conversation LIMIT $4",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .bind(after)
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let summaries = found.into_iter().map(|(id, index, last, cursor)| {
        Ok(ConversationSummary {
            conversation: fixed(&id)?,
            index: unsigned(index)?,
            last: unsigned(last)?,
            cursor: unsigned(cursor)?,
        })
    });
    let conversations = List::new(summaries.collect::<Result<_, StorageError>>()?)?;
    Ok(ConversationPage { conversations, more })
}

pub(super) async fn acquaintances(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<AccountId>, StorageError> {
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT DISTINCT theirs.account FROM stays ours \
         JOIN stays theirs ON theirs.conversation = ours.conversation \
         WHERE ours.account = $1 AND theirs.account <> $1 \
           AND ours.last_sequence IS NULL AND theirs.last_sequence IS NULL \
         ORDER BY theirs.account",
    )
    .bind(account.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    found.iter().map(|account| fixed(account)).collect()
}
