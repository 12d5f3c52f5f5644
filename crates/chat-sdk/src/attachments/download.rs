//! A download: fetched part by part, opened, and written as it comes.
//!
//! ```text
//!  GET, half a megabyte ─▶ arrived ─▶ opener ─▶ opened, one chunk ─▶ whoever takes it
//! ```
//!
//! What was fetched and what was opened stay here until they are passed on, so a future that is
//! dropped loses nothing and the next goes on. Nothing comes out that was not authenticated; that
//! nothing is missing is known at the end only.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_crypto::attachment::{
    AttachmentOpener, AttachmentReader, CHUNK_BYTES, HEADER_BYTES, NotAuthentic, ResumeError,
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::Transferred;
use crate::client::Client;
use crate::content::{AttachedFile, Attachment};
use crate::error::{Error, Kind, Result};
use crate::hub::Hub;

/// How much is asked for at once.
const PART: u64 = 512 * 1024;
/// How often a part is asked for before the app is told.
const ATTEMPTS: u32 = 6;
/// The first pause between two attempts, doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Most bytes that [`Client::read_attachment`] gives.
pub const PART_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A place in the file, and what is needed to go on from there.
type Snapshot = (u64, Zeroizing<Vec<u8>>);

/// An attachment on its way down.
pub struct Download {
    hub: Arc<Hub>,
    file: AttachedFile,
    opener: AttachmentOpener,
    /// How many bytes of the blob were asked for and have come.
    fetched: u64,
    arrived: Bytes,
    /// Content that nobody has taken yet.
    opened: Zeroizing<Vec<u8>>,
    taken: usize,
    /// How to go on from before what is in `opened`.
    settled: Snapshot,
    given: u64,
    progress: watch::Sender<Transferred>,
}

impl Client {
    /// Begins to fetch an attachment; [`Download::write_to`] does the rest.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] for one that this device has not uploaded yet.
    pub fn download(&self, attachment: &Attachment) -> Result<Download> {
        let file = attachment.file.clone().ok_or(Kind::NotFound)?;
        let opener = AttachmentOpener::new(file.description());
        Ok(Download::of(Arc::clone(&self.hub), file, opener))
    }

    /// Goes on with a download after a restart, from [`Download::to_snapshot`]; what is given next
    /// belongs at [`Download::position`].
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for the snapshot of another attachment.
    pub fn resume_download(&self, attachment: &Attachment, snapshot: &[u8]) -> Result<Download> {
        let file = attachment.file.clone().ok_or(Kind::NotFound)?;
        let opener = AttachmentOpener::resume(file.description(), snapshot)
            .map_err(|error: ResumeError| Kind::ArgumentInvalid.because(error))?;
        Ok(Download::of(Arc::clone(&self.hub), file, opener))
    }

    /// Fetches a part of an attachment, as a player does that jumps about; at most
    /// [`PART_BYTES_MAX`].
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for a part that the file does not have, or a larger one;
    /// [`Kind::AttachmentNotAuthentic`], [`Kind::NotFound`], [`Kind::RelayUnreachable`].
    pub async fn read_attachment(
        &self,
        attachment: &Attachment,
        content: Range<u64>,
    ) -> Result<Vec<u8>> {
        let file = attachment.file.clone().ok_or(Kind::NotFound)?;
        let length = content.end.checked_sub(content.start).ok_or(Kind::ArgumentInvalid)?;
        if length > PART_BYTES_MAX {
            return Err(Kind::ArgumentInvalid.into());
        }
        let header = fetch(&self.hub, &file, 0, HEADER_BYTES as u64).await?;
        let header = header.as_ref().try_into().map_err(|_| forged(NotAuthentic))?;
        let reader = AttachmentReader::new(file.description(), header).map_err(forged)?;
        let mut part =
            reader.part(content).map_err(|error| Kind::ArgumentInvalid.because(error))?;
        let wanted = part.blob();
        let (mut at, mut given) = (wanted.start, 0);
        let mut read = vec![0; usize::try_from(length).map_err(|_| Kind::ArgumentInvalid)?];
        while at < wanted.end {
            let arrived = fetch(&self.hub, &file, at, PART.min(wanted.end - at)).await?;
            at += arrived.len() as u64;
            let mut rest = &arrived[..];
            while !rest.is_empty() {
                let into = read.get_mut(given..).unwrap_or_default();
                let step = part.open(rest, into).map_err(forged)?;
                rest = rest.get(step.consumed..).unwrap_or_default();
                given += step.written;
                if step.consumed == 0 && step.written == 0 {
                    return Err(forged(NotAuthentic));
                }
            }
        }
        part.finish().map_err(forged)?;
        Ok(read)
    }
}

impl Download {
    fn of(hub: Arc<Hub>, file: AttachedFile, opener: AttachmentOpener) -> Self {
        let position = opener.position();
        let total = file.description().size();
        let progress = watch::Sender::new(Transferred { done: position.content, total });
        let settled = snapshot(&opener);
        Self {
            hub,
            file,
            opener,
            fetched: position.blob,
            arrived: Bytes::new(),
            opened: Zeroizing::new(Vec::new()),
            taken: 0,
            settled,
            given: position.content,
            progress,
        }
    }

    /// How far it is, now and from now on.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Transferred> {
        self.progress.subscribe()
    }

    /// How many bytes of the file were given so far: where the next one belongs.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.given
    }

    /// What is needed to go on after a restart, beside the attachment, and the place in the file
    /// from where that will be: an app cuts off there what it has saved.
    #[must_use]
    pub fn to_snapshot(&self) -> (u64, Zeroizing<Vec<u8>>) {
        if self.taken == self.opened.len() { snapshot(&self.opener) } else { self.settled.clone() }
    }

    /// Writes what is still missing to `sink`. To drop this future is to pause; the next call goes
    /// on where this one was.
    ///
    /// **Until this has ended well the file may be cut short**: it is not to be shown as a whole.
    ///
    /// # Errors
    ///
    /// [`Kind::AttachmentNotAuthentic`] if the relay has given another blob, a changed one or not
    /// all of it; what was written is to be thrown away. [`Kind::NotFound`] if it is gone from the
    /// relay. [`Kind::SinkFailed`] if it cannot be written. [`Kind::RelayUnreachable`] and others
    /// that may pass, after several attempts: call again.
    pub async fn write_to(&mut self, sink: &mut (impl AsyncWrite + Unpin + Send)) -> Result<()> {
        loop {
            while let Some(rest) = self.opened.get(self.taken..).filter(|rest| !rest.is_empty()) {
                let written = sink.write(rest).await.map_err(unwritten)?;
                if written == 0 {
                    return Err(unwritten(std::io::ErrorKind::WriteZero.into()));
                }
                self.taken += written;
                self.given += written as u64;
                let total = self.file.description().size();
                self.progress.send_replace(Transferred { done: self.given, total });
            }
            if self.opener.is_done() {
                return sink.flush().await.map_err(unwritten);
            }
            self.open_more().await?;
        }
    }

    /// Opens until there is something to give; fetches when all that came is opened.
    ///
    /// Called when everything that was opened is taken.
    async fn open_more(&mut self) -> Result<()> {
        self.settled = snapshot(&self.opener);
        loop {
            self.opened.resize(CHUNK_BYTES, 0);
            self.taken = 0;
            let step = self.opener.open(&self.arrived, &mut self.opened);
            let step = step.inspect_err(|_| self.opened.clear()).map_err(forged)?;
            self.opened.truncate(step.written);
            let _ = self.arrived.split_to(step.consumed.min(self.arrived.len()));
            if step.written > 0 || self.opener.is_done() {
                return Ok(());
            }
            if self.arrived.is_empty() {
                let left = self.file.description().blob_length().saturating_sub(self.fetched);
                if left == 0 {
                    return Err(forged(NotAuthentic));
                }
                let part = fetch(&self.hub, &self.file, self.fetched, PART.min(left)).await?;
                self.fetched += part.len() as u64;
                self.arrived = part;
            } else if step.consumed == 0 {
                return Err(forged(NotAuthentic));
            }
        }
    }
}

fn snapshot(opener: &AttachmentOpener) -> Snapshot {
    (opener.position().content, opener.to_snapshot())
}

/// A part of the blob; an answer without a byte is no part.
async fn fetch(hub: &Hub, file: &AttachedFile, from: u64, bytes: u64) -> Result<Bytes> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match hub.context.relay.get_part(file.blob(), from, bytes).await {
            Ok(part) if part.is_empty() => return Err(forged(NotAuthentic)),
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                hub.context.clock.pause(error.retry_after().unwrap_or(pause)).await;
                pause = pause.saturating_mul(2);
                attempt += 1;
            }
            // The blob is shorter than the one that was described.
            Err(error) if is_behind_the_end(&error) => return Err(forged(NotAuthentic)),
            outcome => return outcome,
        }
    }
}

fn is_behind_the_end(error: &Error) -> bool {
    use chat_core::reject::RejectCode::RangeUnsatisfiable;
    error.reject().is_some_and(|reject| reject.code == RangeUnsatisfiable)
}

fn forged(error: NotAuthentic) -> Error {
    Kind::AttachmentNotAuthentic.because(error)
}

fn unwritten(error: std::io::Error) -> Error {
    Kind::SinkFailed.because(error)
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Download(..)")
    }
}
