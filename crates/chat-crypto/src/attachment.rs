//! Attachments: files of any size up to 5 GiB, sealed and opened chunk by chunk.
//!
//! ```text
//!  file key (32, random) ─▶ commitment ─────────▶ header ┐
//!          │                                             ├─▶ blob, at the relay
//!          └─▶ run key ─▶ AES-256-GCM, STREAM ─▶ chunks ─┘    │
//!                                                             ▼
//!  description, inside sealed content  =  file key · size · digest
//! ```
//!
//! [`AttachmentSealer`] makes the blob, [`AttachmentOpener`] opens it while it arrives, and
//! [`AttachmentReader`] opens any part of it. All take and give slices of any length, hold at most
//! one chunk of 64 KiB, and go on from a snapshot. Nothing comes out that was not authenticated.
//! Normative: `docs/protocol/attachment.md`.
//!
//! Absent on purpose: names, types and thumbnails, which are content like any other; where blobs
//! are kept; files and sockets.
//!
//! ```
//! use chat_crypto::attachment::{AttachmentDescription, AttachmentOpener, AttachmentSealer};
//! # use rand_core::SeedableRng as _;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1); // in an app: the system's generator
//! # let photo = vec![7; 100_000];
//!
//! // Up: read a piece of the file, seal it, send what came out.
//! let mut sealer = AttachmentSealer::new(photo.len() as u64, &mut rng)?;
//! let (mut file, mut part) = (&photo[..], vec![0; 16 * 1024]);
//! let mut relay = Vec::new();
//! while !sealer.is_done() {
//!     let progress = sealer.seal(file, &mut part)?;
//!     file = &file[progress.consumed..];
//!     relay.extend_from_slice(&part[..progress.written]);
//! }
//! let description = sealer.finish()?.to_bytes(); // goes into the message
//!
//! // Down: feed what arrives, write what comes out.
//! let description = AttachmentDescription::from_bytes(&description)?;
//! let mut opener = AttachmentOpener::new(&description);
//! let mut saved = Vec::new();
//! for arrived in relay.chunks(1500) {
//!     let mut arrived = arrived;
//!     loop {
//!         let progress = opener.open(arrived, &mut part)?;
//!         arrived = &arrived[progress.consumed..];
//!         saved.extend_from_slice(&part[..progress.written]);
//!         if arrived.is_empty() && progress.written < part.len() {
//!             break;
//!         }
//!     }
//! }
//! opener.finish()?; // until here the file may be cut short: do not show it as a whole
//! assert_eq!(saved, photo);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod description;
mod keys;
mod layout;
mod opener;
mod opening;
mod pipe;
mod reader;
mod sealer;

use std::ops::Add;

pub use self::description::AttachmentDescription;
pub use self::layout::{CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES};
pub use self::opener::AttachmentOpener;
pub use self::reader::{AttachmentPart, AttachmentReader, OutOfRange};
pub use self::sealer::{AttachmentSealer, SealError};
use crate::snapshot::SnapshotError;

/// The blob is not the one that its description describes: changed, cut short, too long, mixed
/// with another, or under another key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the attachment is not authentic")]
pub struct NotAuthentic;

/// Why sealing or opening does not go on from a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The snapshot was not read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The snapshot is of the opening of another attachment.
    #[error("the snapshot belongs to another attachment")]
    Another,
    /// Sealing was restored as often as it may be: begin anew.
    #[error("the upload was interrupted too often; begin it anew")]
    TooOften,
}

/// How far one call got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// How many bytes of the input were taken; the rest has to be fed again.
    pub consumed: usize,
    /// How many bytes of the output were written, from its beginning.
    pub written: usize,
}

impl Add for Progress {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { consumed: self.consumed + other.consumed, written: self.written + other.written }
    }
}

/// Where work goes on after a restart, in bytes from the beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// In the content.
    pub content: u64,
    /// In the blob.
    pub blob: u64,
}

impl Position {
    /// Before `chunk`; before the header if it is the first.
    fn before(layout: &layout::Layout, chunk: u32) -> Self {
        let blob = if chunk == 0 { 0 } else { layout.start_in_blob(chunk) };
        Self { content: layout.content(chunk).start, blob }
    }
}
