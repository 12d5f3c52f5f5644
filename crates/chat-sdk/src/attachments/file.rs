//! Files by their path, where there are paths.

use chat_core::id::MessageId;

use super::NewAttachment;
use crate::conversation::Conversation;
use crate::error::{Kind, Result};

impl Conversation {
    /// Sends a file of this device; as [`Self::send_attachment`].
    ///
    /// # Errors
    ///
    /// [`Kind::SourceFailed`] if it cannot be read, and as [`Self::send_attachment`].
    pub async fn send_file(
        &self,
        path: impl AsRef<std::path::Path> + Send,
        new: NewAttachment,
    ) -> Result<MessageId> {
        let opened = tokio::fs::File::open(path.as_ref()).await;
        let mut file = opened.map_err(|error| Kind::SourceFailed.because(error))?;
        self.send_attachment(new, &mut file).await
    }
}
