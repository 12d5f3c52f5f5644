//! The last of the disk is not for messages: what makes room has to be written too.
//!
//! ```text
//!  ├──────────────── the disk ────────────────┼─ reserve ─┤
//!   messages, accounts, blobs                  cursors, expiry, deletions
//! ```
//!
//! SQLite writes every change to its log first, that something is erased too. On a disk without a
//! byte left nothing could be acknowledged, expire or be deleted, and nothing would ever get better.
//! So what grows the database is refused a little earlier. Where nobody can say how much is left, as
//! elsewhere than on Unix, nothing is refused here; SQLite itself says when it is full.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::StorageError;

/// What stays free: the log of some thousand changes, several times over.
const RESERVE_BYTES: u64 = 32 * 1024 * 1024;

/// How much room there is where the database lies; clones share the reserve.
#[derive(Clone, Debug)]
pub(super) struct Room {
    file: PathBuf,
    reserve: Arc<AtomicU64>,
}

impl Room {
    /// Around the database in `file`.
    pub(super) fn around(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), reserve: Arc::new(AtomicU64::new(RESERVE_BYTES)) }
    }

    /// Asks the file system, which answers from memory.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        let reserve = self.reserve.load(Ordering::Relaxed);
        match free_bytes(&self.file) {
            Some(free) if free < reserve => {
                tracing::warn!(free, "the disk is nearly full; nothing new is taken");
                Err(StorageError::Full)
            }
            _ => Ok(()),
        }
    }

    /// Keeps another reserve, as if the disk were fuller or emptier.
    #[cfg(test)]
    pub(super) fn reserve(&self, bytes: u64) {
        self.reserve.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(unix)]
fn free_bytes(file: &std::path::Path) -> Option<u64> {
    let room = rustix::fs::statvfs(file).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &std::path::Path) -> Option<u64> {
    None
}
