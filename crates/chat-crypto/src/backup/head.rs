//! The head of a backup: where it ends, and what a device remembers of it.
//!
//! ```text
//!  append ──▶ segment n + 1, and a head whose revision is one higher
//!  trim   ──▶ a head whose first segment is a later one
//!  anew   ──▶ a head of another, empty backup: to copy into it what shall stay
//!
//!  open(sealed, what was remembered)   lower revision ──▶ RolledBack
//!                                      contradiction  ──▶ Forked
//! ```
//!
//! A segment reaches the relay before the head that names it, so a device that dies in between
//! leaves a segment that nothing names, and the next one takes its place.
//! Normative: `docs/protocol/backup.md` §5, §6.

use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::label;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::reader::BackupReader;
use super::segment::{Place, Records, Segment};
use super::{BackupError, sealing};
use crate::keyring::Keyring;
use crate::snapshot::{self, SnapshotError};

const HEAD_SNAPSHOT: u8 = 1;

/// One state of a backup.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct BackupHead {
    #[n(0)]
    revision: u64,
    /// Drawn for each backup, so that segments of one are none of another's.
    #[cbor(n(1), with = "minicbor::bytes")]
    backup: [u8; 16],
    /// The number of the oldest segment that is kept.
    #[n(2)]
    first: u64,
    /// The number of the newest segment; 0 if there is none.
    #[n(3)]
    last: u64,
    /// The digest of the newest segment; zeros if there is none.
    #[n(4)]
    newest: Digest,
}

impl BackupHead {
    /// An account's first backup, without a segment.
    #[must_use]
    pub fn begin(rng: &mut impl CryptoRng) -> Self {
        let mut backup = [0; 16];
        rng.fill_bytes(&mut backup);
        Self { revision: 1, backup, first: 1, last: 0, newest: Digest::ZERO }
    }

    /// Rises with every change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Which backup: segments are kept under it and their numbers.
    #[must_use]
    pub const fn backup(&self) -> [u8; 16] {
        self.backup
    }

    /// The numbers of the segments that are kept; empty if there are none.
    #[must_use]
    pub const fn segments(&self) -> std::ops::RangeInclusive<u64> {
        self.first..=self.last
    }

    /// Seals `records` as the next segment. The new head is to be sealed and sent after it.
    #[must_use]
    pub fn append(
        &self,
        keyring: &Keyring,
        records: &Records,
        rng: &mut impl CryptoRng,
    ) -> (Vec<u8>, Self) {
        let last = self.last.saturating_add(1);
        let place = Place { backup: self.backup, number: last };
        let (segment, newest) = records.seal(keyring, &place, self.newest, rng);
        (segment, Self { last, newest, ..self.next() })
    }

    /// The head after the segments before `first` were given up; at most all of them.
    #[must_use]
    pub fn trim(&self, first: u64) -> Self {
        let first = first.clamp(self.first, self.last.saturating_add(1).max(self.first));
        Self { first, ..self.next() }
    }

    /// The head of an empty backup that takes the place of this one.
    #[must_use]
    pub fn anew(&self, rng: &mut impl CryptoRng) -> Self {
        Self { revision: self.next().revision, ..Self::begin(rng) }
    }

    fn next(&self) -> Self {
        // INVARIANT: nobody changes a backup 2⁶⁴ times.
        Self { revision: self.revision.saturating_add(1), ..*self }
    }

    /// Seals the head with the backup key in force.
    #[must_use]
    pub fn seal(&self, keyring: &Keyring, rng: &mut impl CryptoRng) -> Vec<u8> {
        let place = keyring.account();
        let content = to_bytes(self);
        sealing::seal(keyring, label::BACKUP_HEAD, place.as_bytes(), &content, rng)
    }

    /// Opens a sealed head and compares it with the one that this device saw last.
    ///
    /// A device that has seen none cannot tell whether this is the newest.
    ///
    /// # Errors
    ///
    /// [`BackupError`].
    pub fn open(
        sealed: &[u8],
        keyring: &Keyring,
        remembered: Option<&Self>,
    ) -> Result<Self, BackupError> {
        let place = keyring.account();
        let (key, content) = sealing::open(keyring, label::BACKUP_HEAD, place.as_bytes(), sealed)?;
        let head: Self = from_bytes(&content).map_err(|_| BackupError::NotAuthentic)?;
        if !head.is_possible() {
            return Err(BackupError::NotAuthentic);
        }
        match remembered {
            Some(before) if head == *before => return Ok(head),
            Some(before) if head.revision < before.revision => return Err(BackupError::RolledBack),
            _ => {}
        }
        // SECURITY: whoever held the key before, a removed device for example, could seal any head
        // with it; only one that was seen while the key was in force counts.
        if key != sealing::current_key(keyring) {
            return Err(BackupError::Superseded);
        }
        if remembered.is_some_and(|before| !head.may_follow(before)) {
            return Err(BackupError::Forked);
        }
        Ok(head)
    }

    fn is_possible(&self) -> bool {
        let empty = self.last == 0;
        self.revision > 0
            && self.first > 0
            && self.first - 1 <= self.last
            && empty == (self.newest == Digest::ZERO)
    }

    /// Tells whether this head, of another content and no lower revision, can come after `before`.
    fn may_follow(&self, before: &Self) -> bool {
        if self.revision == before.revision {
            return false;
        }
        let grown = self.last > before.last && self.first >= before.first;
        let as_long =
            self.last == before.last && self.newest == before.newest && self.first >= before.first;
        self.backup != before.backup || grown || as_long
    }

    /// Begins to read at the newest segment, back to the oldest that is kept.
    #[must_use]
    pub fn reader(&self) -> BackupReader {
        BackupReader::new(self.backup, self.first, self.last, self.newest, None)
    }

    /// Begins to read at the newest segment, back to where `seen` ended, and checks that this
    /// backup continues it.
    #[must_use]
    pub fn reader_since(&self, seen: &Self) -> BackupReader {
        if self.backup != seen.backup || seen.last.saturating_add(1) < self.first {
            return self.reader();
        }
        let first = seen.last.saturating_add(1);
        BackupReader::new(self.backup, first, self.last, self.newest, Some(seen.newest))
    }

    /// Opens one segment, at any place.
    ///
    /// Nothing shows yet that it is the one the head stands for: any device that ever held its
    /// backup key could have sealed it for this place. A [`BackupReader`] shows it, or comparing
    /// [`Segment::digest`] with [`Segment::previous`] of the one behind.
    ///
    /// # Errors
    ///
    /// [`BackupError`]; [`BackupError::NotAuthentic`] also for a number without a segment.
    pub fn open_segment(
        &self,
        number: u64,
        sealed: &[u8],
        keyring: &Keyring,
    ) -> Result<Segment, BackupError> {
        if !self.segments().contains(&number) {
            return Err(BackupError::NotAuthentic);
        }
        Segment::open(keyring, &Place { backup: self.backup, number }, sealed)
    }

    /// What a device remembers, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(HEAD_SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let head: Self = snapshot::read(bytes, HEAD_SNAPSHOT)?;
        if head.is_possible() { Ok(head) } else { Err(SnapshotError::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_follows_if_nothing_went_at_the_end_or_came_back_at_the_beginning() {
        let (seen, other) = (head(5, 3, 7, b"seen"), b"another");
        let follows = |next: BackupHead| next.may_follow(&seen);

        assert!(follows(head(6, 3, 7, b"seen")), "as it was");
        assert!(follows(head(6, 5, 7, b"seen")), "trimmed");
        assert!(follows(head(6, 3, 8, other)), "longer");
        assert!(follows(head(6, 9, 9, other)), "longer, and trimmed beyond what was seen");
        assert!(follows(BackupHead { backup: [2; 16], ..head(6, 1, 0, b"") }), "anew");

        assert!(!follows(head(5, 5, 7, b"seen")), "the same revision");
        assert!(!follows(head(6, 3, 7, other)), "another segment in the place of the newest");
        assert!(!follows(head(6, 3, 6, b"seen")), "shorter, whatever it says of its newest");
        assert!(!follows(head(6, 3, 6, other)), "shorter");
        assert!(!follows(head(6, 2, 7, b"seen")), "with a segment that was given up");
        assert!(!follows(head(6, 2, 8, other)), "longer, with one that was given up");
    }

    #[test]
    fn what_is_new_is_read_back_to_what_was_seen_and_checked_against_it() {
        let seen = head(5, 3, 7, b"seen");
        let since = |first| head(6, first, 9, b"newest").reader_since(&seen);
        let reader =
            |first, anchor| BackupReader::new([1; 16], first, 9, Digest::of(b"newest"), anchor);

        assert_eq!(since(3), reader(8, Some(seen.newest)));
        assert_eq!(since(8), reader(8, Some(seen.newest)), "all that was seen was given up");
        assert_eq!(since(9), reader(9, None), "one that was not seen, too: nothing to compare");
    }

    fn head(revision: u64, first: u64, last: u64, newest: &[u8]) -> BackupHead {
        BackupHead { revision, backup: [1; 16], first, last, newest: Digest::of(newest) }
    }
}
