//! Appending to SQLite: row by row, since the only writer is here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chat_core::codec::{Digest, to_bytes};
use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use sqlx::{query, query_as};

use super::super::row::{address, fixed, signed, timers, unsigned};
use super::Connection;
use crate::storage::{AppendError, Appended, Freshness, NewMessage, StorageError};

/// Where a conversation stands while a batch is appended to it.
struct Head {
    index: u64,
    digest: Digest,
    last: Sequence,
    is_moved: bool,
}

pub(super) async fn append(
    connection: &mut Connection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
    let mut heads: BTreeMap<ConversationId, Option<Head>> = BTreeMap::new();
    let mut answers = Vec::with_capacity(messages.len());
    for message in messages {
        let conversation = message.header.conversation;
        let head = match heads.entry(conversation) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(head(connection, conversation).await?),
        };
        answers.push(match head {
            Some(head) => append_one(connection, head, message, now).await?,
            None => Err(AppendError::NotFound),
        });
    }
    for (conversation, head) in heads {
        let Some(head) = head.filter(|head| head.is_moved) else { continue };
        query("UPDATE conversations SET last = $2 WHERE id = $1")
            .bind(conversation.as_bytes().as_slice())
            .bind(signed(head.last))
            .execute(&mut *connection)
            .await?;
    }
    Ok(answers)
}

async fn head(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<Option<Head>, StorageError> {
    let found: Option<(i64, Vec<u8>, i64)> =
        query_as("SELECT head_index, head, last FROM conversations WHERE id = $1")
            .bind(conversation.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let Some((index, digest, last)) = found else { return Ok(None) };
    let (index, last) = (unsigned(index)?, unsigned(last)?);
    Ok(Some(Head { index, digest: fixed(&digest)?, last, is_moved: false }))
}

async fn append_one(
    connection: &mut Connection,
    head: &mut Head,
    message: &NewMessage,
    now: Timestamp,
) -> Result<Result<Appended, AppendError>, StorageError> {
    let header = &message.header;
    let is_current = header.membership_index == head.index && header.membership_head == head.digest;
    let sequence = head.last.saturating_add(1);
    if is_current && insert(connection, message, sequence, now).await? {
        head.last = sequence;
        head.is_moved = true;
        return Ok(Ok(Appended { sequence, at: now, freshness: Freshness::New }));
    }
    known(connection, message).await
}

/// Tells whether the message went in; if not, one of this id was there.
async fn insert(
    connection: &mut Connection,
    message: &NewMessage,
    sequence: Sequence,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let NewMessage { header, envelope, .. } = message;
    let (expires_at, seen_timer_ms) = timers(header, now);
    let inserted = query(
        "INSERT INTO messages (conversation, sequence, message, sender_account, sender_device, \
             received_at, expires_at, seen_timer_ms, header, commitment, payload, wraps) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (conversation, message) DO NOTHING",
    )
    .bind(header.conversation.as_bytes().as_slice())
    .bind(signed(sequence))
    .bind(header.message.as_bytes().as_slice())
    .bind(header.sender.account.as_bytes().as_slice())
    .bind(header.sender.device.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .bind(expires_at)
    .bind(seen_timer_ms)
    .bind(&*envelope.header)
    .bind(envelope.commitment.as_bytes().as_slice())
    .bind(&*envelope.payload)
    .bind(to_bytes(&envelope.wraps))
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Where a resent message stands; a new one was sealed for a head that is no longer.
async fn known(
    connection: &mut Connection,
    message: &NewMessage,
) -> Result<Result<Appended, AppendError>, StorageError> {
    let found: Option<(i64, i64, Vec<u8>, Vec<u8>)> = query_as(
        "SELECT sequence, received_at, sender_account, sender_device FROM messages \
         WHERE conversation = $1 AND message = $2",
    )
    .bind(message.header.conversation.as_bytes().as_slice())
    .bind(message.header.message.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    let Some((sequence, at, account, device)) = found else {
        return Ok(Err(AppendError::StaleMembership));
    };
    if address(&account, &device)? != message.header.sender {
        return Ok(Err(AppendError::Conflict));
    }
    Ok(Ok(Appended {
        sequence: unsigned(sequence)?,
        at: Timestamp::from_millis(unsigned(at)?),
        freshness: Freshness::Duplicate,
    }))
}
