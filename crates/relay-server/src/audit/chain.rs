//! The chain: each entry's hash covers its record and the hash before it.

use chat_core::codec::{Digest, from_bytes};
use chat_core::label;

use super::event::AuditRecord;
use crate::storage::{Storage, StorageError};

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// An entry as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chained {
    /// Its place; the first is 1.
    pub sequence: u64,
    /// The record's bytes, over which the hash was made.
    pub record: Vec<u8>,
    /// The hash of it and everything before it.
    pub hash: Digest,
}

impl Chained {
    /// What it says.
    ///
    /// # Errors
    ///
    /// [`BrokenChain::Unreadable`].
    pub fn read(&self) -> Result<AuditRecord, BrokenChain> {
        from_bytes(&self.record).map_err(|_| BrokenChain::Unreadable { sequence: self.sequence })
    }
}

/// A place in the chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// Which entry; zero stands before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Anchor {
    /// Before the first entry.
    pub const BEGINNING: Self = Self { sequence: 0, hash: Digest::ZERO };
}

/// Why the log is not what it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenChain {
    /// Entries are missing.
    #[error("entry {sequence} is missing")]
    Missing {
        /// The first of them.
        sequence: u64,
    },
    /// An entry was changed, or one before it.
    #[error("entry {sequence} is not what was written")]
    Changed {
        /// Which.
        sequence: u64,
    },
    /// An entry cannot be read.
    #[error("entry {sequence} cannot be read")]
    Unreadable {
        /// Which.
        sequence: u64,
    },
    /// The log ends where it did not end.
    #[error("the log was cut off after entry {sequence}")]
    CutOff {
        /// The last that is there.
        sequence: u64,
    },
    /// The place that was noted elsewhere is another in this log.
    #[error("entry {sequence} is not the one that was noted")]
    NotTheOneNoted {
        /// Which.
        sequence: u64,
    },
    /// The store.
    #[error("the log cannot be read: {0}")]
    Storage(StorageError),
}

impl From<StorageError> for BrokenChain {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// The hash of an entry.
#[must_use]
pub fn hash(before: Digest, record: &[u8]) -> Digest {
    let label = label::AUDIT.as_bytes();
    let mut input = Vec::with_capacity(label.len() + before.as_bytes().len() + record.len());
    input.extend_from_slice(label);
    input.extend_from_slice(before.as_bytes());
    input.extend_from_slice(record);
    Digest::of(&input)
}

/// Checks that `entry` comes next after `last`, and returns its place.
///
/// # Errors
///
/// [`BrokenChain`].
pub fn follow(last: Anchor, entry: &Chained) -> Result<Anchor, BrokenChain> {
    let sequence = last.sequence.saturating_add(1);
    if entry.sequence != sequence {
        return Err(BrokenChain::Missing { sequence });
    }
    if hash(last.hash, &entry.record) != entry.hash {
        return Err(BrokenChain::Changed { sequence });
    }
    entry.read()?;
    Ok(Anchor { sequence, hash: entry.hash })
}

/// Reads the whole log, and returns where it ends.
///
/// `noted` is a place that somebody has written down: the log must have it, unless it is older than
/// what is kept.
///
/// # Errors
///
/// [`BrokenChain`], the first that is found.
pub async fn verify(storage: &dyn Storage, noted: Option<Anchor>) -> Result<Anchor, BrokenChain> {
    let ends = storage.audit_ends().await?;
    let mut place = ends.before_first;
    loop {
        let page = storage.read_audit(place.sequence, PAGE).await?;
        let Some(_) = page.last() else { break };
        for entry in &page {
            place = follow(place, entry)?;
            if noted.is_some_and(|noted| noted.sequence == place.sequence && noted != place) {
                return Err(BrokenChain::NotTheOneNoted { sequence: place.sequence });
            }
        }
    }
    let reaches = ends.last.sequence.max(noted.map_or(0, |noted| noted.sequence));
    if place.sequence < reaches {
        return Err(BrokenChain::CutOff { sequence: place.sequence });
    }
    Ok(place)
}
