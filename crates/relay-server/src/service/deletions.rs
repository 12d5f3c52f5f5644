//! Deleting for everybody: checked, erased here, and told to the members.

use chat_core::deletion::SignedDeletion;
use chat_core::id::ConversationId;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::VerifyError;

use super::{Caller, Services, not_verified};
use crate::bus::BusEvent;

/// Erases a message by the word of the device that calls.
///
/// A message that is gone already, or of which nothing is known, is no error: whoever does not know
/// whether the answer was lost may ask again.
///
/// # Errors
///
/// [`RejectCode::NotVerified`], [`RejectCode::NotAMember`]; [`RejectCode::Forbidden`] for the
/// message of somebody else that the policy does not let it delete.
pub async fn delete(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    signed: SignedDeletion,
) -> Result<(), Reject> {
    if signed.signer != caller.address {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The deletion must be signed by the device that sends it."));
    }
    let account = caller.address.account;
    let devices = services.devices_of(account).await?;
    let deletion = signed.clone().verify(&devices).map_err(not_verified)?;
    if deletion.conversation != conversation {
        return Err(not_verified(VerifyError::Misplaced));
    }
    let known = services.directory.conversation(conversation).await?;
    let known = known.ok_or(RejectCode::NotAMember)?;
    known.membership.role(account).ok_or(RejectCode::NotAMember)?;
    let message = deletion.message;
    let Some(sender) = services.storage.sender_of(conversation, message).await? else {
        return Ok(());
    };
    if !known.membership.may_delete(account, sender.account) {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("This conversation does not let this account delete messages of others."));
    }
    if let Some(sequence) = services.storage.delete_message(&deletion, services.now()).await? {
        services.metrics.deleted.add(1);
        let deletion = Some(signed);
        let event = BusEvent::Deleted { conversation, sequence, message, deletion };
        services.bus.publish(&known.recipients, event);
    }
    Ok(())
}
