//! Workspaces in the store: who belongs to one, who is invited, and what is left of who has gone.
//!
//! ```text
//!  workspaces ─┬─ workspace_members   role, state        accounts ─▶ deleted ─▶ reserved_names
//!              ├─ invitations         hash, uses left
//!              └─ conversations       kind, document, open or not
//! ```

use async_trait::async_trait;
use chat_core::api::conversations::MembershipPage;
use chat_core::api::workspaces::{
    AccountState, ChannelPage, Invitation, InvitationPage, MemberPage, NamePage, WorkspaceRole,
};
use chat_core::codec::Digest;
use chat_core::id::{AccountId, ConversationId, DeviceId, InvitationId, WorkspaceId};
use chat_core::time::Timestamp;
use serde::Serialize;

use super::{FamilyId, StorageError};

/// A workspace, as its operator lists it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct WorkspaceRecord {
    /// Which.
    pub workspace: WorkspaceId,
    /// What it is called.
    pub name: String,
    /// Whether those who register without an invitation come here.
    pub is_default: bool,
    /// How many accounts it has, suspended ones included.
    pub accounts: u64,
    /// Since when.
    pub created_at: Timestamp,
}

/// Where an account belongs and what it may do there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Where.
    pub workspace: WorkspaceId,
    /// As what.
    pub role: WorkspaceRole,
    /// Whether it may act.
    pub state: AccountState,
}

/// How a registration comes in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Joins {
    /// As a member of this workspace, without an invitation.
    Open(WorkspaceId),
    /// By the invitation whose token has this SHA-256: one of its uses is spent with it.
    Invited(Digest),
}

/// An invitation to be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvitationRecord {
    /// Where to.
    pub workspace: WorkspaceId,
    /// SHA-256 of its token.
    pub hash: Digest,
    /// Everything else.
    pub invitation: Invitation,
}

/// A log-in that lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// By which device.
    pub device: DeviceId,
    /// Which of its log-ins.
    pub family: FamilyId,
    /// Since when.
    pub begun_at: Timestamp,
    /// When its refresh token was last spent.
    pub used_at: Timestamp,
}

/// Whom the deletion of an account concerns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AccountErased {
    /// The conversations it was in.
    pub conversations: Vec<ConversationId>,
    /// Who shared one with it.
    pub acquaintances: Vec<AccountId>,
}

/// The verbs of workspaces; as all of [`Storage`](super::Storage), each is one transaction.
#[async_trait]
pub trait WorkspaceStorage {
    // ── workspaces ──────────────────────────────────────────────────────────────────────────────

    /// Makes a workspace; the same one again is accepted again.
    ///
    /// # Errors
    ///
    /// [`StorageError::AlreadyExists`] for another name under this id.
    async fn create_workspace(
        &self,
        workspace: WorkspaceId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// A workspace.
    async fn workspace(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Option<WorkspaceRecord>, StorageError>;

    /// Up to `limit` workspaces in the order of their ids, after the one given.
    async fn workspaces(
        &self,
        after: Option<WorkspaceId>,
        limit: usize,
    ) -> Result<Vec<WorkspaceRecord>, StorageError>;

    // ── members ─────────────────────────────────────────────────────────────────────────────────

    /// Where an account belongs; also of one that was deleted.
    async fn standing(&self, account: AccountId) -> Result<Option<Standing>, StorageError>;

    /// Up to `limit` members that are not gone, in the order of their ids, after the one given.
    async fn workspace_members(
        &self,
        workspace: WorkspaceId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<MemberPage, StorageError>;

    /// Gives a member another role, if it still stands as `expected`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] if it does not; [`StorageError::LastOwner`].
    async fn set_workspace_role(
        &self,
        account: AccountId,
        expected: Standing,
        role: WorkspaceRole,
    ) -> Result<(), StorageError>;

    /// Suspends or reinstates a member, if it still stands as `expected`. The sessions of a
    /// suspended one are revoked with it.
    ///
    /// # Errors
    ///
    /// As [`Self::set_workspace_role`].
    async fn set_account_state(
        &self,
        account: AccountId,
        expected: Standing,
        state: AccountState,
    ) -> Result<(), StorageError>;

    /// Deletes an account, if it still stands as `expected`: its password record, keyring, prekeys,
    /// sessions, cursors and receipts go; its devices are removed, its stays end, its name is kept
    /// from others until `name_free_at`, and its messages become due where a conversation's policy
    /// says so. What others need to check its signatures stays. Again, it changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`]; otherwise as [`Self::set_workspace_role`].
    async fn delete_account(
        &self,
        account: AccountId,
        expected: Standing,
        name_free_at: Timestamp,
        now: Timestamp,
    ) -> Result<AccountErased, StorageError>;

    // ── invitations ─────────────────────────────────────────────────────────────────────────────

    /// Keeps an invitation; the same one again is accepted again.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] for an unknown workspace.
    async fn add_invitation(
        &self,
        record: &InvitationRecord,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// The invitation whose token has this hash, if it can be used.
    async fn invitation(
        &self,
        hash: Digest,
        now: Timestamp,
    ) -> Result<Option<(WorkspaceId, Invitation)>, StorageError>;

    /// Up to `limit` invitations that can be used, in the order of their ids, after the one given.
    async fn invitations(
        &self,
        workspace: WorkspaceId,
        after: Option<InvitationId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<InvitationPage, StorageError>;

    /// Revokes an invitation; a revoked one again is no error.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`].
    async fn revoke_invitation(
        &self,
        workspace: WorkspaceId,
        invitation: InvitationId,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    // ── who knows whom ──────────────────────────────────────────────────────────────────────────

    /// Those of `others` that are or were in a conversation while `account` is in it, and itself.
    async fn known_to(
        &self,
        account: AccountId,
        others: &[AccountId],
    ) -> Result<Vec<AccountId>, StorageError>;

    /// Those of `others` that belong to a workspace; who is gone belongs to it too.
    async fn of_workspace(
        &self,
        workspace: WorkspaceId,
        others: &[AccountId],
    ) -> Result<Vec<AccountId>, StorageError>;

    /// Up to `limit` names of a workspace that begin with `prefix`, in their order, after `after`;
    /// only of those that share a conversation with `among`, if that is given.
    async fn names(
        &self,
        workspace: WorkspaceId,
        prefix: &str,
        after: &str,
        among: Option<AccountId>,
        limit: usize,
    ) -> Result<NamePage, StorageError>;

    // ── shared conversations ────────────────────────────────────────────────────────────────────

    /// Up to `limit` conversations that may be joined, in the order of their ids, after the one
    /// given.
    async fn channels(
        &self,
        workspace: WorkspaceId,
        asking: AccountId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<ChannelPage, StorageError>;

    /// The conversation of a document.
    async fn conversation_of_document(
        &self,
        workspace: WorkspaceId,
        document: &str,
    ) -> Result<Option<ConversationId>, StorageError>;

    /// Up to `limit` entries of a membership log, from index `from` on, whoever asks.
    async fn whole_log(
        &self,
        conversation: ConversationId,
        from: u64,
        limit: usize,
    ) -> Result<MembershipPage, StorageError>;

    // ── sessions ────────────────────────────────────────────────────────────────────────────────

    /// An account's sessions that were not revoked, the most recently used first.
    async fn sessions(&self, account: AccountId) -> Result<Vec<SessionRecord>, StorageError>;

    /// Revokes all sessions of an account.
    async fn revoke_account(&self, account: AccountId) -> Result<(), StorageError>;
}
