//! History as it goes into a backup and comes out of one: rows of `messages` without a timer.

use rusqlite::{Transaction, params};

use super::columns::millis;
use super::messages::{self, MessageRow};
use super::{conversations, tombstones};
use crate::error::Result;
use crate::message::Status;

/// Up to `limit` messages that the relay has accepted and that have no timer, behind the local
/// place `after`; each with its own.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn page(tx: &Transaction<'_>, after: i64, limit: u32) -> Result<Vec<(i64, MessageRow)>> {
    let mut statement = tx.prepare_cached(
        "SELECT place, id FROM messages WHERE place > ?1 AND sequence IS NOT NULL
            AND expiry_ms IS NULL ORDER BY place LIMIT ?2",
    )?;
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

/// Puts a message back, as one that was looked at long ago; tells whether it was missing. One that
/// is here or was here, and one of a conversation that is not here, stays away.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn restore(tx: &Transaction<'_>, message: &MessageRow) -> Result<bool> {
    // What this device could not read at the relay it reads here.
    if tombstones::is_unreadable(tx, message.id)? {
        tombstones::unbury(tx, message.id)?;
    }
    if messages::is_known(tx, message.id)?
        || conversations::load(tx, message.conversation)?.is_none()
    {
        return Ok(false);
    }
    messages::insert(tx, message)?;
    if !message.outgoing {
        tx.prepare_cached("UPDATE messages SET seen_at = ?2 WHERE id = ?1")?.execute(params![
            message.id.as_bytes(),
            millis(message.received_at.unwrap_or(message.sent_at))
        ])?;
    }
    Ok(true)
}

/// How a message that comes out of a backup stands.
#[must_use]
pub fn status(outgoing: bool) -> Status {
    if outgoing { Status::Sent } else { Status::Seen }
}
