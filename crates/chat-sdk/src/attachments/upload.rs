//! An upload: read, sealed and sent piece by piece, and written down after each.
//!
//! ```text
//!  source ─seek─▶ chunk ─▶ sealer ─▶ piece ─▶ PUT ─▶ store: snapshot, position
//!     ▲                                        │
//!     └──────── dropped, restarted ◀───────────┘ the relay takes an earlier offset again
//! ```
//!
//! A piece ends where a chunk ends, so the snapshot after it loses nothing. The bytes that a sealer
//! makes after it was restored are others than those before (ADR 0012), so what the relay has
//! beyond the snapshot is replaced.

use std::fmt;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::{BlobId, ConversationId, MessageId};
use chat_core::reject::RejectCode;
use chat_crypto::attachment::{
    AttachmentDescription, AttachmentSealer, CHUNK_BYTES, HEADER_BYTES, Progress, ResumeError,
    SEALED_CHUNK_BYTES,
};
use rusqlite::Transaction;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt as _};
use tokio::sync::watch;

use super::Transferred;
use crate::content::{AttachedFile, Content};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::message::Compression;
use crate::outbox;
use crate::store::uploads::{self, UploadRow};
use crate::store::{messages, outbox as rows, unreadable};

/// How many chunks go into a piece: half a megabyte, which a slow line carries in a request's time.
const CHUNKS_A_PIECE: usize = 8;
/// How often a piece is tried before the app is told.
const ATTEMPTS: u32 = 6;
/// The first pause between two attempts, doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// An attachment on its way up.
pub struct Upload {
    hub: Arc<Hub>,
    conversation: ConversationId,
    message: MessageId,
    progress: watch::Sender<Transferred>,
}

impl Upload {
    pub(super) fn of(hub: Arc<Hub>, row: &UploadRow) -> Self {
        let progress = watch::Sender::new(Transferred { done: row.done, total: row.total });
        Self { hub, conversation: row.conversation, message: row.message, progress }
    }

    /// The message that waits for it.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// Where that goes.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// How far it is, now and from now on; [`Event::Transferred`] tells the same.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Transferred> {
        self.progress.subscribe()
    }

    /// Uploads what is still missing, and puts the message into the outbox when nothing is.
    ///
    /// `source` is what [`Conversation::attach`](crate::Conversation::attach) was given, or the same
    /// file opened again; it is read from where the upload stands. To drop this future is to pause.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`] and others that may pass, after several attempts: call again.
    /// [`Kind::SourceFailed`] if the source cannot be read, [`Kind::SourceChanged`] if it has
    /// another length; [`Kind::NotFound`] if the message is gone; [`Kind::Conflict`] if the same
    /// upload runs elsewhere; [`Kind::QuotaExceeded`], [`Kind::TooLarge`].
    pub async fn run(
        &self,
        source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
    ) -> Result<()> {
        let mut begun = 0;
        loop {
            let mut row = self.load().await?;
            let blob = match row.blob {
                Some(blob) => blob,
                None => self.reserve(&mut row).await?,
            };
            if let Some(description) = self.was_completed(&row, blob).await? {
                return self.finish(blob, description).await;
            }
            match self.carry(&mut row, blob, source).await {
                // The relay has less than it said it had, or lost it: all of it goes up again.
                Err(error) if is_lost(&error) && begun < ATTEMPTS => {
                    begun += 1;
                    self.begin_anew(&mut row).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Gives it up: the message is gone, as if it had never been written.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`]. That the relay could not be told is none: it forgets what nobody
    /// names after a day.
    pub async fn cancel(self) -> Result<()> {
        let (message, conversation, now) = (self.message, self.conversation, self.hub.now());
        let take_back = move |tx: &Transaction<'_>| {
            let row = uploads::load(tx, message)?;
            if row.is_some() {
                outbox::take_back(tx, conversation, message, now)?;
            }
            Ok(row.and_then(|row| row.blob))
        };
        let blob = self.hub.context.store.write(take_back).await?;
        self.hub.context.store.scrub().await.or_else(|error| match error.kind() {
            Kind::StoreBusy => Ok(()),
            _ => Err(error),
        })?;
        if let Some(blob) = blob {
            let _ = self.hub.context.relay.delete_blob(blob).await;
        }
        Ok(())
    }

    async fn load(&self) -> Result<UploadRow> {
        let message = self.message;
        let row = self.hub.context.store.read(move |tx| uploads::load(tx, message)).await?;
        row.ok_or_else(|| Kind::NotFound.into())
    }

    async fn keep(&self, row: &mut UploadRow) -> Result<()> {
        let kept = row.clone();
        row.revision = self.hub.context.store.write(move |tx| uploads::advance(tx, &kept)).await?;
        Ok(())
    }

    async fn reserve(&self, row: &mut UploadRow) -> Result<BlobId> {
        let mut attempts = 0;
        let blob = loop {
            match self.hub.context.relay.create_blob(row.total).await {
                Ok(created) => break created.blob,
                Err(error) => self.pause(&mut attempts, error).await?,
            }
        };
        row.blob = Some(blob);
        self.keep(row).await?;
        Ok(blob)
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// `error` itself, if waiting does not help or has not helped.
    async fn pause(&self, attempts: &mut u32, error: Error) -> Result<()> {
        *attempts += 1;
        if !error.is_transient() || *attempts >= ATTEMPTS {
            return Err(error);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << *attempts);
        self.hub.context.clock.pause(error.retry_after().unwrap_or(pause)).await;
        Ok(())
    }

    /// The description of an upload whose last piece was sent, and arrived, before a restart.
    async fn was_completed(
        &self,
        row: &UploadRow,
        blob: BlobId,
    ) -> Result<Option<AttachmentDescription>> {
        let Some(description) = &row.description else { return Ok(None) };
        let mut attempts = 0;
        let stands = loop {
            match self.hub.context.relay.upload_of(blob).await {
                Ok(stands) => break stands,
                Err(error) if is_lost(&error) => return Ok(None),
                Err(error) => self.pause(&mut attempts, error).await?,
            }
        };
        if stands.offset < stands.bytes {
            return Ok(None);
        }
        AttachmentDescription::from_bytes(description.as_bytes()).map(Some).map_err(unreadable)
    }

    async fn begin_anew(&self, row: &mut UploadRow) -> Result<()> {
        let size = self.size(row).await?;
        let sealer = AttachmentSealer::new(size, &mut self.hub.context.rng())
            .map_err(|error| Kind::TooLarge.because(error))?;
        row.sealer = sealer.to_snapshot().into();
        (row.blob, row.done, row.description) = (None, 0, None);
        self.keep(row).await
    }

    async fn size(&self, row: &UploadRow) -> Result<u64> {
        let message = row.message;
        let stored = self.hub.context.store.read(move |tx| messages::load(tx, message)).await?;
        let stored = stored.ok_or(Kind::NotFound)?;
        match Content::read(&stored.kind, &stored.body) {
            Content::Attachment(attachment) => Ok(attachment.size),
            _ => Err(Kind::Internal.into()),
        }
    }

    /// Carries everything from where the row stands to the relay, and ends the upload.
    async fn carry(
        &self,
        row: &mut UploadRow,
        blob: BlobId,
        source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
    ) -> Result<()> {
        let size = self.size(row).await?;
        let mut sealer =
            match AttachmentSealer::resume(row.sealer.as_bytes(), &mut self.hub.context.rng()) {
                Err(ResumeError::TooOften) => return Err(Kind::NotFound.because(Lost)),
                outcome => outcome.map_err(unreadable)?,
            };
        let length = source.seek(SeekFrom::End(0)).await.map_err(unread)?;
        if length != size {
            return Err(Kind::SourceChanged.into());
        }
        source.seek(SeekFrom::Start(sealer.position().content)).await.map_err(unread)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let at = sealer.position().blob;
            let piece = seal_piece(&mut sealer, size, source, &mut chunk).await?;
            let end = at.saturating_add(piece.len() as u64);
            if sealer.is_done() {
                let description = sealer.finish().map_err(|error| Kind::Internal.because(error))?;
                // Once the relay has this piece, no other can take its place: what it was is
                // written down before it goes.
                row.description = Some(description.to_bytes().into());
                self.keep(row).await?;
                self.put(blob, at, end, piece).await?;
                row.done = end;
                self.tell(row);
                return self.finish(blob, description).await;
            }
            self.put(blob, at, end, piece).await?;
            row.sealer = sealer.to_snapshot().into();
            (row.done, row.description) = (end, None);
            self.keep(row).await?;
            self.tell(row);
        }
    }

    async fn put(&self, blob: BlobId, at: u64, end: u64, piece: Vec<u8>) -> Result<()> {
        let mut attempts = 0;
        loop {
            match self.hub.context.relay.put_piece(blob, at, piece.clone()).await {
                Ok(_) => return Ok(()),
                // An answer got lost, and these very bytes are there. Before the first attempt it
                // would be others, from before a restart.
                Err(error) if attempts > 0 && stands_at(&error) == Some(end) => return Ok(()),
                Err(error) => self.pause(&mut attempts, error).await?,
            }
        }
    }

    /// The message is whole: into the outbox with it, in the transaction that ends the upload.
    async fn finish(&self, blob: BlobId, description: AttachmentDescription) -> Result<()> {
        let (message, conversation) = (self.message, self.conversation);
        let complete = move |tx: &Transaction<'_>| {
            let row = messages::load(tx, message)?.ok_or(Kind::NotFound)?;
            let Content::Attachment(mut attachment) = Content::read(&row.kind, &row.body) else {
                return Err(Kind::Internal.into());
            };
            attachment.file = Some(AttachedFile::new(blob, description));
            messages::set_body(tx, message, &Content::Attachment(attachment).to_body()?)?;
            uploads::remove(tx, message)?;
            rows::push(tx, message, conversation, Compression::Never)
        };
        self.hub.context.store.write(complete).await?;
        self.hub.nudge.notify_one();
        Ok(())
    }

    fn tell(&self, row: &UploadRow) {
        let transferred = Transferred { done: row.done, total: row.total };
        self.progress.send_replace(transferred);
        let (conversation, message) = (self.conversation, self.message);
        self.hub.emit(Event::Transferred { conversation, message, transferred });
    }
}

/// Reads and seals as many whole chunks as a piece holds.
async fn seal_piece(
    sealer: &mut AttachmentSealer,
    size: u64,
    source: &mut (impl AsyncRead + Unpin),
    chunk: &mut [u8],
) -> Result<Vec<u8>> {
    let mut piece = vec![0; HEADER_BYTES + CHUNKS_A_PIECE * SEALED_CHUNK_BYTES];
    let mut filled = 0;
    for _ in 0..CHUNKS_A_PIECE {
        let at = sealer.position();
        let header = if at.blob == 0 { HEADER_BYTES } else { 0 };
        let room = sealer.blob_length().saturating_sub(at.blob);
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(header + SEALED_CHUNK_BYTES);
        let content = usize::try_from(size.saturating_sub(at.content)).unwrap_or(usize::MAX);
        let content = chunk.get_mut(..content.min(CHUNK_BYTES)).ok_or(Kind::Internal)?;
        source.read_exact(content).await.map_err(unread)?;
        let window = piece.get_mut(filled..filled + room).ok_or(Kind::Internal)?;
        seal_chunk(sealer, content, window)?;
        filled += room;
        if sealer.is_done() {
            break;
        }
    }
    piece.truncate(filled);
    Ok(piece)
}

fn seal_chunk(sealer: &mut AttachmentSealer, content: &[u8], mut window: &mut [u8]) -> Result<()> {
    let mut content = content;
    while !window.is_empty() {
        let step = sealer.seal(content, window).map_err(|error| Kind::Internal.because(error))?;
        if step == Progress::default() {
            return Err(Kind::Internal.into());
        }
        content = content.get(step.consumed..).unwrap_or_default();
        window = window.split_at_mut(step.written).1;
    }
    Ok(())
}

/// Where the relay says that the upload stands.
fn stands_at(error: &Error) -> Option<u64> {
    error.reject().filter(|reject| reject.code == RejectCode::WrongOffset)?.offset
}

/// The relay does not have what the upload goes on from.
fn is_lost(error: &Error) -> bool {
    let is_gone = error.reject().is_some_and(|reject| reject.code == RejectCode::NotFound);
    let was_interrupted =
        std::error::Error::source(error).is_some_and(|source| source.is::<Lost>());
    is_gone || was_interrupted || stands_at(error).is_some()
}

/// Why an upload begins anew though the relay has its beginning.
#[derive(Debug, thiserror::Error)]
#[error("the upload was interrupted too often to go on")]
struct Lost;

fn unread(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Kind::SourceChanged.because(error),
        _ => Kind::SourceFailed.because(error),
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("message", &self.message).finish_non_exhaustive()
    }
}
