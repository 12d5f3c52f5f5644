//! Files become messages: shown here at once, sent when all of the file is up.

use std::io::SeekFrom;

use chat_core::id::MessageId;
use chat_crypto::attachment::AttachmentSealer;
use rusqlite::Transaction;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt as _};

use super::upload::Upload;
use super::{NewAttachment, Preview, thumbnail};
use crate::client::Client;
use crate::content::{Attachment, Content};
use crate::conversation::Conversation;
use crate::error::{Kind, Result};
use crate::message::Draft;
use crate::outbox;
use crate::store::uploads::{self, UploadRow};
use crate::tasks;

impl Conversation {
    /// Sends what `source` holds; ends when all of it is up and the message is in the outbox.
    ///
    /// To drop this is to pause: the message stays, and [`Client::uploads`] has the upload.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`] and [`Upload::run`].
    pub async fn send_attachment(
        &self,
        new: NewAttachment,
        source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
    ) -> Result<MessageId> {
        let upload = self.attach(new, source).await?;
        upload.run(source).await?;
        Ok(upload.message())
    }

    /// Puts a message with a file into the conversation, to be sent once the file is up: call
    /// [`Upload::run`] for that. What is said afterwards does not wait for it.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::TooLarge`] for a file, a name or a caption beyond the limits;
    /// [`Kind::SourceFailed`] if the source cannot be read.
    pub async fn attach(
        &self,
        new: NewAttachment,
        source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
    ) -> Result<Upload> {
        let unread = |error| Kind::SourceFailed.because(error);
        let size = source.seek(SeekFrom::End(0)).await.map_err(unread)?;
        let seen = match new.preview {
            Preview::IfImage if new.media_type.starts_with("image/") => look(source, size).await?,
            _ => None,
        };
        let (dimensions, thumbnail) = seen.unzip();
        let attachment = Attachment {
            caption: new.caption,
            file: None,
            size,
            media_type: new.media_type,
            name: new.name,
            dimensions,
            thumbnail,
        };
        let mut rng = self.hub.context.rng();
        let sealer =
            AttachmentSealer::new(size, &mut rng).map_err(|error| Kind::TooLarge.because(error))?;
        let row = UploadRow {
            message: MessageId::random(&mut rng),
            conversation: self.id,
            blob: None,
            done: 0,
            total: sealer.blob_length(),
            sealer: sealer.to_snapshot().into(),
            description: None,
            revision: 0,
        };
        let draft = Draft { timer: new.timer, ..Draft::of(Content::Attachment(attachment)) };
        let (own, now, kept) = (self.hub.context.own.clone(), self.hub.now(), row.clone());
        let begin = move |tx: &Transaction<'_>| {
            outbox::place(tx, &own, kept.conversation, kept.message, &draft, now)?;
            uploads::insert(tx, &kept)
        };
        self.hub.context.store.write(begin).await?;
        Ok(Upload::of(self.hub.clone(), &row))
    }
}

impl Client {
    /// The attachments that are not up yet, the oldest first: after a restart, an app opens their
    /// files again and calls [`Upload::run`], or [`Upload::cancel`].
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn uploads(&self) -> Result<Vec<Upload>> {
        let rows = self.hub.context.store.read(uploads::all).await?;
        Ok(rows.iter().map(|row| Upload::of(self.hub.clone(), row)).collect())
    }
}

/// Looks at an image, away from who else is served.
async fn look(
    source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
    size: u64,
) -> Result<Option<((u32, u32), crate::content::Thumbnail)>> {
    if size > thumbnail::IMAGE_BYTES_MAX {
        return Ok(None);
    }
    let unread = |error| Kind::SourceFailed.because(error);
    source.seek(SeekFrom::Start(0)).await.map_err(unread)?;
    let mut file = Vec::new();
    source.take(thumbnail::IMAGE_BYTES_MAX).read_to_end(&mut file).await.map_err(unread)?;
    let made = tasks::aside(move || thumbnail::of(&file)).await;
    // A decoder that panics has found no image.
    Ok(made.unwrap_or_default())
}
