//! `tombstones`, and the end of messages: what is due, and what is left of it.
//!
//! A tombstone remembers only an id, so that a redelivery does not bring a message back.

use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::{blob, millis};
use super::messages::number;
use crate::error::Result;

/// Why a message is no longer here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gone {
    /// Its timer ended.
    Expired = 1,
    /// Its sender, or the relay after its timer, deleted it.
    Deleted = 2,
    /// It could not be opened, or not be believed.
    Unreadable = 3,
    /// It took effect, and was nothing to look at.
    Applied = 4,
    /// Its sender is blocked.
    Blocked = 5,
}

/// Messages whose time is over.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn due(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<(ConversationId, MessageId)>> {
    let mut statement = tx.prepare_cached(
        "SELECT conversation, id FROM messages WHERE deadline <= ?1
             UNION SELECT conversation, id FROM messages
             JOIN timers ON timers.message = messages.id WHERE left_ms <= 0",
    )?;
    let rows = statement
        .query_map([millis(now)], |row| Ok((blob(row, "conversation")?, blob(row, "id")?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Erases a message, if it is here, with what was said about it, and remembers that it was; tells
/// whether it was here.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn bury(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    id: MessageId,
    sequence: Option<Sequence>,
    reason: Gone,
    now: Timestamp,
) -> Result<bool> {
    bury_annotations(tx, id, reason, now)?;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO tombstones (message, conversation, sequence, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        id.as_bytes(),
        conversation.as_bytes(),
        sequence.map(number),
        reason as i64,
        millis(now)
    ])?;
    let erased =
        tx.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([id.as_bytes()])?;
    Ok(erased == 1)
}

/// Tells whether something under this id was not believed.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_unreadable(tx: &Transaction<'_>, id: MessageId) -> Result<bool> {
    let is_unreadable = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM tombstones WHERE message = ?1 AND reason = 3)",
        )?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    Ok(is_unreadable)
}

/// Forgets that something under this id was not believed: now it is.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn unbury(tx: &Transaction<'_>, id: MessageId) -> Result<()> {
    tx.prepare_cached("DELETE FROM tombstones WHERE message = ?1 AND reason = 3")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// Erases the edits of a message and the reactions to it, and remembers that they were.
///
/// A deletion stays: it is what the message is gone by.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn bury_annotations(
    tx: &Transaction<'_>,
    id: MessageId,
    reason: Gone,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO tombstones (message, conversation, sequence, reason, at)
         SELECT id, conversation, sequence, ?2, ?3 FROM messages
         WHERE target = ?1 AND kind <> 'delete'",
    )?
    .execute(params![id.as_bytes(), reason as i64, millis(now)])?;
    tx.prepare_cached("DELETE FROM messages WHERE target = ?1 AND kind <> 'delete'")?
        .execute([id.as_bytes()])?;
    Ok(())
}
