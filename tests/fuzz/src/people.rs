//! Two people, always the same two: making keys takes longer than trying an input.

use std::sync::LazyLock;

use chat_core::codec::List;
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{EnvelopeKeys, WrapScheme};
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::key::IdentityKey;
use chat_core::prekey::{PrekeyBundle, VerifiedBundle};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::Keyring;
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::session::Local;
use chat_crypto::wrap::EnvelopeSecrets;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) static ALICE: LazyLock<Person> = LazyLock::new(|| Person::new(1));
pub(crate) static BOB: LazyLock<Person> = LazyLock::new(|| Person::new(2));

/// Somebody with one device.
pub(crate) struct Person {
    pub(crate) address: DeviceAddress,
    pub(crate) device: DeviceSecrets,
    pub(crate) certificate: Verified<DeviceCertificate>,
    pub(crate) identity: IdentityKey,
    pub(crate) keyring: Keyring,
    pub(crate) envelope_keys: Verified<EnvelopeKeys>,
    /// With which others may begin a session: with the one-time prekey, or without.
    pub(crate) bundles: [VerifiedBundle; 2],
    prekeys: Zeroizing<Vec<u8>>,
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

impl Person {
    fn new(seed: u64) -> Self {
        let rng = &mut rng(seed);
        let address =
            DeviceAddress { account: AccountId::random(rng), device: DeviceId::random(rng) };
        let identity = IdentitySecret::generate(rng);
        let device = DeviceSecrets::generate(rng);
        let certificate = identity
            .certify(&DeviceCertificate {
                version: chat_core::device::VERSION,
                address,
                key: device.key(),
                agreement: device.agreement(),
                schemes: List::new(vec![WrapScheme::Ratchet]).expect("one is few"),
                created_at: NOW,
            })
            .verify(&identity.key())
            .expect("we signed it");
        let (prekeys, upload) = PrekeySecrets::generate(&device, address, 1, 1, NOW, rng);
        let one_time = upload.one_time.first().cloned();
        let bundle = PrekeyBundle { address, set: upload.set, one_time };
        let bundle = bundle.verify(&certificate).expect("we signed it");
        let last_resort = VerifiedBundle { one_time: None, ..bundle.clone() };
        let epoch = EnvelopeSecrets::generate(address.account, 1, rng);
        let envelope_keys = identity.sign_envelope_keys(&epoch.public(NOW));
        Self {
            address,
            device,
            certificate,
            identity: identity.key(),
            envelope_keys: envelope_keys.verify(&identity.key()).expect("we signed it"),
            keyring: Keyring::new(identity, epoch, rng),
            bundles: [bundle, last_resort],
            prekeys: prekeys.to_snapshot(),
        }
    }

    /// The secrets of the prekeys, none of them spent.
    pub(crate) fn prekeys(&self) -> PrekeySecrets {
        PrekeySecrets::from_snapshot(&self.prekeys).expect("we wrote it")
    }

    pub(crate) fn local(&self) -> Local<'_> {
        Local { address: self.address, identity: self.identity, device: &self.device }
    }
}
