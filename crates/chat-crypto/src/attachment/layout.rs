//! Where everything stands in a blob.
//!
//! ```text
//!  content     ├────────────── size ──────────────┤
//!  padded      ├────────────── size ──────────────┤ 0 … 0 ├        4 KiB, or Padmé above
//!              ├─ 64 KiB ─┼─ 64 KiB ─┼─ 64 KiB ─┼─ the rest ─┤     chunks
//!
//!  blob    header (32) ‖ chunk 0 ‖ tag (16) ‖ chunk 1 ‖ tag (16) ‖ … ‖ last chunk ‖ tag (16)
//! ```
//!
//! All of it follows from the size, so nothing of it is written down.
//! Normative: `docs/protocol/attachment.md` §2.

use std::ops::Range;

use chat_core::limits::ATTACHMENT_BYTES_MAX;

use crate::aead::TAG_BYTES;

/// How many bytes of padded content a chunk holds, unless it is the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// How long a sealed chunk is, unless it is the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// How long the header of a blob is: its commitment.
pub const HEADER_BYTES: usize = 32;

/// Below this, all sizes look alike.
const PADDED_BYTES_MIN: u64 = 4096;
const CHUNK: u64 = CHUNK_BYTES as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_BYTES as u64;
const HEADER: u64 = HEADER_BYTES as u64;
const TAG: u64 = TAG_BYTES as u64;

/// The length, in bytes, that content of `size` bytes is padded to: 4 KiB, or its Padmé length.
fn padded_length(size: u64) -> u64 {
    if size <= PADDED_BYTES_MIN {
        return PADDED_BYTES_MIN;
    }
    let exponent = size.ilog2();
    let low_bits = exponent - (exponent.ilog2() + 1);
    size.next_multiple_of(1 << low_bits)
}

/// The blob of content of one size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Layout {
    size: u64,
    padded: u64,
    chunks: u32,
}

impl Layout {
    /// The layout for content of `size` bytes, if there are attachments of this size.
    pub(super) fn of(size: u64) -> Option<Self> {
        if size > ATTACHMENT_BYTES_MAX {
            return None;
        }
        let padded = padded_length(size);
        let chunks = u32::try_from(padded.div_ceil(CHUNK)).ok()?;
        Some(Self { size, padded, chunks })
    }

    /// How many bytes the content has.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// How many chunks there are: one at least.
    pub(super) const fn chunks(&self) -> u32 {
        self.chunks
    }

    /// How many bytes the blob has.
    pub(super) const fn blob_length(&self) -> u64 {
        HEADER + self.padded + TAG * self.chunks as u64
    }

    /// Tells whether `chunk` is the one with the last flag.
    pub(super) const fn is_last(&self, chunk: u32) -> bool {
        chunk + 1 == self.chunks
    }

    /// How many bytes of padded content `chunk` holds.
    pub(super) fn chunk_length(&self, chunk: u32) -> usize {
        within_chunk(self.padded.saturating_sub(u64::from(chunk) * CHUNK))
    }

    /// Which bytes of the content `chunk` holds; none if it is all padding.
    pub(super) fn content(&self, chunk: u32) -> Range<u64> {
        let start = u64::from(chunk) * CHUNK;
        start.min(self.size)..(start + CHUNK).min(self.size)
    }

    /// Where `chunk` begins in the blob.
    pub(super) fn start_in_blob(&self, chunk: u32) -> u64 {
        (HEADER + u64::from(chunk) * SEALED_CHUNK).min(self.blob_length())
    }

    /// The chunks that hold these bytes of the content; none if the range is empty.
    pub(super) fn chunks_over(&self, content: &Range<u64>) -> Range<u32> {
        if content.is_empty() {
            return 0..0;
        }
        // INVARIANT: every byte of the content is in a chunk, and chunks are counted in 32 bits.
        let chunk = |byte: u64| u32::try_from(byte / CHUNK).unwrap_or(u32::MAX);
        chunk(content.start)..chunk(content.end - 1) + 1
    }
}

/// `length`, or a whole chunk if that is less.
pub(super) fn within_chunk(length: u64) -> usize {
    usize::try_from(length).map_or(CHUNK_BYTES, |length| length.min(CHUNK_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_padded_as_the_page_says() {
        // Computed by hand: E = ⌊log₂ size⌋, S = ⌊log₂ E⌋ + 1, E - S low bits zero.
        let by_hand = [
            (0, 4096),
            (1, 4096),
            (4096, 4096),
            (4097, 4352),
            (65_536, 65_536),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (ATTACHMENT_BYTES_MAX, ATTACHMENT_BYTES_MAX),
        ];

        for (size, padded) in by_hand {
            assert_eq!(padded_length(size), padded, "{size} bytes");
        }
    }

    #[test]
    fn the_largest_blob_stays_below_five_gibibytes() {
        let largest = Layout::of(ATTACHMENT_BYTES_MAX).unwrap();

        assert_eq!(largest.chunks(), 80_896);
        assert_eq!(largest.blob_length(), 32 + 80_896 * 65_552);
        assert!(largest.blob_length() < 5 << 30);
        assert_eq!(Layout::of(ATTACHMENT_BYTES_MAX + 1), None);
        assert_eq!(Layout::of(u64::MAX), None);
    }

    #[test]
    fn chunks_cover_the_padded_content_without_gap_or_overlap() {
        for size in [0, 1, 4096, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 9_999_999] {
            let layout = Layout::of(size).unwrap();
            let (mut padded, mut content, mut blob) = (0, 0, HEADER);

            for chunk in 0..layout.chunks() {
                assert_eq!(layout.start_in_blob(chunk), blob);
                assert_eq!(layout.content(chunk).start, content);
                assert!(layout.chunk_length(chunk) > 0);
                assert_eq!(layout.is_last(chunk), chunk == layout.chunks() - 1);
                padded += layout.chunk_length(chunk) as u64;
                content = layout.content(chunk).end;
                blob += (layout.chunk_length(chunk) + TAG_BYTES) as u64;
            }

            assert_eq!((padded, content), (layout.padded, size));
            assert_eq!(blob, layout.blob_length());
        }
    }

    #[test]
    fn a_range_needs_the_chunks_that_it_touches() {
        let layout = Layout::of(200_000).unwrap();

        assert_eq!(layout.chunks_over(&(0..0)), 0..0);
        assert_eq!(layout.chunks_over(&(0..1)), 0..1);
        assert_eq!(layout.chunks_over(&(65_535..65_536)), 0..1);
        assert_eq!(layout.chunks_over(&(65_535..65_537)), 0..2);
        assert_eq!(layout.chunks_over(&(65_536..200_000)), 1..4);
    }
}
