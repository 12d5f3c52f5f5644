//! `parked`: messages that wait for keys, sealed as they came. There are so many and no more, so that
//! nobody fills a device with what it cannot open.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Envelope;
use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::{blob, millis, timestamp};
use super::messages::{number, unsigned};
use super::unreadable;
use crate::error::Result;

/// Most messages that wait.
pub const PARKED_MAX: i64 = 1_000;
/// Most bytes of them.
pub const PARKED_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// A message that waits.
#[derive(Clone, Debug)]
pub struct ParkedRow {
    /// Where it belongs.
    pub conversation: ConversationId,
    /// Its place there.
    pub sequence: Sequence,
    /// Its id, as its header says.
    pub message: MessageId,
    /// When the relay accepted it.
    pub received_at: Timestamp,
    /// The epoch of the keys it waits for.
    pub epoch: u32,
    /// Whether it was read as history, and is not new.
    pub is_past: bool,
    /// The message, with the wraps for us.
    pub envelope: Envelope,
    /// When it is given up.
    pub until: Timestamp,
}

/// Keeps a message; tells whether there was room for it, or it was kept before.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn keep(tx: &Transaction<'_>, row: &ParkedRow) -> Result<bool> {
    let envelope = to_bytes(&row.envelope);
    let (count, bytes): (i64, i64) = tx
        .prepare_cached("SELECT count(*), ifnull(sum(length(envelope)), 0) FROM parked")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let more = i64::try_from(envelope.len()).unwrap_or(i64::MAX);
    if count >= PARKED_MAX || bytes.saturating_add(more) > PARKED_BYTES_MAX {
        return Ok(false);
    }
    tx.prepare_cached(
        "INSERT OR IGNORE INTO parked
            (conversation, sequence, message, received_at, epoch, is_past, envelope, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        row.conversation.as_bytes(),
        number(row.sequence),
        row.message.as_bytes(),
        millis(row.received_at),
        row.epoch,
        row.is_past,
        envelope,
        millis(row.until),
    ])?;
    Ok(true)
}

/// Takes out what need not wait any more, in the order in which it came: what is under the keys of
/// `newest` or older, and what was waited for until `now`.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn take(tx: &Transaction<'_>, newest: u32, now: Timestamp) -> Result<Vec<ParkedRow>> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM parked WHERE epoch <= ?1 OR until <= ?2 ORDER BY conversation, sequence, place",
    )?;
    let rows = statement.query_map(params![newest, millis(now)], |row| {
        let envelope: Vec<u8> = row.get("envelope")?;
        Ok((
            row.get::<_, i64>("place")?,
            envelope,
            blob(row, "conversation")?,
            unsigned(row.get("sequence")?),
            blob(row, "message")?,
            timestamp(row.get("received_at")?),
            row.get("epoch")?,
            row.get("is_past")?,
            timestamp(row.get("until")?),
        ))
    })?;
    let mut taken = Vec::new();
    for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
        let (place, bytes, conversation, sequence, message, received_at, epoch, is_past, until) =
            row;
        tx.execute("DELETE FROM parked WHERE place = ?1", [place])?;
        let envelope = from_bytes(&bytes).map_err(unreadable)?;
        taken.push(ParkedRow {
            conversation,
            sequence,
            message,
            received_at,
            epoch,
            is_past,
            envelope,
            until,
        });
    }
    Ok(taken)
}

/// Whether something waits for the keys of `newest` or older.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_due(tx: &Transaction<'_>, newest: u32) -> Result<bool> {
    let is_due = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM parked WHERE epoch <= ?1)")?
        .query_row([newest], |row| row.get(0))?;
    Ok(is_due)
}
