//! What the store keeps of backups: for each account one head, and which blobs are its segments.

use async_trait::async_trait;
use chat_core::api::backup::{BackupHead, PutBackup, SegmentPage};
use chat_core::id::AccountId;
use chat_core::time::Timestamp;

use super::StorageError;

/// The part of the durable state that is about backups.
#[async_trait]
pub trait BackupStorage {
    /// The head of an account's backup.
    async fn backup_head(&self, account: AccountId) -> Result<Option<BackupHead>, StorageError>;

    /// Up to `limit` segments that the head stands for, below `before`, the newest first.
    async fn backup_segments(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<SegmentPage, StorageError>;

    /// Replaces the head by the next one: compares and swaps in one transaction.
    ///
    /// Its new segments are kept from now on. Those before its first one, and all of another
    /// backup, are let go. The same head again is accepted and changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] if it does not continue the stored head: its number is not the
    /// next, or of the same backup its segments do not follow the stored ones, or its first one is
    /// lower. [`StorageError::BlobMissing`] if a segment is no complete blob of the account's.
    async fn put_backup(
        &self,
        account: AccountId,
        new: &PutBackup,
        now: Timestamp,
    ) -> Result<(), StorageError>;
}
