//! History as it goes into a backup and comes out of one: rows of `messages` without a timer.

use chat_core::id::MessageId;
use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::millis;
use super::messages::{self, MessageRow};
use super::{annotations, conversations, progress, tombstones};
use crate::content::Content;
use crate::error::Result;
use crate::message::Status;

/// Up to `limit` messages that the relay has accepted and that have no timer, behind the local
/// place `after`; each with its own.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn page(tx: &Transaction<'_>, after: i64, limit: u32) -> Result<Vec<(i64, MessageRow)>> {
    read_page(
        tx,
        "SELECT place, id FROM messages WHERE place > ?1 AND sequence IS NOT NULL
            AND expiry_ms IS NULL ORDER BY place LIMIT ?2",
        after,
        limit,
    )
}

/// The same, of those that are not in the backup at the relay.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn unmarked(tx: &Transaction<'_>, after: i64, limit: u32) -> Result<Vec<(i64, MessageRow)>> {
    read_page(
        tx,
        "SELECT place, id FROM messages WHERE place > ?1 AND sequence IS NOT NULL
            AND expiry_ms IS NULL AND id NOT IN (SELECT message FROM backed_up)
         ORDER BY place LIMIT ?2",
        after,
        limit,
    )
}

fn read_page(
    tx: &Transaction<'_>,
    query: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, MessageRow)>> {
    let mut statement = tx.prepare_cached(query)?;
    let found = statement.query_map(params![after, limit], |row| {
        Ok((row.get("place")?, super::columns::blob(row, "id")?))
    })?;
    let mut page = Vec::new();
    for row in found {
        let (place, id) = row?;
        if let Some(message) = messages::load(tx, id)? {
            page.push((place, message));
        }
    }
    Ok(page)
}

/// How many there are behind `after`.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn count(tx: &Transaction<'_>, after: i64) -> Result<u64> {
    let count: i64 = tx.query_row(
        "SELECT count(*) FROM messages WHERE place > ?1 AND sequence IS NOT NULL
            AND expiry_ms IS NULL",
        [after],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// How many are not in the backup at the relay.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn count_unmarked(tx: &Transaction<'_>) -> Result<u64> {
    let count: i64 = tx.query_row(
        "SELECT count(*) FROM messages WHERE sequence IS NOT NULL AND expiry_ms IS NULL
            AND id NOT IN (SELECT message FROM backed_up)",
        [],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Notes that a message is in the backup at the relay.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn mark(tx: &Transaction<'_>, message: MessageId) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO backed_up (message) VALUES (?1)")?
        .execute([message.as_bytes()])?;
    Ok(())
}

/// Puts a message back, as one that was looked at long ago; tells whether it was missing. One that
/// is here or was here, and one of a conversation that is not here, stays away.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn restore(tx: &Transaction<'_>, message: &MessageRow, now: Timestamp) -> Result<bool> {
    // What this device could not read at the relay it reads here.
    if tombstones::is_unreadable(tx, message.id)? {
        tombstones::unbury(tx, message.id)?;
    }
    let Some(row) = conversations::load(tx, message.conversation)? else { return Ok(false) };
    if messages::is_known(tx, message.id)? {
        return Ok(false);
    }
    progress::insert_placed(tx, message, now)?;
    if !message.outgoing || message.sequence.is_none() {
        tx.prepare_cached("UPDATE messages SET seen_at = ?2 WHERE id = ?1")?.execute(params![
            message.id.as_bytes(),
            millis(message.received_at.unwrap_or(message.sent_at))
        ])?;
    }
    // A deletion comes before what it is about, or finds it here: the words do not come back.
    let membership = &row.membership;
    if is_ended(tx, membership, message)? {
        annotations::erase(tx, message.id, now)?;
    }
    let content = Content::read(&message.kind, &message.body);
    if let Content::Delete(_) = content {
        let sender = message.sender.account;
        if let Some(target) = annotations::target(tx, membership, sender, &content)? {
            annotations::erase(tx, target.id, now)?;
        }
    }
    Ok(true)
}

/// Tells whether somebody who may has deleted a message.
fn is_ended(tx: &Transaction<'_>, membership: &Membership, message: &MessageRow) -> Result<bool> {
    let mut statement = tx.prepare_cached(
        "SELECT sender_account FROM messages
         WHERE target = ?1 AND conversation = ?2 AND kind = 'delete'",
    )?;
    let of = params![message.id.as_bytes(), message.conversation.as_bytes()];
    let senders = statement.query_map(of, |row| super::columns::blob(row, "sender_account"))?;
    for sender in senders {
        if membership.may_delete(sender?, message.sender.account) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How a message that comes out of a backup stands.
#[must_use]
pub fn status(outgoing: bool) -> Status {
    if outgoing { Status::Sent } else { Status::Seen }
}
