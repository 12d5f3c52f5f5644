//! Invitations: a random token that is said once and kept as its hash.

use chat_core::api::workspaces::{
    INVITATION_USES_MAX, Invitation, InvitationPage, IssuedInvitation, NewInvitation,
};
use chat_core::codec::{Digest, from_base64url, to_base64url};
use chat_core::id::{InvitationId, WorkspaceId};
use chat_core::limits::PAGE_MAX;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::policy::workspace::{Act, may_decide};
use crate::storage::{InvitationRecord, Joins, Storage, StorageError};

/// How long an invitation may be good for.
const GOOD_FOR_MAX: std::time::Duration = std::time::Duration::from_secs(366 * 24 * 3600);

/// Issues an invitation.
///
/// # Errors
///
/// [`RejectCode::Forbidden`], also for a role that the caller may not give;
/// [`RejectCode::Malformed`] for uses or a time beyond their limits.
pub async fn issue(
    services: &Services,
    caller: Caller,
    new: NewInvitation,
) -> Result<IssuedInvitation, Reject> {
    let standing = services.allowed(caller, Act::ManageMembers).await?;
    if !may_decide(standing.role, new.role) {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("Admins invite guests and members; owners invite anybody."));
    }
    let now = services.now();
    check(new.uses, new.expires_at, now)?;
    let invitation = Invitation {
        invitation: InvitationId::random(&mut rand::rng()),
        role: new.role,
        uses_left: new.uses,
        expires_at: new.expires_at,
        issued_by: Some(caller.address.account),
    };
    let issued = keep(&*services.storage, standing.workspace, invitation, now).await?;
    let note = Note::done(AuditEvent::InvitationIssued).by(caller.address);
    let words = format!("{:?}, {} uses", new.role, new.uses);
    services.audit.note(note.to_subject(issued.invitation).saying(words));
    Ok(issued)
}

/// Checks that an invitation is good for somebody, and not for ever.
pub(crate) fn check(uses: u32, expires_at: Timestamp, now: Timestamp) -> Result<(), Reject> {
    let good = expires_at > now && expires_at <= now.after(GOOD_FOR_MAX);
    if (1..=INVITATION_USES_MAX).contains(&uses) && good {
        return Ok(());
    }
    Err(Reject::from(RejectCode::Malformed)
        .saying("An invitation is good for 1 to 10000 people and for at most a year from now."))
}

/// Draws a token and keeps the invitation under its hash.
pub(crate) async fn keep(
    storage: &dyn Storage,
    workspace: WorkspaceId,
    invitation: Invitation,
    now: Timestamp,
) -> Result<IssuedInvitation, StorageError> {
    let token = Zeroizing::new(crate::random::bytes::<32>());
    let record = InvitationRecord { workspace, hash: Digest::of(token.as_ref()), invitation };
    storage.add_invitation(&record, now).await?;
    let token = to_base64url(token.as_ref());
    Ok(IssuedInvitation { invitation: invitation.invitation, token })
}

/// A page of those that can be used.
///
/// # Errors
///
/// [`RejectCode::Forbidden`].
pub async fn list(
    services: &Services,
    caller: Caller,
    after: Option<InvitationId>,
) -> Result<InvitationPage, Reject> {
    let standing = services.allowed(caller, Act::ManageMembers).await?;
    let now = services.now();
    Ok(services.storage.invitations(standing.workspace, after, PAGE_MAX, now).await?)
}

/// Revokes one.
///
/// # Errors
///
/// [`RejectCode::Forbidden`]; [`RejectCode::NotFound`], for another workspace's too.
pub async fn revoke(
    services: &Services,
    caller: Caller,
    invitation: InvitationId,
) -> Result<(), Reject> {
    let standing = services.allowed(caller, Act::ManageMembers).await?;
    let now = services.now();
    services.storage.revoke_invitation(standing.workspace, invitation, now).await?;
    let note = Note::done(AuditEvent::InvitationRevoked).by(caller.address);
    services.audit.note(note.to_subject(invitation));
    Ok(())
}

/// How somebody who registers comes in.
///
/// # Errors
///
/// [`RejectCode::RegistrationClosed`]; [`RejectCode::InvitationInvalid`] for a token that can be
/// none.
pub(super) fn admission(services: &Services, token: Option<&str>) -> Result<Joins, Reject> {
    use crate::config::Registration::{Closed, Invitation, Open};
    match (services.accounts.registration, token) {
        (Closed, _) | (Invitation, None) => Err(RejectCode::RegistrationClosed.into()),
        (Open, None) => Ok(Joins::Open(services.workspace)),
        (Open | Invitation, Some(token)) => {
            let token = from_base64url(token).map(Zeroizing::new);
            match token {
                Ok(token) if token.len() == 32 => Ok(Joins::Invited(Digest::of(&token))),
                _ => Err(RejectCode::InvitationInvalid.into()),
            }
        }
    }
}
