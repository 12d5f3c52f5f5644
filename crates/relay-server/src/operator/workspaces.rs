//! Workspaces, invitations and members, as an operator manages them: by the database alone, whether
//! nodes run or not. Each act is in the audit log.

use std::time::Duration;

use chat_core::api::workspaces::{
    AccountState, Invitation, IssuedInvitation, WorkspaceMember, WorkspaceRole, is_workspace_name,
};
use chat_core::id::{AccountId, InvitationId, WorkspaceId};
use chat_core::limits::PAGE_MAX;
use chat_core::time::Timestamp;

use super::{COMMAND_LINE, OperatorError};
use crate::audit::{AuditEvent, Note};
use crate::clock::{Clock as _, SystemClock};
use crate::service::invitations;
use crate::storage::{Standing, Storage, StorageError, WorkspaceRecord};

/// How many workspaces are read at once.
const PAGE: usize = 500;

/// Makes a workspace called `name`.
///
/// # Errors
///
/// [`OperatorError::WorkspaceName`] for what cannot be one.
pub async fn create(storage: &dyn Storage, name: &str) -> Result<WorkspaceId, OperatorError> {
    if !is_workspace_name(name) {
        return Err(OperatorError::WorkspaceName);
    }
    let workspace = WorkspaceId::random(&mut rand::rng());
    storage.create_workspace(workspace, name, SystemClock.now()).await?;
    note(storage, Note::done(AuditEvent::WorkspaceCreated).to_subject(workspace)).await?;
    Ok(workspace)
}

/// All workspaces.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn list(storage: &dyn Storage) -> Result<Vec<WorkspaceRecord>, OperatorError> {
    let mut all: Vec<WorkspaceRecord> = Vec::new();
    loop {
        let after = all.last().map(|record| record.workspace);
        let page = storage.workspaces(after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The workspace of this name or id; without one, the one people come into without an invitation.
///
/// # Errors
///
/// [`OperatorError::NoWorkspace`]; [`OperatorError::ManyWorkspaces`] if a name is not enough.
pub async fn find(storage: &dyn Storage, name: Option<&str>) -> Result<WorkspaceId, OperatorError> {
    let mut found = list(storage).await?;
    found.retain(|record| match name {
        None => record.is_default,
        Some(name) => record.name == name || name.parse() == Ok(record.workspace),
    });
    let name = || name.unwrap_or("default").to_owned();
    match found.as_slice() {
        [] => Err(OperatorError::NoWorkspace(name())),
        [one] => Ok(one.workspace),
        _ => Err(OperatorError::ManyWorkspaces(name())),
    }
}

/// Everybody of a workspace.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn members(
    storage: &dyn Storage,
    workspace: WorkspaceId,
) -> Result<Vec<WorkspaceMember>, OperatorError> {
    let mut all: Vec<WorkspaceMember> = Vec::new();
    loop {
        let after = all.last().map(|member| member.account);
        let page = storage.workspace_members(workspace, after, PAGE_MAX).await?;
        all.extend(page.members.into_vec());
        if !page.more {
            return Ok(all);
        }
    }
}

/// The invitations to a workspace that can still be used.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn invitations(
    storage: &dyn Storage,
    workspace: WorkspaceId,
) -> Result<Vec<Invitation>, OperatorError> {
    let (mut all, now): (Vec<Invitation>, _) = (Vec::new(), SystemClock.now());
    loop {
        let after = all.last().map(|invitation| invitation.invitation);
        let page = storage.invitations(workspace, after, PAGE_MAX, now).await?;
        all.extend(page.invitations.into_vec());
        if !page.more {
            return Ok(all);
        }
    }
}

/// Issues an invitation to a workspace, with any role: this is how its first owner comes in.
///
/// # Errors
///
/// [`OperatorError::Refused`] for uses or a time beyond their limits; [`OperatorError::Storage`] for
/// a workspace there is not.
pub async fn invite(
    storage: &dyn Storage,
    workspace: WorkspaceId,
    role: WorkspaceRole,
    uses: u32,
    good_for: Duration,
) -> Result<IssuedInvitation, OperatorError> {
    let now = SystemClock.now();
    let invitation = Invitation {
        invitation: InvitationId::random(&mut rand::rng()),
        role,
        uses_left: uses,
        expires_at: now.after(good_for),
        issued_by: None,
    };
    invitations::check(uses, invitation.expires_at, now)?;
    let issued = invitations::keep(storage, workspace, invitation, now).await?;
    let words = format!("{role:?}, {uses} uses, workspace {workspace}");
    let done = Note::done(AuditEvent::InvitationIssued).to_subject(issued.invitation);
    note(storage, done.saying(words)).await?;
    Ok(issued)
}

/// Revokes an invitation.
///
/// # Errors
///
/// [`OperatorError::Storage`] for one there is not.
pub async fn revoke(
    storage: &dyn Storage,
    workspace: WorkspaceId,
    invitation: InvitationId,
) -> Result<(), OperatorError> {
    storage.revoke_invitation(workspace, invitation, SystemClock.now()).await?;
    note(storage, Note::done(AuditEvent::InvitationRevoked).to_subject(invitation)).await
}

/// Gives somebody another role in their workspace: this is how an owner is made where anybody
/// registered.
///
/// # Errors
///
/// [`OperatorError::Storage`] for an account there is not, or for the last owner.
pub async fn set_role(
    storage: &dyn Storage,
    account: AccountId,
    role: WorkspaceRole,
) -> Result<(), OperatorError> {
    let standing = standing(storage, account).await?;
    storage.set_workspace_role(account, standing, role).await?;
    let done = Note::done(AuditEvent::RoleChanged).to_subject(account);
    note(storage, done.saying(format_args!("{:?} to {role:?}", standing.role))).await
}

/// Suspends or reinstates somebody. Nodes that run refuse their tokens at once, and end their
/// connections when they look: [`super::nodes::look_at`] has them do it now.
///
/// # Errors
///
/// As [`set_role`].
pub async fn set_state(
    storage: &dyn Storage,
    account: AccountId,
    state: AccountState,
) -> Result<(), OperatorError> {
    let standing = standing(storage, account).await?;
    storage.set_account_state(account, standing, state).await?;
    let event = match state {
        AccountState::Active => AuditEvent::AccountReinstated,
        _ => AuditEvent::AccountSuspended,
    };
    note(storage, Note::done(event).to_subject(account)).await
}

/// Deletes an account; its name is kept from others until `name_free_at`.
///
/// # Errors
///
/// As [`set_role`].
pub async fn delete_account(
    storage: &dyn Storage,
    account: AccountId,
    name_free_at: Timestamp,
) -> Result<(), OperatorError> {
    let standing = standing(storage, account).await?;
    storage.delete_account(account, standing, name_free_at, SystemClock.now()).await?;
    note(storage, Note::done(AuditEvent::AccountRemoved).to_subject(account)).await
}

async fn standing(storage: &dyn Storage, account: AccountId) -> Result<Standing, StorageError> {
    let standing = storage.standing(account).await?;
    let there = standing.filter(|standing| standing.state != AccountState::Gone);
    there.ok_or(StorageError::NotFound)
}

pub(super) async fn note(storage: &dyn Storage, note: Note) -> Result<(), OperatorError> {
    let record = note.record(SystemClock.now(), COMMAND_LINE);
    Ok(storage.append_audit(&[record]).await?)
}
