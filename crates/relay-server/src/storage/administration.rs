//! What an operator asks the store: how much there is.

use async_trait::async_trait;
use serde::Serialize;

use super::StorageError;

/// How much there is. Counting walks through the tables, so it may take a while.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Stats {
    /// Accounts.
    pub accounts: u64,
    /// Devices that were not removed.
    pub devices: u64,
    /// Log-ins that last.
    pub sessions: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages whose envelope is there.
    pub messages: u64,
    /// Messages of which only the place is left.
    pub erased: u64,
    /// One-time prekeys that wait to be handed out.
    pub prekeys: u64,
    /// Entries of the security audit log.
    pub audit: u64,
}

/// A store that counts what is in it.
#[async_trait]
pub trait Administration {
    /// How much there is.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`].
    async fn stats(&self) -> Result<Stats, StorageError>;
}
