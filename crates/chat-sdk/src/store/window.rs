//! Part of a conversation, from somewhere on to its newest message.
//!
//! ```text
//!  ··· 41  42  43 │ 44  45  46 ─ ─ ─▶        placed messages, then those the relay has not accepted
//!               bound
//! ```

use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::millis;
use super::messages::{MessageRow, ORDER, UNPLACED, number, read, unsigned};
use crate::content::ASIDES;
use crate::error::Result;

/// The place where a view begins: everything at it and after it is in the view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bound(Sequence);

impl Bound {
    /// Before everything.
    pub const BEGINNING: Self = Self(0);

    /// The first place in the view.
    #[must_use]
    pub fn first_place(self) -> Sequence {
        self.0.max(1)
    }
}

/// What is looked at by itself: nothing that is said aside or about a message, nothing whose time is
/// over. Parameters 1 and 2: conversation, now.
fn shown() -> String {
    format!(
        "conversation = ?1 AND target IS NULL AND (deadline IS NULL OR deadline > ?2)
         AND kind NOT IN {ASIDES}"
    )
}

/// Where a view of the newest `count` messages begins.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn newest(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    count: u32,
    now: Timestamp,
) -> Result<Bound> {
    let unplaced: u32 = tx.query_row(
        &format!(
            "SELECT count(*) FROM messages WHERE {shown} AND {ORDER} = {UNPLACED}",
            shown = shown()
        ),
        params![conversation.as_bytes(), millis(now)],
        |row| row.get(0),
    )?;
    // What waits in the outbox is always in the view, as it comes after everything.
    let placed = count.saturating_sub(unplaced).max(1);
    Ok(earlier(tx, conversation, Bound(Sequence::MAX), placed, now)?.0)
}

/// Where a view begins that has `count` messages more than one from `bound`, and how many more it
/// has.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn earlier(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    bound: Bound,
    count: u32,
    now: Timestamp,
) -> Result<(Bound, u32)> {
    let sql = format!(
        "SELECT count(*), min(sequence) FROM (
            SELECT sequence FROM messages WHERE {} AND sequence < ?3
            ORDER BY sequence DESC LIMIT ?4)",
        shown()
    );
    let (found, lowest): (u32, Option<i64>) = tx.prepare_cached(&sql)?.query_row(
        params![conversation.as_bytes(), millis(now), number(bound.0), count],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let is_all = found < count || lowest.is_none();
    if is_all {
        return Ok((Bound::BEGINNING, found));
    }
    let lowest = lowest.map_or(0, unsigned);
    // Nothing earlier, and no gap either: the view begins where the conversation does.
    let further: Option<i64> = tx
        .prepare_cached(&format!(
            "SELECT sequence FROM messages WHERE {} AND sequence < ?3 LIMIT 1",
            shown()
        ))?
        .query_row(params![conversation.as_bytes(), millis(now), number(lowest)], |row| row.get(0))
        .optional()?;
    Ok((if further.is_none() { Bound::BEGINNING } else { Bound(lowest) }, found))
}

/// How many messages a view has that begins at `bound`.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn size(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    bound: Bound,
    now: Timestamp,
) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM messages WHERE {} AND {ORDER} >= ?3", shown());
    let size: i64 = tx
        .prepare_cached(&sql)?
        .query_row(params![conversation.as_bytes(), millis(now), number(bound.0)], |row| {
            row.get(0)
        })?;
    Ok(unsigned(size))
}

/// The messages of a view, oldest first; those that the relay has not accepted come last.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn messages(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    bound: Bound,
    now: Timestamp,
) -> Result<Vec<MessageRow>> {
    let sql = format!(
        "SELECT * FROM messages WHERE {} AND {ORDER} >= ?3 ORDER BY {ORDER}, place",
        shown()
    );
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![conversation.as_bytes(), millis(now), number(bound.0)], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
