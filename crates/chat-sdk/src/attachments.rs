//! Attachments: files go up while they are sealed and come down while they are opened.
//!
//! ```text
//!  file ─▶ sealer ─▶ pieces ─▶ relay        message: queued, shown here, held back
//!            └─▶ store: how to go on           └─ all of it is up ─▶ outbox ─▶ sent
//!
//!  relay ─▶ parts ─▶ opener ─▶ file         message: description, blob, thumbnail
//! ```
//!
//! Memory stays below two megabytes, whatever the size of the file (a thumbnail takes more while it
//! is made). An [`Upload`] is driven by whoever waits for [`Upload::run`]: to drop that future is to
//! pause, to call it again is to go on, after a restart too ([`Client::uploads`]). A [`Download`]
//! likewise.
//!
//! Nothing of a file is kept on this device but what its message holds: name, type, key and
//! thumbnail, in the encrypted store, and gone with the message. Where an app saves a file in the
//! clear is the app's to decide, and to erase.
//! Normative: `docs/protocol/{attachment,blobs,content}.md`.
//!
//! ```no_run
//! # async fn example(chat: chat_sdk::Conversation, client: chat_sdk::Client) -> chat_sdk::Result<()> {
//! use chat_sdk::{Content, Event, NewAttachment};
//!
//! let photo = NewAttachment::named("photo.jpg").media_type("image/jpeg").captioned("Look!");
//! chat.send_file("/home/alice/photo.jpg", photo).await?;
//!
//! let mut events = client.events();
//! while let Some(event) = events.next().await {
//!     let Event::Message(message) = event else { continue };
//!     let Content::Attachment(attachment) = &message.content else { continue };
//!     let mut saved = tokio::fs::File::create("saved.jpg").await.unwrap();
//!     client.download(attachment)?.write_to(&mut saved).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::uploads`]: crate::Client::uploads

mod download;
// A browser hands out files itself, and they are read through `AsyncRead`.
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod sending;
mod thumbnail;
mod upload;

pub use self::download::{Download, PART_BYTES_MAX};
pub use self::upload::Upload;
use crate::content::Text;
use crate::message::Timer;

/// How far an upload or a download is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transferred {
    /// How many bytes are there.
    pub done: u64,
    /// How many there will be. Of an upload these are the blob's, which is a little longer than the
    /// file.
    pub total: u64,
}

/// A file that is to be sent.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    pub(crate) name: Option<String>,
    pub(crate) media_type: String,
    pub(crate) caption: Text,
    pub(crate) timer: Option<Timer>,
    pub(crate) preview: Preview,
}

/// Whether an image gets a thumbnail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Preview {
    /// If it is an image of a kind that is known here.
    IfImage,
    /// It does not.
    Never,
}

impl NewAttachment {
    /// A file with a name, which the recipients see and the relay does not.
    ///
    /// Only the last part of a path is taken.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let name = name.rsplit(['/', '\\']).next().filter(|name| !name.is_empty());
        Self { name: name.map(str::to_owned), ..Self::unnamed() }
    }

    /// A file without a name, such as a recording.
    #[must_use]
    pub fn unnamed() -> Self {
        Self {
            name: None,
            media_type: "application/octet-stream".into(),
            caption: Text::default(),
            timer: None,
            preview: Preview::IfImage,
        }
    }

    /// The same, of this media type, such as `image/jpeg`.
    #[must_use]
    pub fn media_type(self, media_type: impl Into<String>) -> Self {
        Self { media_type: media_type.into(), ..self }
    }

    /// The same, with words beside it, or with a [`Text`] that answers, mentions, or belongs to a
    /// thread.
    #[must_use]
    pub fn captioned(self, caption: impl Into<String>) -> Self {
        Self { caption: Text { text: caption.into(), ..self.caption }, ..self }
    }

    /// The same, as an answer to a message.
    #[must_use]
    pub fn replying_to(mut self, message: chat_core::id::MessageId) -> Self {
        self.caption.reply_to = Some(message);
        self
    }

    /// The same, in the thread that `first` began.
    #[must_use]
    pub fn in_thread(mut self, first: chat_core::id::MessageId) -> Self {
        self.caption.thread = Some(first);
        self
    }

    /// The same, to vanish: message, blob, key and thumbnail.
    #[must_use]
    pub fn expiring(self, timer: Timer) -> Self {
        Self { timer: Some(timer), ..self }
    }

    /// The same, without a thumbnail even if it is an image.
    #[must_use]
    pub fn without_thumbnail(self) -> Self {
        Self { preview: Preview::Never, ..self }
    }
}
