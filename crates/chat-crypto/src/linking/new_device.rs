//! The new device's half of the transfer: it says which keys it has, and gets the keyring's lock.
//!
//! ```text
//!  Comparing ─confirm─▶ Introduced ─admission─▶ Admission ─┬─ open_keyring, with what the relay serves
//!                                                          └─ check_devices, likewise
//! ```
//!
//! Normative: `docs/protocol/linking.md` §6.

use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::device::{AccountDevices, DeviceCertificate};
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceId};
use chat_core::key::IdentityKey;
use chat_core::label;
use chat_core::signed::{Unverified, Verified, VerifyError};
use chat_core::time::Timestamp;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::channel::{Channel, Step};
use super::pairing::Comparing;
use super::transfer::{Claim, Introduction, WRITTEN_ADMISSION, WrittenAdmission, signed_claim};
use super::{LinkError, New};
use crate::identity::DeviceSecrets;
use crate::keyring::{Keyring, KeyringError, KeyringLock};
use crate::snapshot::{self, SnapshotError};

const ADMISSION_SNAPSHOT: u8 = 1;

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
            snapshot::read(&opened, WRITTEN_ADMISSION).map_err(|_| LinkError::NotAuthentic)?;
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

/// What a new device has when it was admitted: to be stored before the receipt is sent.
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

/// An admission as it is kept; the lock is borrowed on both ways.
#[derive(Encode, Decode)]
#[cbor(map)]
struct AdmissionState<'a> {
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
}

impl Admission {
    /// The admission, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let lock = self.lock.to_snapshot();
        let state = AdmissionState {
            certificate: self.certificate.source().clone(),
            identity_key: self.identity_key,
            lock: lock.as_slice().into(),
            list: self.list,
            list_digest: self.list_digest,
        };
        snapshot::write(ADMISSION_SNAPSHOT, &state)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: AdmissionState<'_> = snapshot::read(bytes, ADMISSION_SNAPSHOT)?;
        let AdmissionState { identity_key, list, list_digest, .. } = state;
        let certificate = state.certificate.verify(&identity_key);
        let certificate = certificate.map_err(|_| SnapshotError::Malformed)?;
        let lock = KeyringLock::from_snapshot(state.lock)?;
        Ok(Self { certificate, identity_key, lock, list, list_digest })
    }
}

unprinted!(Introduced, Admission);
