//! The public objects that an account signs of its devices.

use chat_core::codec::{Digest, List};
use chat_core::device::{
    AccountDevices, DeviceCertificate, DeviceList, ListedDevice, PublishedDevices, VERSION,
};
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::signed::Unverified;
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};

use crate::error::{Kind, Result};

/// What a device of this version opens.
pub(crate) const SCHEMES: [WrapScheme; 5] = [
    WrapScheme::Ratchet,
    WrapScheme::HpkeX25519,
    WrapScheme::HpkeXwing,
    WrapScheme::RsaOaep4096,
    WrapScheme::SenderChain,
];

/// The account's word for a device.
pub(crate) fn certify(
    identity: &IdentitySecret,
    device: &DeviceSecrets,
    address: DeviceAddress,
    now: Timestamp,
) -> Result<Unverified<DeviceCertificate>> {
    let certificate = DeviceCertificate {
        version: VERSION,
        address,
        key: device.key(),
        agreement: device.agreement(),
        schemes: List::new(SCHEMES.to_vec())?,
        created_at: now,
    };
    Ok(identity.certify(&certificate))
}

/// The first list of an account, of its first device.
pub(crate) fn first(
    identity: &IdentitySecret,
    account: AccountId,
    certificate: Unverified<DeviceCertificate>,
    device: DeviceId,
    now: Timestamp,
) -> Result<PublishedDevices> {
    let listed = ListedDevice { device, certificate: certificate.digest(), removed_at: None };
    publish(identity, account, 1, Digest::ZERO, vec![listed], vec![certificate], now)
}

/// The list after `current`, with one device more.
///
/// # Errors
///
/// [`Kind::TooManyDevices`].
pub(crate) fn with(
    identity: &IdentitySecret,
    current: &AccountDevices,
    certificate: Unverified<DeviceCertificate>,
    device: DeviceId,
    now: Timestamp,
) -> Result<PublishedDevices> {
    if current.active().count() >= chat_core::limits::DEVICES_ACTIVE_MAX {
        return Err(Kind::TooManyDevices.into());
    }
    let mut listed = current.list().devices.to_vec();
    let mut certificates = current.to_published().certificates.into_vec();
    listed.push(ListedDevice { device, certificate: certificate.digest(), removed_at: None });
    certificates.push(certificate);
    next(identity, current, listed, certificates, now)
}

/// The list after `current`, with `device` marked as removed.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such device, or it was removed before.
pub(crate) fn without(
    identity: &IdentitySecret,
    current: &AccountDevices,
    device: DeviceId,
    now: Timestamp,
) -> Result<PublishedDevices> {
    let mut listed = current.list().devices.to_vec();
    let removed = listed
        .iter_mut()
        .find(|listed| listed.device == device && listed.removed_at.is_none())
        .ok_or(Kind::NotFound)?;
    removed.removed_at = Some(now);
    let certificates = current.to_published().certificates.into_vec();
    next(identity, current, listed, certificates, now)
}

fn next(
    identity: &IdentitySecret,
    current: &AccountDevices,
    listed: Vec<ListedDevice>,
    certificates: Vec<Unverified<DeviceCertificate>>,
    now: Timestamp,
) -> Result<PublishedDevices> {
    let number = current.number().checked_add(1).ok_or(Kind::TooManyDevices)?;
    let previous = current.list().digest();
    let now = now.max(current.list().created_at);
    publish(identity, current.account(), number, previous, listed, certificates, now)
}

fn publish(
    identity: &IdentitySecret,
    account: AccountId,
    number: u32,
    previous: Digest,
    listed: Vec<ListedDevice>,
    certificates: Vec<Unverified<DeviceCertificate>>,
    now: Timestamp,
) -> Result<PublishedDevices> {
    let devices = List::new(listed).map_err(|error| Kind::TooManyDevices.because(error))?;
    let list = DeviceList { version: VERSION, account, number, previous, devices, created_at: now };
    Ok(PublishedDevices {
        identity_key: identity.key(),
        list: identity.sign_list(&list),
        certificates: List::new(certificates)?,
    })
}
