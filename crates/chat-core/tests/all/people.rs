//! Somebody with keys, to sign what the tests need signed.

use chat_core::codec::{Digest, List};
use chat_core::device::{self, DeviceCertificate, DeviceList, ListedDevice, PublishedDevices};
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::key::{AgreementKey, DeviceKey, IdentityKey, Signature, signature_input};
use chat_core::signed::{Signable, Unverified};
use chat_core::time::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};

pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_000_000);

pub(crate) struct Person {
    pub(crate) account: AccountId,
    identity: SigningKey,
}

impl Person {
    pub(crate) fn new(number: u8) -> Self {
        let identity = SigningKey::from_bytes(&[number; 32]);
        Self { account: AccountId::from_bytes([number; 16]), identity }
    }

    pub(crate) fn identity_key(&self) -> IdentityKey {
        IdentityKey::from_bytes(self.identity.verifying_key().to_bytes())
    }

    pub(crate) fn address(&self, device: u8) -> DeviceAddress {
        DeviceAddress { account: self.account, device: DeviceId::from_bytes([device; 16]) }
    }

    pub(crate) fn device_key(device: u8) -> SigningKey {
        SigningKey::from_bytes(&[device.wrapping_add(100); 32])
    }

    pub(crate) fn certificate(&self, device: u8) -> Unverified<DeviceCertificate> {
        let key = Self::device_key(device).verifying_key().to_bytes();
        self.sign(&DeviceCertificate {
            version: device::VERSION,
            address: self.address(device),
            key: DeviceKey::from_bytes(key),
            agreement: AgreementKey::from_bytes([device; 32]),
            schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
            created_at: NOON,
        })
    }

    /// The first list, naming `devices`.
    pub(crate) fn first_list(&self, devices: &[u8]) -> PublishedDevices {
        self.list(1, Digest::ZERO, devices, &[])
    }

    pub(crate) fn list(
        &self,
        number: u32,
        previous: Digest,
        active: &[u8],
        removed: &[(u8, Timestamp)],
    ) -> PublishedDevices {
        let active = active.iter().map(|device| (*device, None));
        let removed = removed.iter().map(|(device, at)| (*device, Some(*at)));
        let (listed, certificates) = active
            .chain(removed)
            .map(|(device, removed_at)| {
                let certificate = self.certificate(device);
                let digest = certificate.digest();
                let device = DeviceId::from_bytes([device; 16]);
                (ListedDevice { device, certificate: digest, removed_at }, certificate)
            })
            .unzip();
        let list = self.sign(&DeviceList {
            version: device::VERSION,
            account: self.account,
            number,
            previous,
            devices: List::new(listed).unwrap(),
            created_at: NOON,
        });
        PublishedDevices {
            identity_key: self.identity_key(),
            list,
            certificates: List::new(certificates).unwrap(),
        }
    }

    pub(crate) fn sign<T: Signable>(&self, object: &T) -> Unverified<T> {
        sign_with(&self.identity, object)
    }
}

pub(crate) fn sign_with<T: Signable>(key: &SigningKey, object: &T) -> Unverified<T> {
    Unverified::sign(object, |label, bytes| {
        Signature::from_bytes(key.sign(&signature_input(label, bytes)).to_bytes())
    })
    .unwrap()
}
