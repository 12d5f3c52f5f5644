//! The keys that say who somebody is: an account's identity key, a device's two keys.
//!
//! ```text
//!  IdentitySecret (Ed25519, in the keyring)
//!     ├─ signs ─▶ DeviceList
//!     ├─ signs ─▶ EnvelopeKeys
//!     └─ signs ─▶ DeviceCertificate { key, agreement, … }
//!                                      │    │
//!  DeviceSecrets ┬ signing (Ed25519) ──┘    │
//!                └ agreement (X25519) ──────┘   the device's part in handshakes
//! ```
//!
//! A device's secrets never leave it. Signatures are Ed25519 (RFC 8032) over
//! `length of label ‖ label ‖ message`; checking them is chat-core's.
//! Normative: `docs/protocol/identity.md`.

use std::fmt;

use chat_core::codec::DecodeError;
use chat_core::device::{DeviceCertificate, DeviceList};
use chat_core::envelope::EnvelopeKeys;
use chat_core::key::{AgreementKey, DeviceKey, IdentityKey, Signature, signature_input};
use chat_core::label::Label;
use chat_core::signed::{Signable, Unverified};
use ed25519_dalek::{Signer as _, SigningKey};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::erasure::{erased, erases};
use crate::secret::{AgreementSecret, NotContributory, SecretBytes, SharedSecret};
use crate::snapshot::{self, SnapshotError};

const IDENTITY_SNAPSHOT: u8 = 1;
const DEVICE_SNAPSHOT: u8 = 1;

/// The secret half of an account's identity key.
pub struct IdentitySecret(SigningKey);

erases!(IdentitySecret, IdentitySecret(signing) => { erased(signing) });

impl IdentitySecret {
    /// Draws a new one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(signing_key(&SecretBytes::random(rng)))
    }

    /// The public half, by which others know the account.
    #[must_use]
    pub fn key(&self) -> IdentityKey {
        IdentityKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a device list.
    #[must_use]
    pub fn sign_list(&self, list: &DeviceList) -> Unverified<DeviceList> {
        self.sign_short(list)
    }

    /// Certifies a device of the account.
    #[must_use]
    pub fn certify(&self, certificate: &DeviceCertificate) -> Unverified<DeviceCertificate> {
        self.sign_short(certificate)
    }

    /// Signs an epoch of envelope keys.
    #[must_use]
    pub fn sign_envelope_keys(&self, keys: &EnvelopeKeys) -> Unverified<EnvelopeKeys> {
        self.sign_short(keys)
    }

    #[expect(clippy::expect_used, reason = "the objects have limits of their own")]
    fn sign_short<T: Signable>(&self, object: &T) -> Unverified<T> {
        // INVARIANT: a list of 200 devices has 17 KiB; certificates and envelope keys have less.
        Unverified::sign(object, |label, message| sign(&self.0, label, message))
            .expect("all three fit a signed object")
    }

    /// The secret, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(IDENTITY_SNAPSHOT, &SecretBytes::new(self.0.to_bytes()))
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        Ok(Self(signing_key(&snapshot::read(bytes, IDENTITY_SNAPSHOT)?)))
    }
}

impl fmt::Debug for IdentitySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitySecret(..)")
    }
}

/// The secrets of one installation: it signs with one and agrees on sessions with the other.
pub struct DeviceSecrets {
    signing: SigningKey,
    agreement: AgreementSecret,
}

erases!(DeviceSecrets, DeviceSecrets { signing, agreement } => {
    erased(signing);
    erased(agreement);
});

#[derive(Encode, Decode)]
#[cbor(map)]
struct DeviceState {
    #[n(0)]
    signing: SecretBytes<32>,
    #[n(1)]
    agreement: AgreementSecret,
}

impl DeviceSecrets {
    /// Draws new ones.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let signing = signing_key(&SecretBytes::random(rng));
        Self { signing, agreement: AgreementSecret::generate(rng) }
    }

    /// The public half of the signing key.
    #[must_use]
    pub fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.signing.verifying_key().to_bytes())
    }

    /// The public half of the agreement key.
    #[must_use]
    pub fn agreement(&self) -> AgreementKey {
        self.agreement.public()
    }

    /// Signs `message` for the purpose that `label` names.
    #[must_use]
    pub fn sign(&self, label: Label, message: &[u8]) -> Signature {
        sign(&self.signing, label, message)
    }

    /// Encodes and signs an object that devices sign.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] if its encoding exceeds the limit of signed objects.
    pub fn sign_object<T: Signable>(&self, object: &T) -> Result<Unverified<T>, DecodeError> {
        Unverified::sign(object, |label, message| self.sign(label, message))
    }

    /// X25519 with the device's agreement key.
    pub(crate) fn agree(&self, theirs: &AgreementKey) -> Result<SharedSecret, NotContributory> {
        self.agreement.agree(theirs)
    }

    /// The secrets, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let signing = SecretBytes::new(self.signing.to_bytes());
        let state = DeviceState { signing, agreement: self.agreement.clone() };
        snapshot::write(DEVICE_SNAPSHOT, &state)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: DeviceState = snapshot::read(bytes, DEVICE_SNAPSHOT)?;
        Ok(Self { signing: signing_key(&state.signing), agreement: state.agreement })
    }
}

impl fmt::Debug for DeviceSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecrets(..)")
    }
}

fn signing_key(seed: &SecretBytes<32>) -> SigningKey {
    SigningKey::from_bytes(seed.as_bytes())
}

fn sign(key: &SigningKey, label: Label, message: &[u8]) -> Signature {
    Signature::from_bytes(key.sign(&signature_input(label, message)).to_bytes())
}

#[cfg(test)]
mod tests {
    use chat_core::codec::{Digest, List};
    use chat_core::device::{ListedDevice, VERSION};
    use chat_core::envelope::WrapScheme;
    use chat_core::id::{AccountId, DeviceAddress, DeviceId};
    use chat_core::key::Verifier as _;
    use chat_core::label;
    use chat_core::limits::DEVICES_LISTED_MAX;
    use chat_core::signed::VerifyError;
    use chat_core::time::Timestamp;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_certificate_is_believed_from_its_own_identity_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (alice, mallory) =
            (IdentitySecret::generate(&mut rng), IdentitySecret::generate(&mut rng));
        let device = DeviceSecrets::generate(&mut rng);

        let certificate = alice.certify(&certificate(&device));

        assert_eq!(certificate.clone().verify(&mallory.key()), Err(VerifyError::Forged));
        let certificate = certificate.verify(&alice.key()).unwrap();
        assert_eq!((certificate.key, certificate.agreement), (device.key(), device.agreement()));
    }

    #[test]
    fn a_device_signature_counts_for_its_label() {
        let device = DeviceSecrets::generate(&mut ChaCha20Rng::seed_from_u64(2));

        let signature = device.sign(label::DEVICE_LOGIN, b"nonce");

        assert!(device.key().verifies(label::DEVICE_LOGIN, b"nonce", &signature));
        assert!(!device.key().verifies(label::RECEIPT, b"nonce", &signature));
    }

    #[test]
    fn the_longest_device_list_can_be_signed() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let listed = ListedDevice {
            device: DeviceId::random(&mut rng),
            certificate: Digest::of(b"a certificate"),
            removed_at: Some(Timestamp::from_millis(u64::MAX)),
        };
        let list = DeviceList {
            version: VERSION,
            account: AccountId::random(&mut rng),
            number: u32::MAX,
            previous: Digest::ZERO,
            devices: List::new(vec![listed; DEVICES_LISTED_MAX]).unwrap(),
            created_at: Timestamp::from_millis(u64::MAX),
        };
        let identity = IdentitySecret::generate(&mut rng);

        assert!(identity.sign_list(&list).verify(&identity.key()).is_ok());
    }

    #[test]
    fn both_kinds_of_secrets_survive_a_snapshot_and_do_not_print() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let identity = IdentitySecret::generate(&mut rng);
        let device = DeviceSecrets::generate(&mut rng);
        let other = AgreementSecret::generate(&mut rng);

        let same_identity = IdentitySecret::from_snapshot(&identity.to_snapshot()).unwrap();
        let same_device = DeviceSecrets::from_snapshot(&device.to_snapshot()).unwrap();

        assert_eq!(same_identity.key(), identity.key());
        assert_eq!(same_device.key(), device.key());
        assert_eq!(same_device.agree(&other.public()), device.agree(&other.public()));
        assert_eq!(format!("{identity:?} {device:?}"), "IdentitySecret(..) DeviceSecrets(..)");
    }

    fn certificate(device: &DeviceSecrets) -> DeviceCertificate {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        DeviceCertificate {
            version: VERSION,
            address: DeviceAddress {
                account: AccountId::random(&mut rng),
                device: DeviceId::random(&mut rng),
            },
            key: device.key(),
            agreement: device.agreement(),
            schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
            created_at: Timestamp::from_millis(1),
        }
    }
}
