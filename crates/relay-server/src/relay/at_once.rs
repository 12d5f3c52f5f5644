//! What a node does by itself now and then, done at once: for operators, and for tests.

use chat_core::id::WorkspaceId;
use chat_core::reject::Reject;

use super::Relay;
use crate::blobs::BlobError;
use crate::push::courier;
use crate::retention::Rules;
use crate::service::{presence, retention};
use crate::storage::StorageError;
use crate::{dispatcher, janitor};

impl Relay {
    /// Erases at once everything that is due; returns how many messages.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn sweep(&self) -> Result<usize, StorageError> {
        janitor::sweep(&self.services).await
    }

    /// Looks at once, as it does now and then, whether connected devices have missed something.
    pub async fn look_at_heads(&self) {
        dispatcher::look_at_heads(&self.services).await;
    }

    /// Sets a workspace's own rules for how long messages are kept, and how many.
    ///
    /// # Errors
    ///
    /// [`Reject`] for an unknown workspace, or without the database.
    pub async fn set_rules(&self, workspace: WorkspaceId, rules: Rules) -> Result<(), Reject> {
        retention::set(&self.services, workspace, rules).await
    }

    /// Erases at once everything that is to be gone by the rules of the relay and its workspaces, whole
    /// months where they go as such; returns how many messages were erased one by one.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn retain(&self) -> Result<u64, StorageError> {
        retention::tend(&self.services).await?;
        retention::erase(&self.services).await
    }

    /// Does at once what presence does every second, and renews it.
    pub async fn settle_presence(&self) {
        presence::advance(&self.services);
        presence::renew(&self.services).await;
        presence::settle(&self.services).await;
    }

    /// Forgets at once what the audit log need not keep any longer; returns how many entries.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub async fn prune_audit(&self) -> Result<u64, StorageError> {
        janitor::prune_audit(&self.services).await
    }

    /// Waits until everything noted for the audit log is written.
    pub async fn flush_audit(&self) {
        self.services.audit.flush().await;
    }

    /// Writes at once the cursors that have gathered.
    pub async fn flush_cursors(&self) {
        self.services.acknowledgements.flush().await;
    }

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
