//! What was said about messages: other words, reactions, the end of one.
//!
//! Each is a row of `messages` with a `target`, sent and retried like any other; what a message
//! shows is folded from them when it is read. So a refused edit needs nothing to be undone, and one
//! that comes twice changes nothing.
//!
//! ```text
//!  message ◀─target─ edit        the last one of the message's own sender counts
//!          ◀─target─ reaction    of each account the last word on each emoji counts
//!          ◀─target─ delete      of its sender, or of whom the policy lets: the words are erased
//! ```

use chat_core::id::{AccountId, MessageId};
use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::messages::{self, MessageRow, ORDER, read};
use super::tombstones::{self, Gone};
use crate::content::{Content, DELETED_KIND, Edit};
use crate::error::Result;

/// Most edits read for one message.
const EDITS_READ_MAX: u32 = 100;
/// Most reactions read for one message.
const REACTIONS_READ_MAX: u32 = 10_000;

/// The edit that counts.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn edit(tx: &Transaction<'_>, of: &MessageRow) -> Result<Option<(Edit, Timestamp)>> {
    let row = tx
        .prepare_cached(&format!(
            "SELECT * FROM messages
             WHERE target = ?1 AND conversation = ?2 AND kind = 'edit' AND sender_account = ?3
                AND status <> 5
             ORDER BY {ORDER} DESC, place DESC LIMIT 1"
        ))?
        .query_row(
            params![of.id.as_bytes(), of.conversation.as_bytes(), of.sender.account.as_bytes()],
            read,
        )
        .optional()?;
    Ok(row.and_then(|row| match Content::read(&row.kind, &row.body) {
        Content::Edit(edit) => Some((edit, row.sent_at)),
        _ => None,
    }))
}

/// Everything that its sender has said instead of a message, whatever came of it; the oldest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn edits(tx: &Transaction<'_>, of: &MessageRow) -> Result<Vec<MessageRow>> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM messages
         WHERE target = ?1 AND conversation = ?2 AND kind = 'edit' AND sender_account = ?3
            AND sequence IS NOT NULL
         ORDER BY sequence LIMIT ?4",
    )?;
    let (id, sender) = (of.id.as_bytes(), of.sender.account.as_bytes());
    let rows = statement
        .query_map(params![id, of.conversation.as_bytes(), sender, EDITS_READ_MAX], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All words on reactions to a message, the oldest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn reactions(tx: &Transaction<'_>, to: &MessageRow) -> Result<Vec<MessageRow>> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT * FROM messages
         WHERE target = ?1 AND conversation = ?2 AND kind = 'reaction' AND status <> 5
         ORDER BY {ORDER}, place LIMIT ?3"
    ))?;
    let rows = statement.query_map(
        params![to.id.as_bytes(), to.conversation.as_bytes(), REACTIONS_READ_MAX],
        read,
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The message that an annotation is about, if the annotation may say that.
///
/// Its target must be a message to look at, of the same conversation; other words must come from
/// the target's own sender, and the end from them or from whom the policy lets.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn target(
    tx: &Transaction<'_>,
    membership: &Membership,
    sender: AccountId,
    content: &Content,
) -> Result<Option<MessageRow>> {
    let Some(id) = content.target() else { return Ok(None) };
    let target = messages::load(tx, id)?.filter(|target| {
        let shown = Content::read(&target.kind, &target.body);
        let is_own = target.sender.account == sender;
        target.conversation == membership.id()
            && match content {
                Content::Edit(_) => is_own && matches!(shown, Content::Text(_)),
                Content::Delete(_) => {
                    membership.may_delete(sender, target.sender.account)
                        && !matches!(shown, Content::Title(_))
                }
                _ => !matches!(shown, Content::Title(_) | Content::Deleted),
            }
            && target.links.target.is_none()
    });
    Ok(target)
}

/// Erases a message's words and what was said about them; a place that says so stays.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn erase(tx: &Transaction<'_>, id: MessageId, now: Timestamp) -> Result<()> {
    tombstones::bury_annotations(tx, id, Gone::Deleted, now)?;
    tx.prepare_cached(
        "UPDATE messages SET kind = ?2, body = zeroblob(0), mentions_us = 0 WHERE id = ?1",
    )?
    .execute(params![id.as_bytes(), DELETED_KIND])?;
    Ok(())
}

/// Tells whether the sender of a message that has just come has deleted it already: a relay that
/// brings the end before the beginning does not bring the words back.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_deleted(tx: &Transaction<'_>, message: &MessageRow) -> Result<bool> {
    let is_deleted = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM messages
             WHERE target = ?1 AND conversation = ?2 AND kind = 'delete' AND sender_account = ?3)",
        )?
        .query_row(
            params![
                message.id.as_bytes(),
                message.conversation.as_bytes(),
                message.sender.account.as_bytes()
            ],
            |row| row.get(0),
        )?;
    Ok(is_deleted)
}
