//! `cursors`: how far this device is in each conversation's log.

use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::blob;
use super::history::{self, Gap};
use super::messages::{number, unsigned};
use crate::error::Result;

/// The last place that is committed here; zero before the first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn applied(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Sequence> {
    let applied: Option<i64> = tx
        .prepare_cached("SELECT applied FROM cursors WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(applied.map(unsigned).unwrap_or_default())
}

/// Where the cursor of a device begins that is new to a conversation: at its end, by the relay's
/// word. What was before is history, and to be asked for.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn begin(tx: &Transaction<'_>, conversation: ConversationId, at: Sequence) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO cursors (conversation, applied)
         SELECT id, ?2 FROM conversations WHERE id = ?1",
    )?
    .execute(params![conversation.as_bytes(), number(at)])?;
    Ok(())
}

/// Moves the cursor forward, never back, and notes that the place was shown.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn advance(tx: &Transaction<'_>, conversation: ConversationId, to: Sequence) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO cursors (conversation, applied) VALUES (?1, ?2)
         ON CONFLICT (conversation) DO UPDATE SET applied = max(applied, excluded.applied)",
    )?
    .execute(params![conversation.as_bytes(), number(to)])?;
    history::hold(tx, conversation, Gap { first: to, last: to })
}

/// All cursors.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn all(tx: &Transaction<'_>) -> Result<Vec<(ConversationId, Sequence)>> {
    let mut statement = tx.prepare_cached("SELECT conversation, applied FROM cursors")?;
    let rows = statement
        .query_map([], |row| Ok((blob(row, "conversation")?, unsigned(row.get("applied")?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes how far the relay knows us to be.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn acknowledged(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    up_to: Sequence,
) -> Result<()> {
    tx.prepare_cached("UPDATE cursors SET acknowledged = ?2 WHERE conversation = ?1")?
        .execute(params![conversation.as_bytes(), number(up_to)])?;
    Ok(())
}
