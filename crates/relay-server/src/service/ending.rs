//! Deleting an account: by itself, with the signature of one of its devices, or by an admin.

use chat_core::api::workspaces::{DeleteAccount, deletion_input};
use chat_core::codec::to_bytes;
use chat_core::id::AccountId;
use chat_core::key::Verifier as _;
use chat_core::label;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::bus::{AccountEnding, BusEvent};
use crate::limits::{Class, Subject};
use crate::registry::Ending;
use crate::storage::{PendingKind, Standing};

/// Deletes the caller's account, if its device has signed that a moment ago.
///
/// # Errors
///
/// [`RejectCode::InvalidCredentials`] for another signature, or one of another time;
/// [`RejectCode::LastOwner`].
pub async fn by_itself(
    services: &Services,
    caller: Caller,
    request: &DeleteAccount,
) -> Result<(), Reject> {
    services.take(Class::Challenge, Subject::Device(caller.address)).await?;
    let (address, account) = (caller.address, caller.address.account);
    if let Err(refusal) = check(services, caller, request).await {
        let note = Note::refused(AuditEvent::AccountDeleted).by(address);
        services.audit.note(note.saying(refusal.code.code()));
        return Err(refusal);
    }
    let standing = services.standing(account).await?;
    let note = Note::done(AuditEvent::AccountDeleted).by(address);
    erase(services, account, standing, note).await
}

/// SECURITY: a stolen token is not enough; the device's key has to speak, now, and of deletion.
async fn check(services: &Services, caller: Caller, request: &DeleteAccount) -> Result<(), Reject> {
    let wrong = Reject::from(RejectCode::InvalidCredentials)
        .saying("The device has not signed that its account is to be deleted, or not just now.");
    let address = caller.address;
    let kind = PendingKind::Challenge;
    let pending = services.storage.take_pending(kind, &request.nonce, services.now()).await?;
    if pending.is_none_or(|asked_by| *asked_by != to_bytes(&address)) {
        return Err(wrong);
    }
    let devices = services.devices_of(address.account).await?;
    let certificate = devices.active_device(address.device).ok_or(RejectCode::DeviceRemoved)?;
    let signed = services.origins.iter().any(|origin| {
        let input = deletion_input(origin, &request.nonce, address);
        certificate.key.verifies(label::ACCOUNT_DELETION, &input, &request.signature)
    });
    if signed { Ok(()) } else { Err(wrong) }
}

/// Erases an account that stands so, ends its connections and tells whoever shared a conversation.
pub(super) async fn erase(
    services: &Services,
    account: AccountId,
    standing: Standing,
    note: Note,
) -> Result<(), Reject> {
    let now = services.now();
    let name_free_at = now.after(services.accounts.name_kept);
    let erased = services.storage.delete_account(account, standing, name_free_at, now).await?;
    services.audit.note(note);
    services.directory.forget_devices(account);
    for conversation in &erased.conversations {
        services.directory.forget_conversation(*conversation);
    }
    services.registry.end_account(account, Ending::AccountDeleted);
    let why = AccountEnding::Deleted;
    services.bus.publish(&[account], BusEvent::AccountEnded { account, why });
    services.bus.publish(&erased.acquaintances, BusEvent::AccountDeleted { account });
    Ok(())
}
