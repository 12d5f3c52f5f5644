//! Appending to PostgreSQL: two statements for a whole batch, whatever its size.
//!
//! ```text
//!  1  SELECT … ORDER BY id FOR NO KEY UPDATE     the conversations' rows, locked in one order
//!  2  WITH input, known, fresh, stored, noted,   what was there, what is new, its sequences, the
//!     moved SELECT …                             rows, their ids, and the conversations' new ends
//! ```
//!
//! They are two because a statement sees the database as it was when it began: one that waited for
//! a lock would not see the messages that were stored meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chat_core::codec::{Digest, to_bytes};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use sqlx::{FromRow, query_as};

use super::super::row::{address, fixed, signed, timers, unsigned};
use super::Connection;
use crate::storage::{AppendError, Appended, Freshness, NewMessage, StorageError};

/// The last membership entry of each conversation.
type Heads = BTreeMap<ConversationId, (u64, Digest)>;

pub(super) async fn append(
    connection: &mut Connection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
    let heads = lock(connection, messages).await?;
    let batch = Batch::of(messages, &heads, now);
    let places = batch.store(connection, now).await?;
    let mut answered = BTreeSet::new();
    let answer = |message: &NewMessage| {
        let key = (message.header.conversation, message.header.message);
        if !heads.contains_key(&message.header.conversation) {
            return Err(AppendError::NotFound);
        }
        let place = places.get(&key).ok_or(AppendError::StaleMembership)?;
        if place.sender != message.header.sender {
            return Err(AppendError::Conflict);
        }
        let is_new = place.freshness == Freshness::New && answered.insert(key);
        let freshness = if is_new { Freshness::New } else { Freshness::Duplicate };
        Ok(Appended { sequence: place.sequence, at: place.at, freshness })
    };
    Ok(messages.iter().map(answer).collect())
}

/// Locks the conversations' rows, in an order that all nodes keep to.
async fn lock(connection: &mut Connection, messages: &[NewMessage]) -> Result<Heads, StorageError> {
    let ids: BTreeSet<_> = messages.iter().map(|message| message.header.conversation).collect();
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query_as(concat!(
        "SELECT id, head_index, head FROM conversations WHERE id = ANY($1) ORDER BY id",
        for_update!()
    ))
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|(id, index, head)| Ok((fixed(id)?, (unsigned(*index)?, fixed(head)?))))
        .collect()
}

/// The messages of a batch, a column each, as UNNEST takes them.
#[derive(Default)]
struct Batch<'a> {
    number: Vec<i64>,
    is_current: Vec<bool>,
    conversation: Vec<&'a [u8]>,
    message: Vec<&'a [u8]>,
    sender_account: Vec<&'a [u8]>,
    sender_device: Vec<&'a [u8]>,
    expires_at: Vec<Option<i64>>,
    seen_timer_ms: Vec<Option<i64>>,
    header: Vec<&'a [u8]>,
    commitment: Vec<&'a [u8]>,
    payload: Vec<&'a [u8]>,
    wraps: Vec<Vec<u8>>,
}

impl<'a> Batch<'a> {
    /// Each message of a known conversation once; those that cannot be stored without their parts.
    fn of(messages: &'a [NewMessage], heads: &Heads, now: Timestamp) -> Self {
        let mut batch = Self::default();
        let mut seen = BTreeSet::new();
        for NewMessage { header, envelope, .. } in messages {
            let Some((index, head)) = heads.get(&header.conversation) else { continue };
            if !seen.insert((header.conversation, header.message)) {
                continue;
            }
            let is_current = header.membership_index == *index && header.membership_head == *head;
            let part = |bytes: &'a [u8]| if is_current { bytes } else { &[] };
            let (expires_at, seen_timer_ms) = timers(header, now);
            batch.number.push(i64::try_from(batch.number.len()).unwrap_or(i64::MAX));
            batch.is_current.push(is_current);
            batch.conversation.push(header.conversation.as_bytes());
            batch.message.push(header.message.as_bytes());
            batch.sender_account.push(header.sender.account.as_bytes());
            batch.sender_device.push(header.sender.device.as_bytes());
            batch.expires_at.push(expires_at);
            batch.seen_timer_ms.push(seen_timer_ms);
            batch.header.push(part(&envelope.header));
            batch.commitment.push(part(envelope.commitment.as_bytes()));
            batch.payload.push(part(&envelope.payload));
            batch.wraps.push(if is_current { to_bytes(&envelope.wraps) } else { Vec::new() });
        }
        batch
    }

    /// Stores what is new, and tells where each message stands that is new or was known.
    async fn store(
        self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> Result<Places, StorageError> {
        if self.number.is_empty() {
            return Ok(Places::new());
        }
        let rows: Vec<PlaceRow> = query_as(STORE)
            .bind(self.number)
            .bind(self.is_current)
            .bind(self.conversation)
            .bind(self.message)
            .bind(self.sender_account)
            .bind(self.sender_device)
            .bind(self.expires_at)
            .bind(self.seen_timer_ms)
            .bind(self.header)
            .bind(self.commitment)
            .bind(self.payload)
            .bind(self.wraps)
            .bind(signed(now.as_millis()))
            .fetch_all(connection)
            .await?;
        rows.iter().map(PlaceRow::read).collect()
    }
}

const STORE: &str = "\
WITH input AS (
    SELECT * FROM UNNEST($1::bigint[], $2::boolean[], $3::bytea[], $4::bytea[], $5::bytea[],
                         $6::bytea[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[],
                         $11::bytea[], $12::bytea[])
        AS i (number, is_current, conversation, message, sender_account, sender_device,
              expires_at, seen_timer_ms, header, commitment, payload, wraps)
), known AS (
    SELECT m.conversation, m.message, m.sequence, m.received_at, m.sender_account, m.sender_device
    FROM input i JOIN message_ids m ON m.conversation = i.conversation AND m.message = i.message
), fresh AS (
    SELECT i.*, c.last + row_number() OVER (PARTITION BY i.conversation ORDER BY i.number)
        AS sequence
    FROM input i JOIN conversations c ON c.id = i.conversation
    WHERE i.is_current AND NOT EXISTS
        (SELECT 1 FROM known k WHERE k.conversation = i.conversation AND k.message = i.message)
), stored AS (
    INSERT INTO messages (conversation, sequence, message, sender_account, sender_device,
        received_at, expires_at, seen_timer_ms, header, commitment, payload, wraps)
    SELECT conversation, sequence, message, sender_account, sender_device,
        $13, expires_at, seen_timer_ms, header, commitment, payload, wraps
    FROM fresh
    RETURNING conversation, message, sequence, received_at, sender_account, sender_device
), noted AS (
    INSERT INTO message_ids
        (conversation, message, sequence, received_at, sender_account, sender_device)
    SELECT conversation, message, sequence, $13, sender_account, sender_device FROM fresh
), moved AS (
    UPDATE conversations c SET last = f.last
    FROM (SELECT conversation, max(sequence) AS last FROM fresh GROUP BY conversation) f
    WHERE c.id = f.conversation
)
SELECT *, TRUE AS is_new FROM stored UNION ALL SELECT *, FALSE FROM known";

#[derive(FromRow)]
struct PlaceRow {
    conversation: Vec<u8>,
    message: Vec<u8>,
    sequence: i64,
    received_at: i64,
    sender_account: Vec<u8>,
    sender_device: Vec<u8>,
    is_new: bool,
}

/// Where a message stands, and whose it is.
struct Place {
    sequence: Sequence,
    at: Timestamp,
    sender: DeviceAddress,
    freshness: Freshness,
}

type Places = HashMap<(ConversationId, MessageId), Place>;

impl PlaceRow {
    fn read(&self) -> Result<((ConversationId, MessageId), Place), StorageError> {
        let place = Place {
            sequence: unsigned(self.sequence)?,
            at: Timestamp::from_millis(unsigned(self.received_at)?),
            sender: address(&self.sender_account, &self.sender_device)?,
            freshness: if self.is_new { Freshness::New } else { Freshness::Duplicate },
        };
        Ok(((fixed(&self.conversation)?, fixed(&self.message)?), place))
    }
}
