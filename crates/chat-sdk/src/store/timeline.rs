//! Messages to look at, page by page, and how many of them nobody looked at yet.
//!
//! A name for the conversation, and what is said about a message, are not looked at by themselves.

use chat_core::id::ConversationId;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::millis;
use super::messages::{MessageRow, ORDER, read, unsigned};
use crate::content::ASIDES;
use crate::error::Result;
use crate::message::{Page, Unseen};

/// A page of a conversation's messages, oldest first, without those whose time is over.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn page(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    page: Page,
    now: Timestamp,
) -> Result<Vec<MessageRow>> {
    let before: Option<(i64, i64)> = match page.before {
        None => None,
        Some(id) => tx
            .query_row(
                &format!("SELECT {ORDER}, place FROM messages WHERE id = ?1"),
                [id.as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?,
    };
    let (sequence, place) = before.unwrap_or((i64::MAX, i64::MAX));
    let mut statement = tx.prepare_cached(&format!(
        "SELECT * FROM messages
         WHERE conversation = ?1 AND kind NOT IN {ASIDES} AND target IS NULL
            AND (deadline IS NULL OR deadline > ?2)
            AND {ORDER} <= ?3 AND ({ORDER} < ?3 OR place < ?4)
            AND (?6 IS NULL OR thread = ?6 OR id = ?6)
         ORDER BY {ORDER} DESC, place DESC LIMIT ?5"
    ))?;
    let rows = statement.query_map(
        params![
            conversation.as_bytes(),
            millis(now),
            sequence,
            place,
            page.limit,
            page.thread.as_ref().map(|thread| thread.as_bytes()),
        ],
        read,
    )?;
    let mut messages = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    messages.reverse();
    Ok(messages)
}

/// How many of others' messages were not looked at.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn unseen(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<Unseen> {
    let unseen = tx
        .prepare_cached(&format!(
            "SELECT count(*), count(*) FILTER (WHERE mentions_us) FROM messages
             WHERE conversation = ?1 AND outgoing = 0 AND seen_at IS NULL
                AND target IS NULL AND kind <> 'deleted' AND kind NOT IN {ASIDES}
                AND (deadline IS NULL OR deadline > ?2)"
        ))?
        .query_row(params![conversation.as_bytes(), millis(now)], |row| {
            Ok(Unseen { messages: unsigned(row.get(0)?), mentions: unsigned(row.get(1)?) })
        })?;
    Ok(unseen)
}

/// How many of others' messages were not looked at, in all conversations.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn all_unseen(tx: &Transaction<'_>, now: Timestamp) -> Result<Unseen> {
    let unseen = tx
        .prepare_cached(&format!(
            "SELECT count(*), count(*) FILTER (WHERE mentions_us) FROM messages
             WHERE outgoing = 0 AND seen_at IS NULL
                AND target IS NULL AND kind <> 'deleted' AND kind NOT IN {ASIDES}
                AND (deadline IS NULL OR deadline > ?1)"
        ))?
        .query_row([millis(now)], |row| {
            Ok(Unseen { messages: unsigned(row.get(0)?), mentions: unsigned(row.get(1)?) })
        })?;
    Ok(unseen)
}
