//! `outbox`: what is to be sent, in order, and the bytes that every attempt sends.
//!
//! ```text
//!  queued ──seal──▶ sealed (envelope kept) ──accepted, failed──▶ row gone
//!    ▲                 │
//!    └──── stale ──────┘   membership or devices have changed: the bytes are dropped, the id stays
//! ```
//!
//! Only the oldest row of a conversation may leave, so messages of one device stay in order.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Envelope;
use chat_core::id::{ConversationId, MessageId};
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::{blob, millis, of_each_conversation};
use super::messages::Links;
use crate::error::{Kind, Result};
use crate::message::Compression;

/// The oldest unsent message of a conversation.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Which message.
    pub message: MessageId,
    /// Where it goes.
    pub conversation: ConversationId,
    /// Whether its body may be compressed.
    pub(crate) compression: Compression,
    /// The sealed bytes, once there are some.
    pub envelope: Option<Envelope>,
    /// How many attempts have failed for a reason that may pass.
    pub attempts: u32,
    /// How often the sealed bytes were dropped.
    pub reseals: u32,
}

/// Adds a message at the end.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(crate) fn push(
    tx: &Transaction<'_>,
    message: MessageId,
    conversation: ConversationId,
    compression: Compression,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO outbox (message, conversation, state, compress, attempts, reseals)
         VALUES (?1, ?2, 1, ?3, 0, 0)",
    )?
    .execute(params![
        message.as_bytes(),
        conversation.as_bytes(),
        compression == Compression::Allowed
    ])?;
    Ok(())
}

/// Tells whether a message waits and no bytes of it exist that could be on their way.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn is_unsealed(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
) -> Result<bool> {
    // Bytes that were dropped may have left before they were.
    let is_unsealed = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND conversation = ?2
            AND state = 1 AND reseals = 0)",
        )?
        .query_row(params![message.as_bytes(), conversation.as_bytes()], |row| row.get(0))?;
    Ok(is_unsealed)
}

/// Gives a message another body that was not sealed yet.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn rewrite(tx: &Transaction<'_>, message: MessageId, body: &[u8], links: Links) -> Result<()> {
    tx.prepare_cached("UPDATE messages SET body = ?2, mentions_us = ?3 WHERE id = ?1")?
        .execute(params![message.as_bytes(), body, links.mentions_us])?;
    Ok(())
}

/// Makes a message that has failed one that was not sent yet, and counts it anew.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn requeue(tx: &Transaction<'_>, message: MessageId, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE messages SET status = 1, failure = NULL, number = NULL, previous = NULL,
            named_index = NULL, sent_at = ?2 WHERE id = ?1",
    )?
    .execute(params![message.as_bytes(), millis(now)])?;
    Ok(())
}

/// The oldest message of a conversation that is not sent.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn oldest(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Option<OutboxRow>> {
    let found = tx
        .prepare_cached(
            "SELECT message, envelope, compress, attempts, reseals FROM outbox
             WHERE conversation = ?1 ORDER BY place LIMIT 1",
        )?
        .query_row([conversation.as_bytes()], |row| {
            let row_of = OutboxRow {
                message: blob(row, "message")?,
                conversation,
                compression: if row.get("compress")? {
                    Compression::Allowed
                } else {
                    Compression::Never
                },
                envelope: None,
                attempts: row.get("attempts")?,
                reseals: row.get("reseals")?,
            };
            Ok((row_of, row.get::<_, Option<Vec<u8>>>("envelope")?))
        })
        .optional()?;
    let Some((mut oldest, sealed)) = found else { return Ok(None) };
    oldest.envelope = sealed
        .map(|bytes| from_bytes(&bytes))
        .transpose()
        .map_err(|error| Kind::StoreFailed.because(error))?;
    Ok(Some(oldest))
}

/// The conversations that have something to send, who has waited longest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn waiting(tx: &Transaction<'_>) -> Result<Vec<ConversationId>> {
    let statement = tx.prepare_cached(
        "SELECT place, conversation FROM outbox WHERE conversation > ?1
         ORDER BY conversation, place LIMIT 1",
    )?;
    let mut waiting =
        of_each_conversation(statement, |row, id| Ok((row.get::<_, i64>("place")?, id)))?;
    waiting.sort_unstable();
    Ok(waiting.into_iter().map(|(_, conversation)| conversation).collect())
}

/// Tells whether every message is sent.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn is_empty(tx: &Transaction<'_>) -> Result<bool> {
    let is_empty = tx
        .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM outbox)")?
        .query_row([], |row| row.get(0))?;
    Ok(is_empty)
}

/// Keeps the sealed bytes; from here on every attempt sends these.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn seal(tx: &Transaction<'_>, message: MessageId, envelope: &Envelope) -> Result<()> {
    tx.prepare_cached("UPDATE outbox SET state = 2, envelope = ?2 WHERE message = ?1")?
        .execute(params![message.as_bytes(), to_bytes(envelope)])?;
    Ok(())
}

/// Drops the sealed bytes, since the relay did not take them and never will.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn unseal(tx: &Transaction<'_>, message: MessageId) -> Result<()> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 1, envelope = NULL, reseals = reseals + 1 WHERE message = ?1",
    )?
    .execute([message.as_bytes()])?;
    Ok(())
}

/// Counts a failed attempt.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn count_failure(tx: &Transaction<'_>, message: MessageId) -> Result<()> {
    tx.prepare_cached("UPDATE outbox SET attempts = attempts + 1 WHERE message = ?1")?
        .execute([message.as_bytes()])?;
    Ok(())
}

/// Takes a message out; tells whether it was in.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn remove(tx: &Transaction<'_>, message: MessageId) -> Result<bool> {
    Ok(tx.prepare_cached("DELETE FROM outbox WHERE message = ?1")?.execute([message.as_bytes()])?
        == 1)
}

#[cfg(test)]
mod tests {
    use chat_core::membership::Policy;

    use super::*;
    use crate::stage::{Person, group};
    use crate::store::Place;

    #[tokio::test]
    async fn who_has_waited_longest_comes_first_and_each_comes_once() {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let carol = Person::new("carol", 3, Place::Memory).await;
        let first = group(&[&alice, &bob], Policy::DEFAULT).await;
        let second = group(&[&alice, &carol], Policy::DEFAULT).await;
        let third = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        let before = alice.store.read(waiting).await.unwrap();

        for chat in [third, first, third, second, first] {
            alice.says(chat, "in line").await;
        }

        assert_eq!(before, []);
        assert_eq!(alice.store.read(waiting).await.unwrap(), [third, first, second]);
        assert!(!alice.store.read(is_empty).await.unwrap());
        assert!(bob.store.read(is_empty).await.unwrap());
    }
}
