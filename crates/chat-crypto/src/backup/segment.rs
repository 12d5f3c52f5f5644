//! Segments: records, and the digest of the segment before.
//!
//! Normative: `docs/protocol/backup.md` §4.

use std::fmt;

use chat_core::codec::Digest;
use chat_core::envelope::Expiry;
use chat_core::id::AccountId;
use chat_core::label;
use chat_core::limits::{BACKUP_RECORD_BYTES_MAX, BACKUP_SEGMENT_BYTES_MAX};
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{BackupError, sealing};
use crate::erasure::{erased, erases};
use crate::keyring::Keyring;

/// What a segment needs beside its records: map, keys, digest, and the head of the list.
const CONTENT_BYTES_BESIDE: usize = 48;
/// What a record needs beside its bytes, at most.
const RECORD_BYTES_BESIDE: usize = 5;

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The message has a self-destruct timer, and a backup only grows.
    #[error("a message with a timer is not backed up")]
    Vanishing,
    /// The record exceeds [`BACKUP_RECORD_BYTES_MAX`].
    #[error("the record is too long")]
    TooLong,
    /// The record does not fit into this segment any more: it belongs into the next.
    #[error("the segment is full")]
    Full,
}

/// The content of a segment, as it is encoded.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Content<'a> {
    #[n(0)]
    previous: Digest,
    #[b(1)]
    records: Vec<&'a ByteSlice>,
}

/// What goes into the next segment.
pub struct Records {
    bytes: Zeroizing<Vec<u8>>,
    ends: Vec<usize>,
}

erases!(Records, Records { bytes, ends: _ } => {
    erased(bytes);
});

impl Records {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        // All of it at once: growing would leave copies behind.
        let bytes = Zeroizing::new(Vec::with_capacity(BACKUP_SEGMENT_BYTES_MAX));
        Self { bytes, ends: Vec::new() }
    }

    /// Adds a record; `expiry` is the timer of the message that it keeps, if it keeps one.
    ///
    /// # Errors
    ///
    /// [`RecordError`]; the records so far stay as they are.
    pub fn push(&mut self, record: &[u8], expiry: Option<Expiry>) -> Result<(), RecordError> {
        if expiry.is_some() {
            return Err(RecordError::Vanishing);
        }
        if record.len() > BACKUP_RECORD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let beside = CONTENT_BYTES_BESIDE + RECORD_BYTES_BESIDE * (self.ends.len() + 1);
        if self.bytes.len() + record.len() + beside > BACKUP_SEGMENT_BYTES_MAX {
            return Err(RecordError::Full);
        }
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The records, encoded behind the digest of the segment before.
    fn encode(&self, previous: Digest) -> Zeroizing<Vec<u8>> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let records = starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end));
        let content = Content { previous, records: records.map(Into::into).collect() };
        let length = self.bytes.len() + CONTENT_BYTES_BESIDE + RECORD_BYTES_BESIDE * self.count();
        let mut encoded = Zeroizing::new(Vec::with_capacity(length));
        // INVARIANT: writing to a Vec cannot fail, and no encoder here returns an error itself.
        let _ = Encoder::new(&mut *encoded).encode(&content);
        encoded
    }

    /// Seals the records as a segment, and gives its digest beside it.
    pub(super) fn seal(
        &self,
        keyring: &Keyring,
        place: &Place,
        previous: Digest,
        rng: &mut impl CryptoRng,
    ) -> (Vec<u8>, Digest) {
        let content = self.encode(previous);
        let place = place.to_bytes(keyring.account());
        let sealed = sealing::seal(keyring, label::BACKUP_SEGMENT, &place, &content, rng);
        let digest = digest(&sealed);
        (sealed, digest)
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} of them)", self.count())
    }
}

/// Which segment of which backup.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) backup: [u8; 16],
    pub(super) number: u64,
}

impl Place {
    fn to_bytes(self, account: AccountId) -> Vec<u8> {
        [account.as_bytes(), &self.backup[..], &self.number.to_be_bytes()].concat()
    }
}

/// What the next segment, or the head, names a segment by.
fn digest(sealed: &[u8]) -> Digest {
    Digest::of_parts(&[label::BACKUP_LINK.as_bytes(), sealed])
}

/// An opened segment.
pub struct Segment {
    number: u64,
    digest: Digest,
    previous: Digest,
    content: Zeroizing<Vec<u8>>,
}

erases!(Segment, Segment { number: _, digest: _, previous: _, content } => {
    erased(content);
});

impl Segment {
    /// Opens the segment at `place`.
    pub(super) fn open(
        keyring: &Keyring,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Self, BackupError> {
        let number = place.number;
        let digest = digest(sealed);
        let place = place.to_bytes(keyring.account());
        let (_, content) = sealing::open(keyring, label::BACKUP_SEGMENT, &place, sealed)?;
        let previous = decode(&content).ok_or(BackupError::NotAuthentic)?.previous;
        if (number == 1) != (previous == Digest::ZERO) {
            return Err(BackupError::NotAuthentic);
        }
        Ok(Self { number, digest, previous, content })
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Its digest: what the next segment names as the one before.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of the segment before; [`Digest::ZERO`] for the first.
    #[must_use]
    pub const fn previous(&self) -> Digest {
        self.previous
    }

    /// The records, in the order in which they were added.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        // INVARIANT: it was decoded once, when the segment was opened.
        let records = decode(&self.content).map(|content| content.records).unwrap_or_default();
        records.into_iter().map(|record| &**record)
    }
}

fn decode(content: &[u8]) -> Option<Content<'_>> {
    chat_core::codec::from_bytes(content).ok()
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({}, {} records)", self.number, self.records().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_encoded_into_room_that_was_made_once() {
        let mut records = Records::new();
        for length in [1, 300, 70_000] {
            records.push(&vec![7; length], None).unwrap();
        }

        let encoded = records.encode(Digest::ZERO);

        // A vector that grows leaves records behind.
        assert_eq!(encoded.capacity(), 70_301 + CONTENT_BYTES_BESIDE + 3 * RECORD_BYTES_BESIDE);
        assert!(encoded.len() <= encoded.capacity());
    }
}
