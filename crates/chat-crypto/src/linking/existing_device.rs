//! The existing device's half of the transfer: it certifies the new device and hands over the lock.
//!
//! ```text
//!  Comparing ─confirm─▶ Confirmed ─introduction─▶ Candidate ─admit─▶ Admitted ─receipt─▶ certificate
//! ```
//!
//! Absent: publishing the list, and what to do when another device was faster.
//! Normative: `docs/protocol/linking.md` §6.

use chat_core::codec::from_bytes;
use chat_core::device::{self, AccountDevices, DeviceCertificate};
use chat_core::id::DeviceAddress;
use chat_core::key::Verifier as _;
use chat_core::label;
use chat_core::limits::DEVICES_ACTIVE_MAX;
use chat_core::signed::Unverified;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;

use super::channel::{Channel, Step};
use super::pairing::Comparing;
use super::transfer::{Claim, Introduction, WRITTEN_ADMISSION, WrittenAdmission, signed_claim};
use super::{Existing, LinkError};
use crate::keyring::{Keyring, KeyringLock};
use crate::secret::AgreementSecret;
use crate::snapshot;

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
        let admission = snapshot::write(WRITTEN_ADMISSION, &admission);
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

unprinted!(Confirmed, Candidate, Admitted);
