//! Beginning a conversation and changing its members: every entry is checked as clients check it.

use chat_core::api::conversations::MembershipHead;
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::ENTRY_AHEAD_MAX;
use chat_core::membership::{Change, Membership, MembershipEntry, MembershipError, SignedEntry};
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::Verified;

use super::{Caller, Services, channels, not_verified};
use crate::audit::{AuditEvent, Note};
use crate::bus::BusEvent;
use crate::policy::workspace::{Act, check};
use crate::storage::StorageError;

/// Begins a conversation with its creation entry.
///
/// # Errors
///
/// [`RejectCode::NotVerified`], [`RejectCode::ConversationExists`] for a second direct one or a
/// second one of a document, [`RejectCode::NotFound`] for a member there is not in the workspace,
/// [`RejectCode::Forbidden`] for what a guest may not begin.
pub async fn create(
    services: &Services,
    caller: Caller,
    entry: SignedEntry,
) -> Result<MembershipHead, Reject> {
    let entry = verified(services, caller, entry).await?;
    let membership = Membership::create(&entry).map_err(refusal)?;
    check_beginning(services, caller, &membership).await?;
    services.storage.create_conversation(&entry, &membership, services.now()).await.map_err(
        |error| match error {
            StorageError::NotFound => nobody(),
            other => other.into(),
        },
    )?;
    let note = Note::done(AuditEvent::ConversationCreated).by(caller.address);
    services.audit.note(note.within(membership.id()));
    tell(services, &membership, &[]);
    Ok(head(&membership))
}

/// Appends an entry to a conversation's membership log.
///
/// # Errors
///
/// [`RejectCode::NotAMember`], [`RejectCode::NotVerified`], [`RejectCode::Forbidden`];
/// [`RejectCode::Conflict`] if the log has grown meanwhile.
pub async fn append(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    entry: SignedEntry,
) -> Result<MembershipHead, Reject> {
    let stored = services.storage.conversation(conversation).await?;
    let before = stored.ok_or(RejectCode::NotAMember)?.membership;
    let resent = entry.entry.digest() == before.head();
    let account = caller.address.account;
    let may_see = resent
        || before.role(account).is_some()
        || channels::is_open_to(services, account, &before).await?;
    if !may_see {
        return Err(RejectCode::NotAMember.into());
    }
    let entry = verified(services, caller, entry).await?;
    if resent {
        // The answer to the first attempt was lost; this is it.
        return Ok(head(&before));
    }
    let mut after = before.clone();
    after.apply(&entry).map_err(refusal)?;
    if let Change::Add { members } = &entry.change {
        let added: Vec<_> = members.iter().map(|member| member.account).collect();
        check_known(services, caller, &added).await?;
    }
    services.storage.append_entry(&entry, &after, services.now()).await.map_err(
        |error| match error {
            StorageError::NotFound => nobody(),
            other => other.into(),
        },
    )?;
    let note = Note::done(AuditEvent::MembershipChanged).by(caller.address).within(conversation);
    services.audit.note(note.saying(words(&entry.change)));
    let left: Vec<AccountId> = before
        .members()
        .map(|member| member.account)
        .filter(|account| after.role(*account).is_none())
        .collect();
    tell(services, &after, &left);
    Ok(head(&after))
}

/// What the signed rules cannot say: in which workspace, and whether as a guest.
async fn check_beginning(
    services: &Services,
    caller: Caller,
    membership: &Membership,
) -> Result<(), Reject> {
    let standing = services.standing(caller.address.account).await?;
    if membership.workspace() != standing.workspace {
        return Err(Reject::from(RejectCode::NotFound).saying("There is no such workspace here."));
    }
    if membership.kind().is_shared() {
        check(standing.role, Act::UseChannels)?;
    }
    let members: Vec<_> = membership.members().map(|member| member.account).collect();
    check_known(services, caller, &members).await
}

/// Nobody adds whom they may not know of.
async fn check_known(
    services: &Services,
    caller: Caller,
    accounts: &[AccountId],
) -> Result<(), Reject> {
    let known = services.known_to(caller.address.account, accounts).await?;
    if accounts.iter().all(|account| known.contains(account)) { Ok(()) } else { Err(nobody()) }
}

fn nobody() -> Reject {
    Reject::from(RejectCode::NotFound)
        .saying("One of the members is not an account of this workspace.")
}

/// Only the device that signed an entry may hand it in.
async fn verified(
    services: &Services,
    caller: Caller,
    entry: SignedEntry,
) -> Result<Verified<MembershipEntry>, Reject> {
    if entry.signer != caller.address {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The entry must be signed by the device that sends it."));
    }
    let devices = services.devices_of(caller.address.account).await?;
    let entry = entry.verify(&devices).map_err(not_verified)?;
    // SECURITY: later entries may not be dated earlier, and a removed device counts only for what
    // is dated before its removal: one date in the far future would spoil the log for newcomers.
    if entry.at > services.now().after(ENTRY_AHEAD_MAX) {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The entry is dated ahead of the relay's clock; set the device's clock."));
    }
    Ok(entry)
}

/// A change as the audit log tells it: what, and to which account.
fn words(change: &Change) -> String {
    match change {
        Change::Add { members } => {
            let accounts: Vec<_> = members.iter().map(|one| one.account.to_string()).collect();
            format!("add {}", accounts.join(" "))
        }
        Change::Remove { account } => format!("remove {account}"),
        Change::Leave => "leave".to_owned(),
        Change::Join => "join".to_owned(),
        Change::SetRole { account, role } => format!("role {account} {role:?}"),
        Change::SetPolicy { .. } => "policy".to_owned(),
        _ => "other".to_owned(),
    }
}

fn refusal(error: MembershipError) -> Reject {
    let code = match error {
        MembershipError::Stale => RejectCode::Conflict,
        MembershipError::NotAllowed => RejectCode::Forbidden,
        MembershipError::TooMany => RejectCode::TooLarge,
        _ => RejectCode::NotVerified,
    };
    Reject::from(code).saying(format!("The entry is refused: {error}."))
}

fn tell(services: &Services, membership: &Membership, left: &[AccountId]) {
    services.directory.forget_conversation(membership.id());
    let mut concerned: Vec<_> = membership.members().map(|member| member.account).collect();
    concerned.extend(left);
    let event = BusEvent::Membership { conversation: membership.id(), index: membership.index() };
    services.bus.publish(&concerned, event);
}

fn head(membership: &Membership) -> MembershipHead {
    MembershipHead {
        conversation: membership.id(),
        index: membership.index(),
        head: membership.head(),
    }
}
