//! Receipts: checked, kept, and told to the other members.

use chat_core::device::DeviceCertificate;
use chat_core::receipt::SignedReceipt;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::Verified;

use super::{Services, not_verified};
use crate::bus::BusEvent;
use crate::limits::{Class, Subject};
use crate::storage::{ReceiptOutcome, StorageError};

/// Takes a receipt of the device with this certificate.
///
/// # Errors
///
/// [`RejectCode::NotVerified`], [`RejectCode::NotAMember`], [`RejectCode::RateLimited`].
pub async fn put(
    services: &Services,
    certificate: &Verified<DeviceCertificate>,
    receipt: SignedReceipt,
) -> Result<(), Reject> {
    let subject = Subject::Account(certificate.address.account);
    services.take(Class::Receipt, subject).await?;
    if receipt.signer != certificate.address {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The receipt must be signed by the device that sends it."));
    }
    let verified = receipt.clone().verify(certificate).map_err(not_verified)?;
    let known = services.directory.conversation(verified.conversation).await?;
    let outcome = services.storage.put_receipt(&verified, services.now()).await.map_err(
        |error| match error {
            StorageError::NotFound => Reject::from(RejectCode::NotAMember)
                .saying("The receipt is for a message this account cannot have."),
            other => other.into(),
        },
    )?;
    if let (ReceiptOutcome::Advanced, Some(known)) = (outcome, known) {
        services.bus.publish(&known.recipients, BusEvent::Receipt { receipt });
    }
    Ok(())
}
