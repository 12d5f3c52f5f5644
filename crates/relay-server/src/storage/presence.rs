//! What of presence is durable: when somebody was last there.

use async_trait::async_trait;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::time::Timestamp;

use super::StorageError;
use crate::presence::circle::Gone;

/// When an account was last there, as far as others in a workspace may know.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LastSeen {
    /// Who.
    pub account: AccountId,
    /// To whom.
    pub workspace: WorkspaceId,
    /// When.
    pub at: Timestamp,
}

/// The verbs of presence.
#[async_trait]
pub trait PresenceStorage: Send + Sync {
    /// Who shares a conversation of `workspace` with `account` now, without the account itself.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`], as every verb below.
    async fn acquaintances_in(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
    ) -> Result<Vec<AccountId>, StorageError>;

    /// Keeps when accounts were last there, in all their workspaces but those in which they hide;
    /// never an earlier moment than the one that is kept.
    async fn put_last_seen(&self, gone: &[Gone]) -> Result<(), StorageError>;

    /// When `accounts` were last there, as far as that is known, in the order of accounts and
    /// workspaces.
    async fn last_seen(&self, accounts: &[AccountId]) -> Result<Vec<LastSeen>, StorageError>;

    /// Forgets when an account was last there, in one workspace or in all.
    async fn forget_last_seen(
        &self,
        account: AccountId,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), StorageError>;
}
