//! What a restored store forgets, so that nothing of before comes twice.
//!
//! A backup is an older state. Whatever is good once may have been used since: it goes. Whatever is
//! numbered may have been given out since: the numbers go on far beyond it.

use async_trait::async_trait;

use super::{Storage, StorageError};

/// What [`Restoring::begin_epoch`] has changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NewEpoch {
    /// The epoch from now on.
    pub epoch: u64,
    /// How many one-time prekeys were dropped.
    pub prekeys: u64,
    /// How many sessions were ended.
    pub sessions: u64,
    /// How many conversations go on with higher sequences.
    pub conversations: u64,
}

/// A store that was filled from a backup.
#[async_trait]
pub trait Restoring: Storage {
    /// Begins an epoch: `epoch`, or the one after the stored if that is higher.
    ///
    /// One transaction: one-time prekeys, refresh families and tokens, unfinished log-ins and
    /// whatever else is good once are dropped; every conversation's sequences go on `ahead` higher;
    /// and the restore counts as finished. Token keys change with the epoch.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`].
    async fn begin_epoch(&self, epoch: u64, ahead: u64) -> Result<NewEpoch, StorageError>;
}
