//! `rewraps`: members who came later, and how far back the past is wrapped for them.

use chat_core::id::{AccountId, ConversationId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::{blob, millis, timestamp};
use super::messages::{number, unsigned};
use crate::error::Result;

/// Whose part it is to wrap the past for somebody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// This device's: it has added them, or was asked to by its app.
    Ours,
    /// That of whichever admin comes first.
    Anybodys,
    /// Somebody else's, who was found at it: what is left is to see whether they have finished.
    Others,
}

impl Turn {
    const ALL: [Self; 3] = [Self::Ours, Self::Anybodys, Self::Others];

    /// The number in the column, never given another meaning.
    const fn number(self) -> i64 {
        match self {
            Self::Ours => 1,
            Self::Anybodys => 2,
            Self::Others => 3,
        }
    }
}

/// Somebody to wrap the past for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rewrap {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// For whom.
    pub account: AccountId,
    /// What stands at this place or later is done; absent until it has begun.
    pub done_from: Option<Sequence>,
    /// Whose part it is.
    pub turn: Turn,
    /// When it goes on.
    pub due_at: Timestamp,
}

/// Begins, or begins anew where it is this device's turn now.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn begin(tx: &Transaction<'_>, rewrap: &Rewrap) -> Result<()> {
    if rewrap.turn == Turn::Ours {
        forget(tx, rewrap.conversation, rewrap.account)?;
    }
    let insert = "INSERT OR IGNORE INTO rewraps (conversation, account, done_from, turn, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5)";
    execute(tx, insert, rewrap)
}

/// Keeps how it stands with one that was begun; one that was forgotten meanwhile stays so.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn update(tx: &Transaction<'_>, rewrap: &Rewrap) -> Result<()> {
    let update = "UPDATE rewraps SET done_from = ?3, turn = ?4, due_at = ?5
         WHERE conversation = ?1 AND account = ?2";
    execute(tx, update, rewrap)
}

fn execute(tx: &Transaction<'_>, statement: &str, rewrap: &Rewrap) -> Result<()> {
    tx.prepare_cached(statement)?.execute(params![
        rewrap.conversation.as_bytes(),
        rewrap.account.as_bytes(),
        rewrap.done_from.map(number),
        rewrap.turn.number(),
        millis(rewrap.due_at),
    ])?;
    Ok(())
}

/// Ends one.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    account: AccountId,
) -> Result<()> {
    tx.prepare_cached("DELETE FROM rewraps WHERE conversation = ?1 AND account = ?2")?
        .execute(params![conversation.as_bytes(), account.as_bytes()])?;
    Ok(())
}

/// The one that goes on next.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn next(tx: &Transaction<'_>) -> Result<Option<Rewrap>> {
    let next = tx
        .prepare_cached("SELECT * FROM rewraps ORDER BY due_at, conversation, account LIMIT 1")?
        .query_row([], read)
        .optional()?;
    Ok(next)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Rewrap> {
    let turn: i64 = row.get("turn")?;
    let known = Turn::ALL.into_iter().find(|known| known.number() == turn);
    Ok(Rewrap {
        conversation: blob(row, "conversation")?,
        account: blob(row, "account")?,
        done_from: row.get::<_, Option<i64>>("done_from")?.map(unsigned),
        turn: known.ok_or(rusqlite::Error::IntegralValueOutOfRange(3, turn))?,
        due_at: timestamp(row.get("due_at")?),
    })
}
