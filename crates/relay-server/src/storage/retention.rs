//! For how long messages are kept, and how much of them there is.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::id::{AccountId, ConversationId, WorkspaceId};
use chat_core::time::Timestamp;

use super::StorageError;
use crate::bus::NodeId;
use crate::retention::{Hold, Rules};

/// What is to be erased because of its age, or because everybody has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Erasure {
    /// In which workspace; in all, if this is absent.
    pub workspace: Option<WorkspaceId>,
    /// What was accepted before this moment.
    pub before: Option<Timestamp>,
    /// What everybody has.
    pub hold: Hold,
}

/// How far an erasure has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Erased {
    /// How many messages were erased.
    pub messages: u64,
    /// In how many conversations it went on; some messages were gone before.
    pub conversations: usize,
    /// Where to go on; nowhere, if this is absent.
    pub after: Option<ConversationId>,
}

/// Bytes that were accepted of an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// From whom.
    pub account: AccountId,
    /// When; counted by the month.
    pub at: Timestamp,
    /// How many.
    pub bytes: u64,
}

/// The verbs of retention.
#[async_trait]
pub trait RetentionStorage: Send + Sync {
    /// Sets a workspace's own rules, in place of those it had.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] for an unknown workspace; [`StorageError::Unavailable`], as every
    /// verb below.
    async fn put_rules(&self, workspace: WorkspaceId, rules: Rules) -> Result<(), StorageError>;

    /// The workspaces that have rules of their own, and those.
    async fn rules(&self) -> Result<Vec<(WorkspaceId, Rules)>, StorageError>;

    /// Erases what an erasure names, in up to `conversations` conversations after `after` and not
    /// more than a few thousand messages of each; places and ids stay, and blobs that nothing else
    /// names are due `now`.
    ///
    /// Each conversation is a transaction of its own. Who repeats this from the beginning until it
    /// goes on in no conversation has erased everything.
    async fn erase(
        &self,
        erasure: Erasure,
        after: Option<ConversationId>,
        conversations: usize,
        now: Timestamp,
    ) -> Result<Erased, StorageError>;

    /// Makes room for the messages of the coming months, and lets go at once of whole months that
    /// are older than `keep`, once they are files in `archive`, if there is one; returns how many.
    ///
    /// A store without partitions does nothing, and has everything erased by [`Self::erase`].
    async fn tend_partitions(
        &self,
        keep: Option<Duration>,
        archive: Option<&Path>,
        now: Timestamp,
    ) -> Result<u64, StorageError>;

    /// Whether whole months go by [`Self::tend_partitions`].
    fn has_partitions(&self) -> bool;

    /// Counts bytes, all in one transaction.
    async fn add_usage(&self, usage: &[Usage]) -> Result<(), StorageError>;

    /// The bytes of an account in a workspace, or of all of the workspace, accepted in the month of
    /// `since` or later.
    async fn stored(
        &self,
        workspace: WorkspaceId,
        account: Option<AccountId>,
        since: Timestamp,
    ) -> Result<u64, StorageError>;

    /// Tells whether `node` does `chore` for all nodes until `until`: it did so before, nobody does, or
    /// there can be no other node.
    async fn lead(
        &self,
        chore: &str,
        node: NodeId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageError>;
}
