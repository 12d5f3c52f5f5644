//! How far our messages got: raised to what the receipts of others say.
//!
//! ```text
//!  sent ─▶ delivered ─▶ seen     once every other account that counts has said so, on some device
//! ```
//!
//! Those count that were members when the message was sealed, still are, and are not deleted: who is
//! gone says nothing any more, and nobody waits for them.

use std::ops::RangeInclusive;

use chat_core::envelope::ExpiryMode;
use chat_core::id::{AccountId, ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::{blob, millis, of_each_conversation};
use super::messages::{self, MessageRow, mode_number, number, status_number};
use crate::error::Result;
use crate::message::Status;

/// Every place of a conversation.
pub const EVERYWHERE: RangeInclusive<Sequence> = 0..=Sequence::MAX;

/// Adds a message that has its place already. One of ours is raised at once to what receipts said
/// that were faster; gives it, if it got further.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed), also for an id that exists.
pub fn insert_placed(
    tx: &Transaction<'_>,
    message: &MessageRow,
    now: Timestamp,
) -> Result<Vec<(MessageId, Status)>> {
    messages::insert(tx, message)?;
    match message.sequence {
        Some(here) if message.outgoing => {
            raise(tx, message.conversation, here..=here, message.sender.account, now)
        }
        _ => Ok(Vec::new()),
    }
}

/// Raises our messages at `places` of a conversation; gives those that got further. Timers that wait
/// until everybody has seen a message begin at `at`.
///
/// What stands elsewhere is not looked at: a long conversation has many messages that nobody will
/// ever have seen.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn raise(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    places: RangeInclusive<Sequence>,
    ours: AccountId,
    at: Timestamp,
) -> Result<Vec<(MessageId, Status)>> {
    let mut raised = Vec::new();
    for status in [Status::Seen, Status::Delivered] {
        for message in reaching(tx, conversation, &places, ours, status)? {
            set(tx, message, status, at)?;
            raised.push((message, status));
        }
    }
    Ok(raised)
}

/// Our messages below a status that have reached it.
fn reaching(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    places: &RangeInclusive<Sequence>,
    ours: AccountId,
    status: Status,
) -> Result<Vec<MessageId>> {
    // Who has seen a message has it: any kind of receipt counts as delivered.
    let least_kind = if status == Status::Seen { 2 } else { 1 };
    let mut statement = tx.prepare_cached(
        "SELECT id FROM messages
         WHERE conversation = ?1 AND outgoing = 1 AND sequence BETWEEN ?5 AND ?6 AND status < ?3
            AND status >= 2
            AND EXISTS (
                SELECT 1 FROM members
                WHERE members.conversation = ?1 AND account <> ?2 AND until IS NULL
                    AND since <= ifnull(messages.named_index, 0)
                    AND NOT EXISTS (
                        SELECT 1 FROM peers
                        WHERE peers.account = members.account AND deleted_at IS NOT NULL))
            AND NOT EXISTS (
                SELECT 1 FROM members
                WHERE members.conversation = ?1 AND account <> ?2 AND until IS NULL
                    AND since <= ifnull(messages.named_index, 0)
                    AND NOT EXISTS (
                        SELECT 1 FROM peers
                        WHERE peers.account = members.account AND deleted_at IS NOT NULL)
                    AND NOT EXISTS (
                        SELECT 1 FROM receipts
                        WHERE receipts.conversation = ?1 AND receipts.account = members.account
                            AND receipts.kind >= ?4 AND receipts.up_to >= messages.sequence))",
    )?;
    let rows = statement.query_map(
        params![
            conversation.as_bytes(),
            ours.as_bytes(),
            status_number(status),
            least_kind,
            number(*places.start()),
            number(*places.end()),
        ],
        |row| blob(row, "id"),
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn set(tx: &Transaction<'_>, message: MessageId, status: Status, at: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET status = ?2,
            deadline = CASE WHEN ?2 = 4 AND expiry_mode = ?4 AND deadline IS NULL
                            THEN ?3 + expiry_ms ELSE deadline END
         WHERE id = ?1",
    )?
    .execute(params![
        message.as_bytes(),
        status_number(status),
        millis(at),
        mode_number(ExpiryMode::AfterSeen),
    ])?;
    Ok(())
}

/// Conversations with messages of ours that somebody may have seen since.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn awaiting(tx: &Transaction<'_>) -> Result<Vec<ConversationId>> {
    let statement = tx.prepare_cached(
        "SELECT conversation FROM messages INDEXED BY messages_awaiting
         WHERE outgoing = 1 AND status IN (2, 3) AND conversation > ?1
         ORDER BY conversation LIMIT 1",
    )?;
    Ok(of_each_conversation(statement, |_, conversation| Ok(conversation))?)
}
