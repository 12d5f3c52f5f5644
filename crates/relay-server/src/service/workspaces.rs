//! The workspace that an account is in, and making another; who may know of whom.

use std::time::Duration;

use chat_core::api::workspaces::{
    AccountState, CreatedWorkspace, Invitation, MemberPage, NamePage, Workspace, WorkspaceRole,
    is_workspace_name,
};
use chat_core::id::{AccountId, InvitationId, WorkspaceId};
use chat_core::limits::{PAGE_MAX, USERNAME_CHARS};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, invitations};
use crate::audit::{AuditEvent, Note};
use crate::config::WorkspacesBy;
use crate::policy::workspace::{Act, allows, check};
use crate::storage::Standing;

/// How long the invitation of a workspace's first owner is good for.
const OWNER_INVITED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

impl Services {
    /// Where an account belongs, and as what.
    ///
    /// # Errors
    ///
    /// [`RejectCode::NotFound`].
    pub async fn standing(&self, account: AccountId) -> Result<Standing, Reject> {
        Ok(self.storage.standing(account).await?.ok_or(RejectCode::NotFound)?)
    }

    /// The same of somebody who calls, and that they may.
    ///
    /// # Errors
    ///
    /// [`RejectCode::Forbidden`] for what the role does not allow.
    pub async fn allowed(&self, caller: Caller, act: Act) -> Result<Standing, Reject> {
        let standing = self.standing(caller.address.account).await?;
        check(standing.role, act)?;
        Ok(standing)
    }

    /// Those of `others` that `account` may know of: they are in its workspace and, for a guest,
    /// are or were in a conversation with it.
    ///
    /// # Errors
    ///
    /// [`RejectCode::NotFound`] for an account there is not.
    pub async fn known_to(
        &self,
        account: AccountId,
        others: &[AccountId],
    ) -> Result<Vec<AccountId>, Reject> {
        let standing = self.standing(account).await?;
        let all = allows(standing.role, Act::KnowEverybody);
        Ok(match all {
            true => self.storage.of_workspace(standing.workspace, others).await?,
            false => self.storage.known_to(account, others).await?,
        })
    }

    /// Fails as if there were nobody, unless `account` may know of `other`.
    ///
    /// # Errors
    ///
    /// [`RejectCode::NotFound`].
    pub async fn check_knows(&self, account: AccountId, other: AccountId) -> Result<(), Reject> {
        let known = self.known_to(account, &[other]).await?;
        if known.is_empty() { Err(RejectCode::NotFound.into()) } else { Ok(()) }
    }
}

/// The caller's workspace.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn own(services: &Services, caller: Caller) -> Result<Workspace, Reject> {
    let Standing { workspace, role, .. } = services.standing(caller.address.account).await?;
    let record = services.storage.workspace(workspace).await?.ok_or(RejectCode::NotFound)?;
    Ok(Workspace { workspace, name: record.name, role })
}

/// A page of its members.
///
/// # Errors
///
/// [`RejectCode::Forbidden`] for guests.
pub async fn members(
    services: &Services,
    caller: Caller,
    after: Option<AccountId>,
) -> Result<MemberPage, Reject> {
    let standing = services.allowed(caller, Act::KnowEverybody).await?;
    Ok(services.storage.workspace_members(standing.workspace, after, PAGE_MAX).await?)
}

/// A page of the names that begin with `prefix`; for a guest, of people it shares a conversation
/// with.
///
/// # Errors
///
/// [`RejectCode::Malformed`] for what no name begins with.
pub async fn search(
    services: &Services,
    caller: Caller,
    prefix: &str,
    after: &str,
) -> Result<NamePage, Reject> {
    let fits = |text: &str| {
        text.len() <= *USERNAME_CHARS.end()
            && text.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    };
    if !fits(prefix) || !fits(after) {
        return Err(Reject::from(RejectCode::Malformed).saying("No name begins with that."));
    }
    let account = caller.address.account;
    let standing = services.standing(account).await?;
    let among = (!allows(standing.role, Act::KnowEverybody)).then_some(account);
    Ok(services.storage.names(standing.workspace, prefix, after, among, PAGE_MAX).await?)
}

/// Makes a workspace for an owner of another, where the operator lets owners.
///
/// # Errors
///
/// [`RejectCode::Forbidden`]; [`RejectCode::Malformed`] for a name that is none.
pub async fn create_by_owner(
    services: &Services,
    caller: Caller,
    name: &str,
) -> Result<CreatedWorkspace, Reject> {
    services.allowed(caller, Act::CreateWorkspaces).await?;
    if services.accounts.workspaces != WorkspacesBy::Owners {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("At this relay only its operator makes workspaces."));
    }
    let created = create(services, name).await?;
    let note = Note::done(AuditEvent::WorkspaceCreated).by(caller.address);
    services.audit.note(note.to_subject(created.workspace));
    Ok(created)
}

/// Makes a workspace, and the invitation for its first owner.
///
/// # Errors
///
/// [`RejectCode::Malformed`] for a name that is none.
async fn create(services: &Services, name: &str) -> Result<CreatedWorkspace, Reject> {
    if !is_workspace_name(name) {
        return Err(Reject::from(RejectCode::Malformed)
            .saying("A workspace's name has 1 to 64 bytes, none of them a control character."));
    }
    let workspace = WorkspaceId::random(&mut rand::rng());
    services.storage.create_workspace(workspace, name, services.now()).await?;
    let invitation = Invitation {
        invitation: InvitationId::random(&mut rand::rng()),
        role: WorkspaceRole::Owner,
        uses_left: 1,
        expires_at: services.now().after(OWNER_INVITED_FOR),
        issued_by: None,
    };
    let now = services.now();
    let owner = invitations::keep(&*services.storage, workspace, invitation, now).await?;
    Ok(CreatedWorkspace { workspace, owner })
}

/// Fails unless an account may act.
///
/// # Errors
///
/// [`RejectCode::AccountSuspended`]; [`RejectCode::TokenInvalid`] for one that is gone.
pub(super) fn check_active(standing: Standing) -> Result<(), Reject> {
    match standing.state {
        AccountState::Active => Ok(()),
        AccountState::Suspended => Err(RejectCode::AccountSuspended.into()),
        AccountState::Gone => Err(RejectCode::TokenInvalid.into()),
    }
}
