//! Reading a conversation's log as one device may.

use chat_core::api::conversations::{MessagePage, StoredMessage};
use chat_core::codec::{List, from_bytes};
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::limits::PAGE_MAX;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use futures_util::TryStreamExt as _;
use sqlx::query_as;

use super::row::{Sealed, fixed, one_more, signed, unsigned};
use super::{Connection, StorageError};
use crate::storage::READ_BYTES_MAX;

type MessageRow = (
    i64,
    i64,
    Vec<u8>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

pub(super) async fn read_after(
    connection: &mut Connection,
    address: DeviceAddress,
    conversation: ConversationId,
    after: Sequence,
    limit: usize,
    now: Timestamp,
) -> Result<MessagePage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    // What is due but not swept yet must not be read; its parts are not even fetched.
    let mut rows = query_as(
        "SELECT m.sequence, m.received_at, m.message, \
             CASE WHEN m.expires_at <= $5 THEN NULL ELSE m.header END, \
             CASE WHEN m.expires_at <= $5 THEN NULL ELSE m.commitment END, \
             CASE WHEN m.expires_at <= $5 THEN NULL ELSE m.payload END, \
             CASE WHEN m.expires_at <= $5 THEN NULL ELSE m.wraps END, m.deletion \
         FROM messages m WHERE m.conversation = $1 AND m.sequence > $3 AND EXISTS \
             (SELECT 1 FROM stays s WHERE s.conversation = $1 AND s.account = $2 \
              AND m.sequence >= s.first_sequence \
              AND (s.last_sequence IS NULL OR m.sequence <= s.last_sequence)) \
         ORDER BY m.sequence LIMIT $4",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(address.account.as_bytes().as_slice())
    .bind(signed(after))
    .bind(one_more(limit))
    .bind(signed(now.as_millis()))
    .fetch(connection);

    let (mut messages, mut bytes, mut more) = (Vec::new(), 0, false);
    while let Some(row) = rows.try_next().await? {
        if messages.len() == limit || bytes >= READ_BYTES_MAX {
            more = true;
            break;
        }
        let message = stored_message(row, address)?;
        bytes += message.envelope.as_ref().map_or(0, size);
        messages.push(message);
    }
    Ok(MessagePage { messages: List::new(messages)?, more })
}

fn stored_message(row: MessageRow, address: DeviceAddress) -> Result<StoredMessage, StorageError> {
    let (sequence, at, message, header, commitment, payload, wraps, deletion) = row;
    let sealed = match (header, commitment, payload, wraps) {
        (Some(header), Some(commitment), Some(payload), Some(wraps)) => {
            Some(Sealed { header, commitment, payload, wraps })
        }
        _ => None,
    };
    Ok(StoredMessage {
        sequence: unsigned(sequence)?,
        at: Timestamp::from_millis(unsigned(at)?),
        message: fixed(&message)?,
        envelope: sealed.map(|sealed| sealed.for_device(address)).transpose()?,
        deletion: deletion.map(|deletion| from_bytes(&deletion)).transpose()?,
    })
}

fn size(envelope: &chat_core::envelope::Envelope) -> usize {
    let wraps: usize = envelope.wraps.iter().map(|wrap| wrap.bytes.len()).sum();
    envelope.header.len() + envelope.payload.len() + wraps
}
