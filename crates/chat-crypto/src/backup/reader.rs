//! Restoring: from the newest segment back, each checked against the digest that names it.
//!
//! Normative: `docs/protocol/backup.md` §6.

use chat_core::codec::Digest;
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::BackupError;
use super::segment::{Place, Segment};
use crate::keyring::Keyring;
use crate::snapshot::{self, SnapshotError};

const READER_SNAPSHOT: u8 = 1;

/// Reads a backup from its end.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct BackupReader {
    #[cbor(n(0), with = "minicbor::bytes")]
    backup: [u8; 16],
    /// The last number to be read.
    #[n(1)]
    first: u64,
    /// The next number to be read.
    #[n(2)]
    next: u64,
    /// The digest of that segment.
    #[n(3)]
    digest: Digest,
    /// What the segment before `first` must have for a digest, if that is known.
    #[n(4)]
    anchor: Option<Digest>,
}

impl BackupReader {
    pub(super) fn new(
        backup: [u8; 16],
        first: u64,
        next: u64,
        digest: Digest,
        anchor: Option<Digest>,
    ) -> Self {
        Self { backup, first, next, digest, anchor }
    }

    /// The number of the segment to be fetched and opened next; none at the end.
    #[must_use]
    pub fn wanted(&self) -> Option<u64> {
        (self.next >= self.first).then_some(self.next)
    }

    /// Opens the segment of [`Self::wanted`]. On failure nothing moves: another copy may be tried.
    ///
    /// # Errors
    ///
    /// [`BackupError::NotAuthentic`] if it is not the one that is wanted, or none is;
    /// [`BackupError::Forked`] if the backup does not continue what this device saw of it;
    /// [`BackupError::UnknownKey`], [`BackupError::Unreadable`].
    pub fn open(&mut self, sealed: &[u8], keyring: &Keyring) -> Result<Segment, BackupError> {
        let number = self.wanted().ok_or(BackupError::NotAuthentic)?;
        let place = Place { backup: self.backup, number };
        let segment = Segment::open(keyring, &place, sealed)?;
        let same: bool = segment.digest().as_bytes().ct_eq(self.digest.as_bytes()).into();
        if !same {
            return Err(BackupError::NotAuthentic);
        }
        let continues = self.anchor.is_none_or(|anchor| anchor == segment.previous());
        if number == self.first && !continues {
            return Err(BackupError::Forked);
        }
        self.next = number - 1;
        self.digest = segment.previous();
        Ok(segment)
    }

    /// What is needed to go on, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(READER_SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let reader: Self = snapshot::read(bytes, READER_SNAPSHOT)?;
        if reader.first == 0 { Err(SnapshotError::Malformed) } else { Ok(reader) }
    }
}
