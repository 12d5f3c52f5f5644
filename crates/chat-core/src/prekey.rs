//! Prekeys: what a device leaves at the relay so that others can start a session while it sleeps.
//!
//! ```text
//!  device key ──signs once──▶ PrekeySet { signed prekey, last-resort KEM prekey, root }
//!                                                                                  │ Merkle path
//!             OneTimePrekey 0 … 99 { X25519, ML-KEM-1024, path } ──────────────────┘
//!
//!  PrekeyBundle = PrekeySet + at most one OneTimePrekey, handed out once
//! ```
//!
//! One signature covers all keys of a set, so a bundle costs one verification, and the relay can
//! refuse a bad upload with this same code. See `docs/protocol/handshake.md` §2.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{Digest, List, to_bytes};
use crate::device::DeviceCertificate;
use crate::id::DeviceAddress;
use crate::key::{AgreementKey, KemKey};
use crate::label::{self, Label};
use crate::limits::ONE_TIME_PREKEYS_MAX;
use crate::merkle;
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// The version these objects are written in.
pub const VERSION: u8 = 1;

/// The prekeys of a device for one period, under one signature.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct PrekeySet {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose prekeys.
    #[n(1)]
    pub address: DeviceAddress,
    /// Rises with every set of the device.
    #[n(2)]
    pub number: u32,
    /// The signed prekey.
    #[n(3)]
    pub signed: AgreementKey,
    /// The last-resort KEM prekey, used while no one-time prekey is left.
    #[n(4)]
    pub last_resort: KemKey,
    /// How many one-time prekeys the set began with.
    #[n(5)]
    pub one_time_count: u16,
    /// The Merkle root over them.
    #[n(6)]
    pub one_time_root: Digest,
    /// When the set was made.
    #[n(7)]
    pub created_at: Timestamp,
}

impl Signable for PrekeySet {
    const LABEL: Label = label::PREKEY_SET;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A pair of keys for one handshake.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct OneTimePrekey {
    /// Its place in the set.
    #[n(0)]
    pub index: u16,
    /// The X25519 half.
    #[n(1)]
    pub agreement: AgreementKey,
    /// The ML-KEM-1024 half.
    #[n(2)]
    pub kem: KemKey,
    /// The siblings from this leaf to the set's root.
    #[n(3)]
    pub path: List<Digest, 16>,
}

#[derive(Encode)]
#[cbor(map)]
struct Leaf {
    #[n(0)]
    index: u16,
    #[n(1)]
    agreement: AgreementKey,
    #[n(2)]
    kem: KemKey,
}

impl OneTimePrekey {
    /// Builds all one-time prekeys of a set from their public keys, and the root to be signed.
    ///
    /// At most [`ONE_TIME_PREKEYS_MAX`] are taken.
    #[must_use]
    pub fn tree(keys: &[(AgreementKey, KemKey)]) -> (Digest, Vec<Self>) {
        let numbered = || (0u16..).zip(keys.iter().take(ONE_TIME_PREKEYS_MAX).copied());
        let leaves: Vec<_> =
            numbered().map(|(index, (agreement, kem))| hash(index, agreement, kem)).collect();
        let prekeys = numbered()
            .map(|(index, (agreement, kem))| {
                let path = merkle::path(&leaves, index.into());
                // INVARIANT: a tree of at most 100 leaves is seven levels deep.
                Self { index, agreement, kem, path: List::new(path).unwrap_or_default() }
            })
            .collect();
        (merkle::root(&leaves), prekeys)
    }

    /// Tells whether this prekey is part of `set`.
    #[must_use]
    pub fn belongs_to(&self, set: &Verified<PrekeySet>) -> bool {
        let leaf = hash(self.index, self.agreement, self.kem);
        let size = usize::from(set.one_time_count);
        merkle::verify(&set.one_time_root, size, self.index.into(), leaf, &self.path)
    }
}

fn hash(index: u16, agreement: AgreementKey, kem: KemKey) -> Digest {
    merkle::leaf(&to_bytes(&Leaf { index, agreement, kem }))
}

/// What a device uploads: a set and its one-time prekeys.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct PrekeyUpload {
    /// The signed set.
    #[n(0)]
    pub set: Unverified<PrekeySet>,
    /// Its one-time prekeys.
    #[n(1)]
    pub one_time: List<OneTimePrekey, ONE_TIME_PREKEYS_MAX>,
}

impl PrekeyUpload {
    /// Checks the set and every one-time prekey against the certificate of the uploading device.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`], [`VerifyError::Misplaced`] for another device's set or a prekey
    /// that is not part of it.
    pub fn verify(
        self,
        certificate: &Verified<DeviceCertificate>,
    ) -> Result<(Verified<PrekeySet>, Vec<OneTimePrekey>), VerifyError> {
        let set = self.set.verify(&certificate.key)?;
        let belongs = self.one_time.iter().all(|prekey| prekey.belongs_to(&set));
        if set.address != certificate.address || !belongs {
            return Err(VerifyError::Misplaced);
        }
        Ok((set, self.one_time.into_vec()))
    }
}

/// What somebody who wants to start a session is handed.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct PrekeyBundle {
    /// Whose it is said to be.
    #[n(0)]
    pub address: DeviceAddress,
    /// The signed set.
    #[n(1)]
    pub set: Unverified<PrekeySet>,
    /// One of its one-time prekeys, while there are some.
    #[n(2)]
    pub one_time: Option<OneTimePrekey>,
}

/// A bundle whose keys are proved to be the device's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedBundle {
    /// The device's certificate.
    pub certificate: Verified<DeviceCertificate>,
    /// The set.
    pub set: Verified<PrekeySet>,
    /// A one-time prekey that belongs to it.
    pub one_time: Option<OneTimePrekey>,
}

impl PrekeyBundle {
    /// Checks the bundle against the certificate of the device it is wanted for.
    ///
    /// # Errors
    ///
    /// As [`PrekeyUpload::verify`].
    pub fn verify(
        self,
        certificate: &Verified<DeviceCertificate>,
    ) -> Result<VerifiedBundle, VerifyError> {
        let set = self.set.verify(&certificate.key)?;
        let belongs = self.one_time.as_ref().is_none_or(|prekey| prekey.belongs_to(&set));
        if set.address != certificate.address || self.address != certificate.address || !belongs {
            return Err(VerifyError::Misplaced);
        }
        Ok(VerifiedBundle { certificate: certificate.clone(), set, one_time: self.one_time })
    }
}
