//! Adding wraps to messages: a row is read, its wraps grow, the row is written.
//!
//! ```text
//!  by sequence ──▶ lock the row ──▶ one for this recipient and epoch? ──no──▶ column wraps, with it
//! ```
//!
//! The wraps stay in their message's row, so that they go wherever, and whenever, it goes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chat_core::api::conversations::AddedWrap;
use chat_core::codec::from_bytes;
use chat_core::envelope::{Header, Suite, Wrap};
use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use sqlx::{query, query_as};

use super::row::{signed, with_wraps};
use super::{Connection, StorageError, Store};
use crate::storage::rewrap::RewrapStorage;

#[async_trait]
impl RewrapStorage for Store {
    async fn add_wraps(
        &self,
        conversation: ConversationId,
        wraps: &[AddedWrap],
    ) -> Result<u64, StorageError> {
        // Rows are locked in the order of their sequences, whoever gives: nobody waits in a circle.
        let mut by_message: BTreeMap<Sequence, Vec<&Wrap>> = BTreeMap::new();
        for AddedWrap { sequence, wrap } in wraps {
            by_message.entry(*sequence).or_default().push(wrap);
        }
        grow!(self, |transaction| {
            let mut added = 0;
            for (sequence, wraps) in &by_message {
                added += add(&mut transaction, conversation, *sequence, wraps).await?;
            }
            Ok(added)
        })
    }
}

/// Adds to one message, and tells how many were news to it.
async fn add(
    connection: &mut Connection,
    conversation: ConversationId,
    sequence: Sequence,
    wraps: &[&Wrap],
) -> Result<u64, StorageError> {
    // What destroys itself is not even looked at: a sweep need not wait for this.
    let found: Option<(i64, Vec<u8>, Vec<u8>)> = query_as(concat!(
        "SELECT received_at, header, wraps FROM messages \
         WHERE conversation = $1 AND sequence = $2 AND header IS NOT NULL \
           AND expires_at IS NULL AND seen_timer_ms IS NULL",
        for_update!()
    ))
    .bind(conversation.as_bytes().as_slice())
    .bind(signed(sequence))
    .fetch_optional(&mut *connection)
    .await?;
    let Some((received_at, header, column)) = found else { return Ok(0) };
    let header: Header = from_bytes(&header)?;
    if header.suite != Suite::Signed {
        return Ok(0);
    }
    let (column, added) = with_wraps(&column, wraps)?;
    if added > 0 {
        query(
            "UPDATE messages SET wraps = $4 \
             WHERE conversation = $1 AND sequence = $2 AND received_at = $3",
        )
        .bind(conversation.as_bytes().as_slice())
        .bind(signed(sequence))
        .bind(received_at)
        .bind(column)
        .execute(connection)
        .await?;
    }
    Ok(added)
}
