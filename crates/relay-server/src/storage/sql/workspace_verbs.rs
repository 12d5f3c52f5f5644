//! The verbs of [`WorkspaceStorage`], each a transaction of its own.

use async_trait::async_trait;
use chat_core::api::conversations::MembershipPage;
use chat_core::api::workspaces::{
    AccountState, ChannelPage, Invitation, InvitationPage, MemberPage, NamePage, WorkspaceRole,
};
use chat_core::codec::Digest;
use chat_core::id::{AccountId, ConversationId, InvitationId, WorkspaceId};
use chat_core::time::Timestamp;

use super::{Store, discovery, ending, invitations, workspaces};
use crate::storage::{
    AccountErased, InvitationRecord, SessionRecord, Standing, StorageError, WorkspaceRecord,
    WorkspaceStorage,
};

#[async_trait]
impl WorkspaceStorage for Store {
    async fn create_workspace(
        &self,
        workspace: WorkspaceId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        grow!(self, workspaces::create(workspace, name, now))
    }

    async fn workspace(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Option<WorkspaceRecord>, StorageError> {
        read!(self, workspaces::by_id(workspace))
    }

    async fn workspaces(
        &self,
        after: Option<WorkspaceId>,
        limit: usize,
    ) -> Result<Vec<WorkspaceRecord>, StorageError> {
        read!(self, workspaces::all(after, limit))
    }

    async fn standing(&self, account: AccountId) -> Result<Option<Standing>, StorageError> {
        read!(self, workspaces::standing(account))
    }

    async fn workspace_members(
        &self,
        workspace: WorkspaceId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<MemberPage, StorageError> {
        read!(self, workspaces::members(workspace, after, limit))
    }

    async fn set_workspace_role(
        &self,
        account: AccountId,
        expected: Standing,
        role: WorkspaceRole,
    ) -> Result<(), StorageError> {
        write!(self, workspaces::set_role(account, expected, role))
    }

    async fn set_account_state(
        &self,
        account: AccountId,
        expected: Standing,
        state: AccountState,
    ) -> Result<(), StorageError> {
        write!(self, workspaces::set_state(account, expected, state))
    }

    async fn delete_account(
        &self,
        account: AccountId,
        expected: Standing,
        name_free_at: Timestamp,
        now: Timestamp,
    ) -> Result<AccountErased, StorageError> {
        write!(self, ending::delete(account, expected, name_free_at, now))
    }

    async fn add_invitation(
        &self,
        record: &InvitationRecord,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        grow!(self, invitations::add_invitation(record, now))
    }

    async fn invitation(
        &self,
        hash: Digest,
        now: Timestamp,
    ) -> Result<Option<(WorkspaceId, Invitation)>, StorageError> {
        read!(self, invitations::invitation(hash, now))
    }

    async fn invitations(
        &self,
        workspace: WorkspaceId,
        after: Option<InvitationId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<InvitationPage, StorageError> {
        read!(self, invitations::invitations(workspace, after, limit, now))
    }

    async fn revoke_invitation(
        &self,
        workspace: WorkspaceId,
        invitation: InvitationId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, invitations::revoke_invitation(workspace, invitation, now))
    }

    async fn known_to(
        &self,
        account: AccountId,
        others: &[AccountId],
    ) -> Result<Vec<AccountId>, StorageError> {
        read!(self, discovery::known_to(account, others))
    }

    async fn of_workspace(
        &self,
        workspace: WorkspaceId,
        others: &[AccountId],
    ) -> Result<Vec<AccountId>, StorageError> {
        read!(self, discovery::of_workspace(workspace, others))
    }

    async fn names(
        &self,
        workspace: WorkspaceId,
        prefix: &str,
        after: &str,
        among: Option<AccountId>,
        limit: usize,
    ) -> Result<NamePage, StorageError> {
        read!(self, discovery::names(workspace, prefix, after, among, limit))
    }

    async fn channels(
        &self,
        workspace: WorkspaceId,
        asking: AccountId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<ChannelPage, StorageError> {
        read!(self, discovery::channels(workspace, asking, after, limit))
    }

    async fn conversation_of_document(
        &self,
        workspace: WorkspaceId,
        document: &str,
    ) -> Result<Option<ConversationId>, StorageError> {
        read!(self, discovery::of_document(workspace, document))
    }

    async fn whole_log(
        &self,
        conversation: ConversationId,
        from: u64,
        limit: usize,
    ) -> Result<MembershipPage, StorageError> {
        read!(self, discovery::whole_log(conversation, from, limit))
    }

    async fn sessions(&self, account: AccountId) -> Result<Vec<SessionRecord>, StorageError> {
        read!(self, workspaces::sessions(account))
    }

    async fn revoke_account(&self, account: AccountId) -> Result<(), StorageError> {
        write!(self, workspaces::revoke_account(account))
    }
}
