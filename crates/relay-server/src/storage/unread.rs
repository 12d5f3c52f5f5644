//! What an account has not seen, for its badges.

use async_trait::async_trait;
use chat_core::api::unread::UnreadConversation;
use chat_core::id::AccountId;

use super::StorageError;

/// The verb of badges.
#[async_trait]
pub trait UnreadStorage: Send + Sync {
    /// Up to `limit` conversations of `account` in which others have said something after the
    /// furthest *seen* receipt of any of its devices, in the order of their ids; in one question.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`].
    async fn unread(
        &self,
        account: AccountId,
        limit: usize,
    ) -> Result<Vec<UnreadConversation>, StorageError>;
}
