//! The new device says which keys it has, the existing one certifies them and hands over the lock.
//!
//! ```text
//!  new                                                                         existing
//!  Comparing ─confirm─▶ Introduced                       Comparing ─confirm─▶ Confirmed
//!     introduction  { 0: bstr .cbor claim, 1: signature }  ─────────────▶  Candidate
//!     admission     { 0: certificate, 1: identity key, 2: lock,
//!                     3, 4: number and digest of the device list, 5: key }  ◀── Admitted
//!     receipt       empty, under the agreement of key 5 with the new one  ──▶  certificate
//! ```
//!
//! No secret goes over before both persons have confirmed: a state that can send or take the lock
//! comes out of `confirm` only. What goes over is the keyring's lock, not the keyring: the new
//! device gets that from the relay, like every other device.
//! Normative: `docs/protocol/linking.md` §6.

use std::fmt;

use chat_core::codec::{Bytes, Digest, List, from_bytes, to_bytes};
use chat_core::device::{self, AccountDevices, DeviceCertificate};
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::key::{AgreementKey, DeviceKey, IdentityKey, Signature, Verifier as _};
use chat_core::label;
use chat_core::limits::DEVICES_ACTIVE_MAX;
use chat_core::signed::{Unverified, Verified, VerifyError};
use chat_core::time::Timestamp;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::channel::{Channel, Step};
use super::pairing::Comparing;
use super::{Existing, LinkError, MESSAGE_BYTES_MAX, New};
use crate::identity::DeviceSecrets;
use crate::keyring::{Keyring, KeyringError, KeyringLock};
use crate::secret::AgreementSecret;
use crate::snapshot;

const ADMISSION_SNAPSHOT: u8 = 1;

/// What the new device says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
struct Claim {
    #[n(0)]
    device: DeviceId,
    #[n(1)]
    key: DeviceKey,
    #[n(2)]
    agreement: AgreementKey,
    #[n(3)]
    schemes: List<WrapScheme, 8>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Introduction {
    #[n(0)]
    claim: Bytes<MESSAGE_BYTES_MAX>,
    #[n(1)]
    signature: Signature,
}

/// Written as snapshots are, because it holds a secret: borrowed on both ways.
#[derive(Encode, Decode)]
#[cbor(map)]
struct WrittenAdmission<'a> {
    #[n(0)]
    certificate: Unverified<DeviceCertificate>,
    #[n(1)]
    identity_key: IdentityKey,
    #[b(2)]
    lock: &'a ByteSlice,
    #[n(3)]
    list: u32,
    #[n(4)]
    list_digest: Digest,
    #[n(5)]
    ephemeral: AgreementKey,
}

/// What a device signs to show that the claim is its own, and made for this linking.
fn signed_claim(transcript: &Digest, claim: &[u8]) -> Vec<u8> {
    [transcript.as_bytes(), claim].concat()
}

impl Comparing<New> {
    /// Says which keys this device has, because the person said that the emoji are the same: what
    /// is returned goes into the mailbox.
    #[expect(clippy::expect_used, reason = "a claim is short")]
    #[must_use]
    pub fn confirm(
        self,
        device: DeviceId,
        secrets: &DeviceSecrets,
        schemes: List<WrapScheme, 8>,
    ) -> (Introduced, Vec<u8>) {
        let (key, agreement) = (secrets.key(), secrets.agreement());
        let claim = Claim { device, key, agreement, schemes };
        let written = to_bytes(&claim);
        let signed = signed_claim(self.channel.transcript(), &written);
        let signature = secrets.sign(label::LINK_INTRODUCTION, &signed);
        // INVARIANT: an id, two keys and eight schemes have less than 128 bytes.
        let claim_bytes = Bytes::new(written).expect("a claim fits a message");
        let introduction = to_bytes(&Introduction { claim: claim_bytes, signature });
        let sealed = self.channel.seal(Step::Introduction, &introduction);
        (Introduced { channel: self.channel, claim }, sealed)
    }
}

/// A new device that waits to be admitted.
pub struct Introduced {
    channel: Channel<New>,
    claim: Claim,
}

impl Introduced {
    /// Takes the certificate and the lock; the receipt that is returned goes into the mailbox once
    /// the admission is stored.
    ///
    /// # Errors
    ///
    /// [`LinkError::Cancelled`], [`LinkError::Stale`], and [`LinkError::NotAuthentic`] for anything
    /// that does not admit this very device.
    pub fn admitted(
        self,
        message: &[u8],
        secrets: &DeviceSecrets,
        now: Timestamp,
    ) -> Result<(Admission, Vec<u8>), LinkError> {
        let opened = self.channel.open(Step::Admission, message, now)?;
        let read: WrittenAdmission<'_> =
            snapshot::read(&opened, ADMISSION_SNAPSHOT).map_err(|_| LinkError::NotAuthentic)?;
        let certificate =
            read.certificate.verify(&read.identity_key).map_err(|_| LinkError::NotAuthentic)?;
        let certified = Claim {
            device: certificate.address.device,
            key: certificate.key,
            agreement: certificate.agreement,
            schemes: certificate.schemes.clone(),
        };
        if certified != self.claim {
            return Err(LinkError::NotAuthentic);
        }
        let lock = KeyringLock::from_snapshot(read.lock).map_err(|_| LinkError::NotAuthentic)?;
        let shared = secrets.agree(&read.ephemeral).map_err(|_| LinkError::NotAuthentic)?;
        let receipt = self.channel.mix(&shared).seal(Step::Receipt, &[]);
        let (identity_key, list, list_digest) = (read.identity_key, read.list, read.list_digest);
        Ok((Admission { certificate, identity_key, lock, list, list_digest }, receipt))
    }

    /// Ends the linking: tells the other device.
    #[must_use]
    pub fn cancel(self) -> Vec<u8> {
        self.channel.seal(Step::Cancel, &[])
    }
}

/// What a new device has when it was admitted.
pub struct Admission {
    certificate: Verified<DeviceCertificate>,
    identity_key: IdentityKey,
    lock: KeyringLock,
    list: u32,
    list_digest: Digest,
}

impl Admission {
    /// The certificate of this device: its account and id are in it.
    #[must_use]
    pub fn certificate(&self) -> &Verified<DeviceCertificate> {
        &self.certificate
    }

    /// The account's identity key, to be pinned.
    #[must_use]
    pub fn identity_key(&self) -> IdentityKey {
        self.identity_key
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.certificate.address.account
    }

    /// Opens the sealed keyring that the relay serves under `number`, and gives the lock to keep.
    ///
    /// # Errors
    ///
    /// [`KeyringError::RolledBack`] for an older one than the existing device had;
    /// [`KeyringError::NotAuthentic`], also for a keyring of another identity.
    pub fn open_keyring(
        &self,
        sealed: &[u8],
        number: u64,
    ) -> Result<(Keyring, KeyringLock), KeyringError> {
        let mut lock = self.lock.clone();
        let keyring = lock.open(sealed, self.account(), number)?;
        if keyring.identity().key() != self.identity_key {
            return Err(KeyringError::NotAuthentic);
        }
        Ok((keyring, lock))
    }

    /// Checks that `devices`, as the relay serves them, are this account's, follow the list that
    /// the existing device knew, and name this device.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Misplaced`] for another account's, or without this device;
    /// [`VerifyError::Discontinuous`] for a list that does not follow.
    pub fn check_devices(&self, devices: &AccountDevices) -> Result<(), VerifyError> {
        let is_ours =
            devices.account() == self.account() && devices.identity_key() == self.identity_key;
        let listed = devices.active_device(self.certificate.address.device);
        let names_us = listed.is_some_and(|ours| ours.digest() == self.certificate.digest());
        if !is_ours || !names_us {
            return Err(VerifyError::Misplaced);
        }
        // This device is new, so its list is at least one further.
        match devices.number().checked_sub(self.list) {
            None | Some(0) => Err(VerifyError::Discontinuous),
            Some(1) if devices.list().previous != self.list_digest => {
                Err(VerifyError::Discontinuous)
            }
            Some(_) => Ok(()),
        }
    }
}

impl Comparing<Existing> {
    /// Goes on, because the person said that the emoji are the same.
    #[must_use]
    pub fn confirm(self) -> Confirmed {
        Confirmed { channel: self.channel }
    }
}

/// An existing device whose person has confirmed, and that waits for the new one's.
pub struct Confirmed {
    channel: Channel<Existing>,
}

impl Confirmed {
    /// Takes the introduction, which the new device sends when its person has confirmed.
    ///
    /// # Errors
    ///
    /// [`LinkError::Cancelled`], [`LinkError::Stale`], [`LinkError::NotAuthentic`].
    pub fn introduced(self, message: &[u8], now: Timestamp) -> Result<Candidate, LinkError> {
        let opened = self.channel.open(Step::Introduction, message, now)?;
        let read: Introduction = from_bytes(&opened).map_err(|_| LinkError::NotAuthentic)?;
        let claim: Claim = from_bytes(&read.claim).map_err(|_| LinkError::NotAuthentic)?;
        let signed = signed_claim(self.channel.transcript(), &read.claim);
        // SECURITY: nobody gets a certificate for a key that another device has.
        if !claim.key.verifies(label::LINK_INTRODUCTION, &signed, &read.signature) {
            return Err(LinkError::NotAuthentic);
        }
        Ok(Candidate { channel: self.channel, claim })
    }

    /// Ends the linking: tells the other device.
    #[must_use]
    pub fn cancel(self) -> Vec<u8> {
        self.channel.seal(Step::Cancel, &[])
    }
}

/// A device that both persons want to be one of the account's.
pub struct Candidate {
    channel: Channel<Existing>,
    claim: Claim,
}

impl Candidate {
    /// Certifies the new device and seals for it what it needs: what is returned goes into the
    /// mailbox.
    ///
    /// `devices` are the account's as this device knows them.
    ///
    /// # Errors
    ///
    /// [`LinkError::DeviceKnown`], [`LinkError::TooManyDevices`]; [`LinkError::NotAuthentic`] for
    /// an agreement key of small order; [`LinkError::Stale`].
    pub fn admit(
        self,
        keyring: &Keyring,
        lock: &KeyringLock,
        devices: &AccountDevices,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Admitted, Vec<u8>), LinkError> {
        self.channel.check_time(now)?;
        self.check_is_new(devices)?;
        let ephemeral = AgreementSecret::generate(rng);
        let shared = ephemeral.agree(&self.claim.agreement).map_err(|_| LinkError::NotAuthentic)?;
        let certificate = keyring.identity().certify(&DeviceCertificate {
            version: device::VERSION,
            address: DeviceAddress { account: keyring.account(), device: self.claim.device },
            key: self.claim.key,
            agreement: self.claim.agreement,
            schemes: self.claim.schemes,
            created_at: now,
        });
        let lock = lock.to_snapshot();
        let admission = WrittenAdmission {
            certificate: certificate.clone(),
            identity_key: keyring.identity().key(),
            lock: lock.as_slice().into(),
            list: devices.number(),
            list_digest: devices.list().digest(),
            ephemeral: ephemeral.public(),
        };
        let admission = snapshot::write(ADMISSION_SNAPSHOT, &admission);
        let sealed = self.channel.seal(Step::Admission, &admission);
        Ok((Admitted { channel: self.channel.mix(&shared), certificate }, sealed))
    }

    fn check_is_new(&self, devices: &AccountDevices) -> Result<(), LinkError> {
        let has_id = devices.list().devices.iter().any(|it| it.device == self.claim.device);
        let has_key = devices.active().any(|it| it.key == self.claim.key);
        if has_id || has_key {
            return Err(LinkError::DeviceKnown);
        }
        if devices.active().count() >= DEVICES_ACTIVE_MAX {
            return Err(LinkError::TooManyDevices);
        }
        Ok(())
    }

    /// Ends the linking: tells the other device.
    #[must_use]
    pub fn cancel(self) -> Vec<u8> {
        self.channel.seal(Step::Cancel, &[])
    }
}

/// An existing device that has handed everything over and waits for the receipt.
pub struct Admitted {
    channel: Channel<Existing>,
    certificate: Unverified<DeviceCertificate>,
}

impl Admitted {
    /// Takes the receipt, which only the holder of both of the new device's keys can make, and
    /// gives the certificate: only now is the device to be listed.
    ///
    /// # Errors
    ///
    /// [`LinkError::NotAuthentic`], [`LinkError::Stale`].
    pub fn received(
        self,
        receipt: &[u8],
        now: Timestamp,
    ) -> Result<Unverified<DeviceCertificate>, LinkError> {
        self.channel.open(Step::Receipt, receipt, now)?;
        Ok(self.certificate)
    }
}

macro_rules! unprinted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

unprinted!(Introduced, Admission, Confirmed, Candidate, Admitted);
