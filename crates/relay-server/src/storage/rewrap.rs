//! The past, for members who came later: wraps that are added to messages which are there.

use async_trait::async_trait;
use chat_core::api::conversations::AddedWrap;
use chat_core::id::ConversationId;

use super::StorageError;

/// The verb of rewrapping.
#[async_trait]
pub trait RewrapStorage: Send + Sync {
    /// Adds each wrap to its message, all in one transaction, and tells how many were news.
    ///
    /// A message has one wrap for a recipient and an epoch: the first stays, whoever made it. Passed
    /// over is also a wrap of a message that is gone or never was, that destroys itself, or whose
    /// suite is not [`Suite::Signed`](chat_core::envelope::Suite::Signed), and what would be more
    /// than [`WRAPS_MAX`](chat_core::limits::WRAPS_MAX).
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`] or [`StorageError::Full`]: none of them is added, as far as the
    /// backend could tell.
    async fn add_wraps(
        &self,
        conversation: ConversationId,
        wraps: &[AddedWrap],
    ) -> Result<u64, StorageError>;
}
