//! What a node does by itself now and then, done at once: for operators, and for tests.

use super::Relay;
use crate::blobs::BlobError;
use crate::janitor;
use crate::push::courier;
use crate::storage::StorageError;

impl Relay {
    /// Takes at once the wake-ups that are due where they belong; returns how many devices were woken.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn deliver_wake_ups(&self) -> Result<usize, StorageError> {
        courier::deliver(&self.services).await
    }

    /// How many wake-ups wait, and how many were given up.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn wake_ups_waiting(&self) -> Result<(u64, u64), StorageError> {
        self.services.storage.wake_ups_waiting().await
    }

    /// Deletes at once the blobs that are due; returns how many.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn collect_blobs(&self) -> Result<u64, StorageError> {
        janitor::blobs::collect(&self.services).await
    }

    /// Deletes at once all objects that no row knows; returns how many.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    pub async fn sweep_orphans(&self) -> Result<usize, BlobError> {
        let mut swept = 0;
        for shard in 0..=u8::MAX {
            swept += janitor::blobs::sweep_orphans(&self.services, shard).await?;
        }
        Ok(swept)
    }
}
