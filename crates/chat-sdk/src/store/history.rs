//! `held`: which places of a conversation's log this device was shown, and so where gaps are.
//!
//! ```text
//!  places   1 ··········· 40 ────────── 57 ·· 60 ─────▶
//!                gap           held      gap    held
//! ```
//!
//! Held says nothing about what stands at a place: a message for other devices, a hand-out and one
//! that could not be read are held too; only what may still be wrapped for this account is not. A
//! message that came another way, from a backup perhaps, holds its own place by being here.

use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::millis;
use super::cursors;
use super::messages::{number, unsigned};
use crate::error::Result;

/// Places of a log that this device was never shown, both ends included.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Gap {
    /// The first of them.
    pub first: Sequence,
    /// The last of them.
    pub last: Sequence,
}

/// Most gaps that are looked for at once; the newest are found.
const GAPS_MAX: usize = 64;

/// Notes that this device was shown these places.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn hold(tx: &Transaction<'_>, conversation: ConversationId, shown: Gap) -> Result<()> {
    let Gap { first, last } = shown;
    if first > last {
        return Ok(());
    }
    let reach = params![
        conversation.as_bytes(),
        number(first.saturating_sub(1)),
        number(last.saturating_add(1)),
    ];
    let (least, most): (Option<i64>, Option<i64>) = tx
        .prepare_cached(
            "SELECT min(first), max(last) FROM held
             WHERE conversation = ?1 AND last >= ?2 AND first <= ?3",
        )?
        .query_row(reach, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let merged = Gap {
        first: least.map_or(first, |least| first.min(unsigned(least))),
        last: most.map_or(last, |most| last.max(unsigned(most))),
    };
    if least.is_some_and(|least| unsigned(least) <= first)
        && most.is_some_and(|most| unsigned(most) >= last)
        && is_one_range(tx, conversation, merged)?
    {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM held WHERE conversation = ?1 AND last >= ?2 AND first <= ?3")?
        .execute(reach)?;
    tx.prepare_cached("INSERT INTO held (conversation, first, last) VALUES (?1, ?2, ?3)")?
        .execute(params![conversation.as_bytes(), number(merged.first), number(merged.last)])?;
    Ok(())
}

fn is_one_range(tx: &Transaction<'_>, conversation: ConversationId, range: Gap) -> Result<bool> {
    let is_one = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held WHERE conversation = ?1 AND first = ?2 AND last = ?3)",
        )?
        .query_row(
            params![conversation.as_bytes(), number(range.first), number(range.last)],
            |row| row.get(0),
        )?;
    Ok(is_one)
}

/// The gaps from place `from` on, the oldest first. What is beyond this device's cursor is no gap,
/// but on its way. Of more than 64 the newest are given.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn gaps(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    from: Sequence,
) -> Result<Vec<Gap>> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut lowest = cursors::applied(tx, conversation)?.saturating_add(1);
    // Every known place or range of them, the newest first; what lies between two is a gap.
    let mut statement = tx.prepare_cached(
        "SELECT first, last FROM held WHERE conversation = ?1 AND last >= ?2
         UNION ALL
         SELECT sequence, sequence FROM messages
         WHERE conversation = ?1 AND sequence >= ?2 AND NOT EXISTS (
            SELECT 1 FROM held WHERE held.conversation = ?1
                AND held.first <= messages.sequence AND held.last >= messages.sequence)
         UNION ALL
         SELECT sequence, sequence FROM tombstones
         WHERE conversation = ?1 AND sequence >= ?2 AND NOT EXISTS (
            SELECT 1 FROM held WHERE held.conversation = ?1
                AND held.first <= tombstones.sequence AND held.last >= tombstones.sequence)
         ORDER BY 2 DESC, 1 DESC",
    )?;
    let mut rows = statement.query(params![conversation.as_bytes(), number(from)])?;
    while let Some(row) = rows.next()? {
        let (first, last) = (unsigned(row.get(0)?), unsigned(row.get(1)?));
        note(&mut gaps, Gap { first: last.saturating_add(1), last: lowest.saturating_sub(1) });
        if gaps.len() == GAPS_MAX {
            break;
        }
        lowest = lowest.min(first);
    }
    if gaps.len() < GAPS_MAX {
        note(&mut gaps, Gap { first: from.max(1), last: lowest.saturating_sub(1) });
    }
    gaps.reverse();
    Ok(gaps)
}

fn note(gaps: &mut Vec<Gap>, gap: Gap) {
    if gap.first <= gap.last {
        gaps.push(gap);
    }
}

/// The highest membership index that a message before this place has named.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn named_before(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    place: Sequence,
) -> Result<u64> {
    let named: Option<i64> = tx
        .prepare_cached(
            "SELECT max(named_index) FROM messages WHERE conversation = ?1 AND sequence < ?2",
        )?
        .query_row(params![conversation.as_bytes(), number(place)], |row| row.get(0))?;
    Ok(named.map(unsigned).unwrap_or_default())
}

/// Notes that a message of the past was looked at as it came, and starts a timer that waits for
/// that.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn see(tx: &Transaction<'_>, message: MessageId, at: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET seen_at = ?2, status = 4,
            deadline = CASE WHEN expiry_mode = 2 THEN ?2 + expiry_ms ELSE deadline END
         WHERE id = ?1 AND outgoing = 0 AND seen_at IS NULL",
    )?
    .execute(params![message.as_bytes(), millis(at)])?;
    Ok(())
}

#[cfg(test)]
mod tests;
