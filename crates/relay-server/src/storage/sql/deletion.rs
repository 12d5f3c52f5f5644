//! Erasing one message by somebody's word.

use async_trait::async_trait;
use chat_core::codec::to_bytes;
use chat_core::deletion::{Deletion, SignedDeletion};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use sqlx::query;

use super::batch::place_of;
use super::naming::messages_gone;
use super::row::unsigned;
use super::{StorageError, Store};
use crate::storage::Expired;
use crate::storage::deletion::DeletionStorage;

#[async_trait]
impl DeletionStorage for Store {
    async fn sender_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Option<DeviceAddress>, StorageError> {
        read!(self, |connection| {
            let place = place_of(&mut connection, conversation, message).await?;
            Ok(place.map(|place| place.sender))
        })
    }

    async fn delete_message(
        &self,
        deletion: &Verified<Deletion>,
        now: Timestamp,
    ) -> Result<Option<Sequence>, StorageError> {
        let Deletion { conversation, message, author, .. } = **deletion;
        let sequence = write!(self, |transaction| {
            let place = place_of(&mut transaction, conversation, message).await?;
            let Some(place) = place else { return Ok(None) };
            let signed = SignedDeletion { signer: author, deletion: deletion.source().clone() };
            let erased = query(
                "UPDATE messages SET header = NULL, commitment = NULL, payload = NULL, \
                     wraps = NULL, expires_at = NULL, seen_timer_ms = NULL, deletion = $4 \
                 WHERE conversation = $1 AND sequence = $2 AND received_at = $3 \
                   AND header IS NOT NULL",
            )
            .bind(conversation.as_bytes().as_slice())
            .bind(place.sequence)
            .bind(place.received_at)
            .bind(to_bytes(&signed))
            .execute(&mut *transaction)
            .await?;
            if erased.rows_affected() == 0 {
                return Ok(None);
            }
            let sequence = unsigned(place.sequence)?;
            let gone = [Expired { conversation, sequence, message }];
            messages_gone(&mut transaction, &gone, now).await?;
            Ok(Some(sequence))
        })?;
        if sequence.is_some() {
            self.after_erasing(1).await;
        }
        Ok(sequence)
    }
}
