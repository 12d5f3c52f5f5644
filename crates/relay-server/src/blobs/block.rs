//! The form of an object: blocks of 64 KiB, each followed by its checksum.
//!
//! ```text
//!  object    =  block 0 ‖ checksum 0 ‖ block 1 ‖ checksum 1 ‖ …           the last may be shorter
//!  checksum  =  the first 16 bytes of SHA-256(label ‖ name (16) ‖ u32 number ‖ block)
//! ```
//!
//! A disk that flips a bit, a file that lost its end, an object under another's name: each is
//! noticed before a byte of the block is handed out, also when only a part is asked for. Clients
//! would notice too, since what they upload is sealed; but the relay then knows whose fault it is.
//! Absent: secrets. Whoever can write to the disk can write checksums too.

use bytes::{Buf as _, Bytes};
use chat_core::codec::Digest;
use chat_core::label;
use tokio::io::AsyncReadExt as _;

use super::{BlobError, Blobs, ObjectName, ObjectReader};

/// How many bytes a block has, but for the last of its object.
pub const BLOCK_BYTES: u64 = 64 * 1024;
/// How many bytes a checksum has.
pub const CHECKSUM_BYTES: u64 = 16;

/// The checksum of an object's block.
pub(super) fn checksum(name: ObjectName, number: u64, block: &[u8]) -> [u8; 16] {
    // INVARIANT: an object holds a piece, which has far fewer than 2³² blocks.
    let number = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let label = label::BLOB_BLOCK.as_bytes();
    let digest = Digest::of_parts(&[label, name.as_bytes(), &number, block]);
    let [first @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *digest.as_bytes();
    first
}

/// How many bytes an object has that holds `length`.
const fn object_bytes(length: u64) -> u64 {
    length.saturating_add(length.div_ceil(BLOCK_BYTES).saturating_mul(CHECKSUM_BYTES))
}

/// Hands out a part of an object, block by block, each checked before.
pub struct BlockReader {
    name: ObjectName,
    /// How many bytes the object holds.
    length: u64,
    /// The next byte to hand out, and the one behind the last.
    position: u64,
    end: u64,
    reader: ObjectReader,
}

impl std::fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, position, end, .. } = self;
        write!(f, "BlockReader({name}, {position}..{end})")
    }
}

impl BlockReader {
    /// Begins to read the bytes from `start` to before `end` of an object that holds `length`.
    ///
    /// # Errors
    ///
    /// As [`Blobs::read`].
    pub async fn open(
        blobs: &dyn Blobs,
        name: ObjectName,
        length: u64,
        start: u64,
        end: u64,
    ) -> Result<Self, BlobError> {
        let end = end.min(length);
        let first = start / BLOCK_BYTES * (BLOCK_BYTES + CHECKSUM_BYTES);
        let behind = object_bytes((end.div_ceil(BLOCK_BYTES) * BLOCK_BYTES).min(length));
        let reader = blobs.read(name, first, behind.saturating_sub(first)).await?;
        Ok(Self { name, length, position: start, end, reader })
    }

    /// What there is of the next block; nothing after the last.
    ///
    /// # Errors
    ///
    /// [`BlobError::Damaged`], [`BlobError::Unavailable`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let number = self.position / BLOCK_BYTES;
        let begins = number * BLOCK_BYTES;
        let size = BLOCK_BYTES.min(self.length - begins);
        let mut block = vec![0; usize::try_from(size).map_err(|_| BlobError::Damaged)?];
        let mut expected = [0; 16];
        self.reader.read_exact(&mut block).await?;
        self.reader.read_exact(&mut expected).await?;
        if checksum(self.name, number, &block) != expected {
            tracing::error!(name = %self.name, number, "a block of an object is damaged");
            return Err(BlobError::Damaged);
        }
        let mut block = Bytes::from(block);
        let taken = (self.end - begins).min(size);
        block.truncate(usize::try_from(taken).map_err(|_| BlobError::Damaged)?);
        let skipped = self.position - begins;
        block.advance(usize::try_from(skipped).map_err(|_| BlobError::Damaged)?);
        self.position = begins + taken;
        Ok(Some(block))
    }
}
