//! Opening any part of a blob: what a player needs to jump in a film.
//!
//! ```text
//!  content   ──────────┤ wanted ├───────────────
//!  blob      ─────┤ chunk ┼ chunk ┼ chunk ├─────      to be fetched
//! ```
//!
//! The header is checked first; with it, the size is authentic, and with it, which chunk is the
//! last. The digest is over the whole blob and cannot be checked here: a part is what *somebody
//! with the key* sealed at this place. For everybody without the key, the relay among them, that
//! is the same; only a sender who conspires with the relay could show two people different parts.
//! Normative: `docs/protocol/attachment.md` §8.

use std::fmt;
use std::ops::Range;

use super::description::AttachmentDescription;
use super::layout::HEADER_BYTES;
use super::opening::Opening;
use super::{NotAuthentic, Progress};
use crate::erasure::{erased, erases};

/// The content has no such range.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the range is not within the content")]
pub struct OutOfRange;

/// Opens parts of one attachment, in any order.
#[derive(Debug)]
pub struct AttachmentReader {
    description: AttachmentDescription,
}

erases!(AttachmentReader, AttachmentReader { description } => {
    erased(description);
});

impl AttachmentReader {
    /// Takes the first [`HEADER_BYTES`] bytes of the blob, and checks them.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] if the blob was not sealed with this key for content of this size.
    pub fn new(
        description: &AttachmentDescription,
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, NotAuthentic> {
        description.key().check(description.size(), header)?;
        Ok(Self { description: description.clone() })
    }

    /// Begins to open these bytes of the content.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if they are not all in the content, or the range ends before it begins.
    pub fn part(&self, content: Range<u64>) -> Result<AttachmentPart, OutOfRange> {
        let layout = self.description.layout();
        if content.start > content.end || content.end > layout.size() {
            return Err(OutOfRange);
        }
        let chunks = layout.chunks_over(&content);
        let blob = layout.start_in_blob(chunks.start)..layout.start_in_blob(chunks.end);
        let opening = Opening::new(self.description.ciphers(), layout, chunks, content);
        Ok(AttachmentPart { blob, opening })
    }
}

/// The opening of one part.
pub struct AttachmentPart {
    blob: Range<u64>,
    opening: Opening,
}

erases!(AttachmentPart, AttachmentPart { blob: _, opening } => {
    erased(opening);
});

impl AttachmentPart {
    /// The bytes of the blob to be fetched and fed; empty for an empty part.
    #[must_use]
    pub fn blob(&self) -> Range<u64> {
        self.blob.clone()
    }

    /// Takes pieces of [`Self::blob`] from `input` and gives content to `output`, as far as both
    /// reach.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`], now and from now on.
    pub fn open(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, NotAuthentic> {
        self.opening.open(input, output, |_, _| Ok(()))
    }

    /// Tells whether the whole part was handed out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.opening.is_done()
    }

    /// Ends the opening: the part is whole.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] if pieces of the blob are missing, or not all content was taken.
    pub fn finish(self) -> Result<(), NotAuthentic> {
        if self.is_done() { Ok(()) } else { Err(NotAuthentic) }
    }
}

impl fmt::Debug for AttachmentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentPart(..)")
    }
}
