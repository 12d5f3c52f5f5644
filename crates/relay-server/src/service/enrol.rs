//! Enrolling a device: the next device list, which names it, and its prekeys.

use chat_core::api::auth::{Enrol, Tokens};
use chat_core::device::AccountDevices;
use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};

use super::{Services, devices, not_verified, tokens};
use crate::storage::NewPrekeys;

/// Takes the new list over and logs the new device in.
///
/// # Errors
///
/// [`RejectCode::NotVerified`]; [`RejectCode::Conflict`] if another device changed the list.
pub async fn enrol(
    services: &Services,
    account: AccountId,
    enrol: Enrol,
) -> Result<Tokens, Reject> {
    let newer = AccountDevices::verify(account, enrol.devices).map_err(not_verified)?;
    let certificate = enrol.certificate.verify(&newer.identity_key()).map_err(not_verified)?;
    let address = certificate.address;
    let listed = newer.active_device(address.device);
    if address.account != account || listed != Some(&certificate) {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The new device list does not name the device that enrols."));
    }
    let (set, one_time) = enrol.prekeys.verify(&certificate).map_err(not_verified)?;
    let prekeys = NewPrekeys { set, one_time };
    devices::replace_verified(services, &newer, Some(&prekeys)).await?;
    tokens::begin(services, address).await
}
