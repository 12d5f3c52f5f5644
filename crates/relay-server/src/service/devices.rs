//! Replacing an account's device list by its successor; devices it drops are cut off at once.

use chat_core::device::{AccountDevices, PublishedDevices};
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::VerifyError;

use super::{Services, not_verified};
use crate::audit::{AuditEvent, Note};
use crate::bus::BusEvent;
use crate::registry::Ending;
use crate::storage::NewPrekeys;

/// Takes a new list over.
///
/// # Errors
///
/// [`RejectCode::NotVerified`]; [`RejectCode::Conflict`] if it does not continue the stored one.
pub async fn replace(
    services: &Services,
    account: AccountId,
    published: PublishedDevices,
) -> Result<(), Reject> {
    let newer = AccountDevices::verify(account, published).map_err(not_verified)?;
    replace_verified(services, &newer, None).await
}

pub(super) async fn replace_verified(
    services: &Services,
    newer: &AccountDevices,
    prekeys: Option<&NewPrekeys>,
) -> Result<(), Reject> {
    let account = newer.account();
    let stored = services.devices_of(account).await?;
    stored.check_successor(newer).map_err(|error| match error {
        VerifyError::Discontinuous => RejectCode::Conflict.into(),
        other => not_verified(other),
    })?;
    let replaced = services.storage.replace_devices(newer, prekeys, services.now()).await?;
    services.directory.forget_devices(account);
    for device in replaced.added {
        let address = DeviceAddress { account, device };
        let note = Note::done(AuditEvent::DeviceAdded).by_account(account).to_device(address);
        services.audit.note(note.saying(format_args!("list {}", newer.number())));
    }
    for device in replaced.removed {
        let address = DeviceAddress { account, device };
        let note = Note::done(AuditEvent::DeviceRemoved).by_account(account).to_device(address);
        services.audit.note(note.saying(format_args!("list {}", newer.number())));
        services.registry.end(address, Ending::Removed);
        services.bus.publish(&[account], BusEvent::DeviceRemoved { address });
    }
    let mut concerned = services.storage.acquaintances(account).await?;
    concerned.push(account);
    let event = BusEvent::DevicesChanged { account, number: newer.number() };
    services.bus.publish(&concerned, event);
    Ok(())
}
