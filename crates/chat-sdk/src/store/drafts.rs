//! `drafts`: words that were begun and not sent, one draft a conversation and one a thread.
//!
//! They stay on this device. What takes a draft away overwrites it, like all that is deleted.

use chat_core::id::{ConversationId, MessageId};
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::millis;
use crate::error::Result;

/// Keeps the body of a text as a draft, in place of the one there was.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn save(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    thread: Option<MessageId>,
    body: &[u8],
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO drafts (conversation, thread, body, saved_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (conversation, thread) DO UPDATE SET
            body = excluded.body, saved_at = excluded.saved_at
         WHERE body <> excluded.body",
    )?
    .execute(params![conversation.as_bytes(), key(thread.as_ref()), body, millis(now)])?;
    Ok(())
}

/// The draft, as the body of a text.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    thread: Option<MessageId>,
) -> Result<Option<Vec<u8>>> {
    let body = tx
        .prepare_cached("SELECT body FROM drafts WHERE conversation = ?1 AND thread = ?2")?
        .query_row(params![conversation.as_bytes(), key(thread.as_ref())], |row| row.get(0))
        .optional()?;
    Ok(body)
}

/// Takes the draft away; tells whether there was one.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn clear(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    thread: Option<MessageId>,
) -> Result<bool> {
    let cleared = tx
        .prepare_cached("DELETE FROM drafts WHERE conversation = ?1 AND thread = ?2")?
        .execute(params![conversation.as_bytes(), key(thread.as_ref())])?;
    Ok(cleared == 1)
}

fn key(thread: Option<&MessageId>) -> &[u8] {
    thread.map_or(&[], |thread| thread.as_bytes())
}
