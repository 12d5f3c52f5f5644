//! Devices: each certified by its account's identity key, all named in one signed list.
//!
//! ```text
//!  identity key ──signs──▶ DeviceCertificate (key, agreement key, schemes)   one a device
//!       └────────signs──▶ DeviceList 1 ◀─hash─ DeviceList 2 ◀─hash─ …       names certificates
//! ```
//!
//! A relay can withhold the newest list for a while; it cannot add a device. A removed device stays
//! in the list with the moment of its removal, so that what it signed before still verifies.
//! Names of devices are absent: they are for people, so they travel sealed.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{Digest, List};
use crate::envelope::WrapScheme;
use crate::id::{AccountId, DeviceAddress, DeviceId};
use crate::key::{AgreementKey, DeviceKey, IdentityKey};
use crate::label::{self, Label};
use crate::limits::{DEVICES_ACTIVE_MAX, DEVICES_LISTED_MAX};
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// The version these objects are written in.
pub const VERSION: u8 = 1;

/// What an account says of one of its devices.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct DeviceCertificate {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose device, and which.
    #[n(1)]
    pub address: DeviceAddress,
    /// Signs what the device says.
    #[n(2)]
    pub key: DeviceKey,
    /// The device's part in handshakes.
    #[n(3)]
    pub agreement: AgreementKey,
    /// The wrap schemes that the device opens.
    #[n(4)]
    pub schemes: List<WrapScheme, 8>,
    /// When the certificate was made.
    #[n(5)]
    pub created_at: Timestamp,
}

impl Signable for DeviceCertificate {
    const LABEL: Label = label::DEVICE_CERTIFICATE;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A line of a device list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct ListedDevice {
    /// Which device.
    #[n(0)]
    pub device: DeviceId,
    /// The digest of its signed certificate.
    #[n(1)]
    pub certificate: Digest,
    /// When it was removed, if it was.
    #[n(2)]
    pub removed_at: Option<Timestamp>,
}

/// All devices of an account, in one version of a hash-chained list.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct DeviceList {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose devices.
    #[n(1)]
    pub account: AccountId,
    /// 1 for the first list, then rising.
    #[n(2)]
    pub number: u32,
    /// The digest of the list before; [`Digest::ZERO`] for the first.
    #[n(3)]
    pub previous: Digest,
    /// The devices, removed ones too.
    #[n(4)]
    pub devices: List<ListedDevice, DEVICES_LISTED_MAX>,
    /// When the list was made.
    #[n(5)]
    pub created_at: Timestamp,
}

impl Signable for DeviceList {
    const LABEL: Label = label::DEVICE_LIST;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A device list with its certificates, as the relay hands them out.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct PublishedDevices {
    /// The account's identity key; believed when it is the pinned one.
    #[n(0)]
    pub identity_key: IdentityKey,
    /// The newest list.
    #[n(1)]
    pub list: Unverified<DeviceList>,
    /// A certificate for each device in it.
    #[n(2)]
    pub certificates: List<Unverified<DeviceCertificate>, DEVICES_LISTED_MAX>,
}

/// An account's devices, every signature checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountDevices {
    identity_key: IdentityKey,
    list: Verified<DeviceList>,
    certificates: BTreeMap<DeviceId, Verified<DeviceCertificate>>,
}

impl AccountDevices {
    /// Checks everything that is published for `account` against its identity key.
    ///
    /// Whether `published.identity_key` is the right one is the caller's to know: pinned on first
    /// use, compared by safety number.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`] for a signature that does not hold, [`VerifyError::Misplaced`] for
    /// another account's object, a certificate the list does not name, a device named twice or
    /// without its certificate, or too many active devices.
    pub fn verify(account: AccountId, published: PublishedDevices) -> Result<Self, VerifyError> {
        let identity_key = published.identity_key;
        let list = published.list.verify(&identity_key)?;
        if list.account != account {
            return Err(VerifyError::Misplaced);
        }
        let mut certificates = BTreeMap::new();
        for certificate in published.certificates {
            let certificate = certificate.verify(&identity_key)?;
            certificates.insert(certificate.address.device, certificate);
        }
        let devices = Self { identity_key, list, certificates };
        if devices.is_consistent() { Ok(devices) } else { Err(VerifyError::Misplaced) }
    }

    fn is_consistent(&self) -> bool {
        let named = self.list.devices.iter().all(|listed| {
            self.certificates.get(&listed.device).is_some_and(|certificate| {
                certificate.digest() == listed.certificate
                    && certificate.address.account == self.list.account
            })
        });
        let devices: BTreeSet<DeviceId> = self.list.devices.iter().map(|it| it.device).collect();
        named
            && devices.len() == self.list.devices.len()
            && devices.len() == self.certificates.len()
            && self.active().count() <= DEVICES_ACTIVE_MAX
    }

    /// Checks that `newer` may take this list's place: same identity, no way back, no fork.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Misplaced`] for another account or identity key,
    /// [`VerifyError::Discontinuous`] for an older list, another list of the same number, or a
    /// next list that does not name this one.
    pub fn check_successor(&self, newer: &Self) -> Result<(), VerifyError> {
        if newer.account() != self.account() || newer.identity_key != self.identity_key {
            return Err(VerifyError::Misplaced);
        }
        let continues = match newer.number().checked_sub(self.number()) {
            None => false,
            Some(0) => newer.list.digest() == self.list.digest(),
            Some(1) => newer.list.previous == self.list.digest(),
            // The lists between were not seen; the signature and the rising number have to do.
            Some(_) => true,
        };
        if continues { Ok(()) } else { Err(VerifyError::Discontinuous) }
    }

    /// Whose devices these are.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.list.account
    }

    /// The key that signed all of this.
    #[must_use]
    pub fn identity_key(&self) -> IdentityKey {
        self.identity_key
    }

    /// The list's number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.list.number
    }

    /// The list itself.
    #[must_use]
    pub fn list(&self) -> &Verified<DeviceList> {
        &self.list
    }

    /// The certificates of the devices that were not removed.
    pub fn active(&self) -> impl Iterator<Item = &Verified<DeviceCertificate>> {
        self.list
            .devices
            .iter()
            .filter(|listed| listed.removed_at.is_none())
            .filter_map(|listed| self.certificates.get(&listed.device))
    }

    /// The certificate of `device`, if it is not removed.
    #[must_use]
    pub fn active_device(&self, device: DeviceId) -> Option<&Verified<DeviceCertificate>> {
        self.active().find(|certificate| certificate.address.device == device)
    }

    /// The certificate of `device`, if it was not removed before `at`.
    #[must_use]
    pub fn device_at(
        &self,
        device: DeviceId,
        at: Timestamp,
    ) -> Option<&Verified<DeviceCertificate>> {
        let listed = self.list.devices.iter().find(|listed| listed.device == device)?;
        let in_time = listed.removed_at.is_none_or(|removed_at| at < removed_at);
        self.certificates.get(&device).filter(|_| in_time)
    }

    /// Everything again, as it is published.
    #[must_use]
    pub fn to_published(&self) -> PublishedDevices {
        let certificates = self.certificates.values().map(|c| c.source().clone()).collect();
        PublishedDevices {
            identity_key: self.identity_key,
            list: self.list.source().clone(),
            // INVARIANT: as many as the list names, and the list keeps the limit.
            certificates: List::new(certificates).unwrap_or_default(),
        }
    }
}
