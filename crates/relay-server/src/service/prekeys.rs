//! Prekeys: uploaded in sets, handed out one by one.

use std::collections::BTreeSet;

use chat_core::api::prekeys::{Bundles, FetchBundles, PrekeyCount};
use chat_core::codec::List;
use chat_core::limits::ONE_TIME_PREKEYS_LOW;
use chat_core::prekey::{PrekeyBundle, PrekeyUpload};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, not_verified};
use crate::bus::BusEvent;
use crate::limits::{Class, Subject};
use crate::storage::NewPrekeys;

/// Replaces the caller's prekeys.
///
/// # Errors
///
/// [`RejectCode::NotVerified`]; [`RejectCode::Conflict`] for a number that is not higher.
pub async fn put(services: &Services, caller: Caller, upload: PrekeyUpload) -> Result<(), Reject> {
    let devices = services.devices_of(caller.address.account).await?;
    let certificate =
        devices.active_device(caller.address.device).ok_or(RejectCode::DeviceRemoved)?;
    let (set, one_time) = upload.verify(certificate).map_err(not_verified)?;
    Ok(services.storage.put_prekeys(&NewPrekeys { set, one_time }).await?)
}

/// How many of the caller's one-time prekeys are left.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn count(services: &Services, caller: Caller) -> Result<PrekeyCount, Reject> {
    Ok(services.storage.prekey_count(caller.address).await?)
}

/// Takes a bundle for each device that has one and that the caller may know of, and tells devices
/// that run low.
///
/// # Errors
///
/// [`RejectCode::RateLimited`].
pub async fn fetch(
    services: &Services,
    caller: Caller,
    wanted: &FetchBundles,
) -> Result<Bundles, Reject> {
    let subject = Subject::Account(caller.address.account);
    services.take(Class::Fetch, subject).await?;
    let accounts: BTreeSet<_> = wanted.devices.iter().map(|device| device.account).collect();
    let accounts: Vec<_> = accounts.into_iter().collect();
    let known = services.known_to(caller.address.account, &accounts).await?;
    let devices = wanted.devices.iter().filter(|device| known.contains(&device.account));
    let devices: Vec<_> = devices.copied().collect();
    let bundles = services.storage.take_bundles(&devices).await?;
    for bundle in &bundles {
        tell_if_low(services, bundle).await;
    }
    Ok(Bundles { bundles: List::new(bundles).map_err(|_| RejectCode::Internal)? })
}

async fn tell_if_low(services: &Services, bundle: &PrekeyBundle) {
    let address = bundle.address;
    // A count that cannot be had is a hint not given; the device also looks when it connects.
    let Ok(count) = services.storage.prekey_count(address).await else { return };
    if is_low(count) {
        let event = BusEvent::PrekeysLow { address, remaining: count.remaining };
        services.bus.publish(&[address.account], event);
    }
}

/// Tells whether a device should upload a new set.
#[must_use]
pub fn is_low(count: PrekeyCount) -> bool {
    usize::try_from(count.remaining).is_ok_and(|remaining| remaining < ONE_TIME_PREKEYS_LOW)
}
