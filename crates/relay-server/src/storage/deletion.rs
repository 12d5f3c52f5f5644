//! The end of a message, for everybody and at once.

use async_trait::async_trait;
use chat_core::deletion::Deletion;
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;

use super::StorageError;

/// The verbs of deletion.
#[async_trait]
pub trait DeletionStorage: Send + Sync {
    /// Which device sent a message, if there is or was one of this id.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`], as below.
    async fn sender_of(
        &self,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Option<DeviceAddress>, StorageError>;

    /// Erases a message as [`Storage::expire_due`](super::Storage::expire_due) does, and keeps the
    /// deletion in its place; blobs that nothing else names are due `now`. Tells which place, if this
    /// call has erased it.
    ///
    /// One that is gone already, or never was, is no error and changes nothing.
    async fn delete_message(
        &self,
        deletion: &Verified<Deletion>,
        now: Timestamp,
    ) -> Result<Option<Sequence>, StorageError>;
}
