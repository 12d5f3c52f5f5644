//! What admins and owners do about members of their workspace. Who is suspended or removed is cut
//! off at once, on every node: the store refuses their tokens, and the bus ends their connections.

use chat_core::api::workspaces::{AccountState, WorkspaceRole};
use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, ending};
use crate::audit::{AuditEvent, Note};
use crate::bus::{AccountEnding, BusEvent};
use crate::policy::workspace::{Act, may_decide};
use crate::registry::Ending;
use crate::storage::Standing;

/// Gives a member another role.
///
/// # Errors
///
/// [`RejectCode::Forbidden`], [`RejectCode::NotFound`] for somebody of another workspace,
/// [`RejectCode::LastOwner`]; [`RejectCode::Conflict`] if somebody else was first.
pub async fn set_role(
    services: &Services,
    caller: Caller,
    account: AccountId,
    role: WorkspaceRole,
) -> Result<(), Reject> {
    let (ours, theirs) = subject(services, caller, account).await?;
    // Whoever may decide steps down without asking anybody.
    let steps_down = account == caller.address.account && role < ours.role;
    let decides = may_decide(ours.role, theirs.role) && may_decide(ours.role, role);
    if !steps_down && !decides {
        return Err(forbidden());
    }
    if theirs.role == role {
        return Ok(());
    }
    services.storage.set_workspace_role(account, theirs, role).await?;
    let note = Note::done(AuditEvent::RoleChanged).by(caller.address).to_subject(account);
    services.audit.note(note.saying(format_args!("{:?} to {role:?}", theirs.role)));
    Ok(())
}

/// Suspends or reinstates a member.
///
/// # Errors
///
/// As [`set_role`]; [`RejectCode::Malformed`] for a state that is not set so.
pub async fn set_state(
    services: &Services,
    caller: Caller,
    account: AccountId,
    state: AccountState,
) -> Result<(), Reject> {
    let (ours, theirs) = subject(services, caller, account).await?;
    if !may_decide(ours.role, theirs.role) {
        return Err(forbidden());
    }
    let event = match state {
        AccountState::Active => AuditEvent::AccountReinstated,
        AccountState::Suspended => AuditEvent::AccountSuspended,
        AccountState::Gone => {
            return Err(
                Reject::from(RejectCode::Malformed).saying("An account is removed with DELETE.")
            );
        }
    };
    if theirs.state == state {
        return Ok(());
    }
    services.storage.set_account_state(account, theirs, state).await?;
    services.audit.note(Note::done(event).by(caller.address).to_subject(account));
    if state == AccountState::Suspended {
        services.registry.end_account(account, Ending::Suspended);
        let why = AccountEnding::Suspended;
        services.bus.publish(&[account], BusEvent::AccountEnded { account, why });
    }
    Ok(())
}

/// Removes a member for good, as if it had deleted its account.
///
/// # Errors
///
/// As [`set_role`].
pub async fn remove(services: &Services, caller: Caller, account: AccountId) -> Result<(), Reject> {
    let (ours, theirs) = subject(services, caller, account).await?;
    if !may_decide(ours.role, theirs.role) {
        return Err(forbidden());
    }
    let note = Note::done(AuditEvent::AccountRemoved).by(caller.address).to_subject(account);
    ending::erase(services, account, theirs, note).await
}

/// The caller, who may manage members, and somebody of the same workspace.
async fn subject(
    services: &Services,
    caller: Caller,
    account: AccountId,
) -> Result<(Standing, Standing), Reject> {
    let ours = services.allowed(caller, Act::ManageMembers).await?;
    let theirs = services.storage.standing(account).await?;
    let there = |theirs: &Standing| {
        theirs.workspace == ours.workspace && theirs.state != AccountState::Gone
    };
    Ok((ours, theirs.filter(there).ok_or(RejectCode::NotFound)?))
}

fn forbidden() -> Reject {
    Reject::from(RejectCode::Forbidden)
        .saying("Admins decide about guests and members, and owners about everybody.")
}
