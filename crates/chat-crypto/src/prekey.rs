//! The secret half of prekeys: what a device keeps so that others can start sessions with it.
//!
//! ```text
//!  PrekeySecrets  set number ┬ signed prekey           X25519        7 days in use, 30 more kept
//!                            ├ last-resort prekey      ML-KEM-1024   the same
//!                            └ one-time prekeys 0…99   both kinds    one handshake each
//! ```
//!
//! A device keeps several sets, newest and older, until the last message made with the older ones
//! must have arrived. A one-time prekey is spent in the transaction that stores the session it
//! began; until then the same first message opens again.
//! Normative: `docs/protocol/handshake.md` §2.

use std::collections::BTreeMap;
use std::fmt;

use chat_core::codec::List;
use chat_core::id::DeviceAddress;
use chat_core::limits::ONE_TIME_PREKEYS_MAX;
use chat_core::prekey::{OneTimePrekey, PrekeySet, PrekeyUpload, VERSION};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::erasure::{erased, erases};
use crate::identity::DeviceSecrets;
use crate::secret::{AgreementSecret, KemSecret};
use crate::snapshot::{self, SnapshotError};

const SNAPSHOT: u8 = 1;

/// The secrets of one prekey set.
#[derive(Encode, Decode)]
#[cbor(map)]
pub struct PrekeySecrets {
    #[n(0)]
    number: u32,
    #[n(1)]
    created_at: Timestamp,
    #[n(2)]
    signed: AgreementSecret,
    #[n(3)]
    last_resort: KemSecret,
    /// Boxed, so that spending one erases it where it is, without moving the others.
    #[n(4)]
    one_time: BTreeMap<u16, Box<OneTimeSecret>>,
}

/// The secrets of a one-time prekey.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct OneTimeSecret {
    #[n(0)]
    pub(crate) agreement: AgreementSecret,
    #[n(1)]
    pub(crate) kem: KemSecret,
}

erases!(
    PrekeySecrets,
    PrekeySecrets { number: _, created_at: _, signed, last_resort, one_time } => {
        erased(signed);
        erased(last_resort);
        const fn each(_: &BTreeMap<u16, Box<impl ZeroizeOnDrop>>) {}
        each(one_time);
    }
);

erases!(OneTimeSecret, OneTimeSecret { agreement, kem } => {
    erased(agreement);
    erased(kem);
});

impl PrekeySecrets {
    /// Draws a set with `one_time` one-time prekeys, at most [`ONE_TIME_PREKEYS_MAX`], and signs
    /// what is to be uploaded.
    ///
    /// `number` must be higher than that of every set of this device before.
    pub fn generate(
        device: &DeviceSecrets,
        address: DeviceAddress,
        number: u32,
        one_time: usize,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> (Self, PrekeyUpload) {
        let signed = AgreementSecret::generate(rng);
        let last_resort = KemSecret::generate(rng);
        let drawn = (0u16..).take(one_time.min(ONE_TIME_PREKEYS_MAX)).map(|index| {
            let agreement = AgreementSecret::generate(rng);
            (index, Box::new(OneTimeSecret { agreement, kem: KemSecret::generate(rng) }))
        });
        let secrets =
            Self { number, created_at: now, signed, last_resort, one_time: drawn.collect() };
        let upload = secrets.upload(device, address);
        (secrets, upload)
    }

    #[expect(clippy::expect_used, reason = "the object has limits of its own")]
    fn upload(&self, device: &DeviceSecrets, address: DeviceAddress) -> PrekeyUpload {
        let keys: Vec<_> =
            self.one_time.values().map(|one| (one.agreement.public(), one.kem.public())).collect();
        let (one_time_root, one_time) = OneTimePrekey::tree(&keys);
        let set = PrekeySet {
            version: VERSION,
            address,
            number: self.number,
            signed: self.signed.public(),
            last_resort: self.last_resort.public(),
            // INVARIANT: a set has at most 100 of them.
            one_time_count: u16::try_from(one_time.len()).unwrap_or(u16::MAX),
            one_time_root,
            created_at: self.created_at,
        };
        // INVARIANT: a set has a fixed size of about 1.8 KiB, and its list was cut to the limit.
        let set = device.sign_object(&set).expect("a set fits a signed object");
        PrekeyUpload { set, one_time: List::new(one_time).unwrap_or_default() }
    }

    /// The set's number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// When the set was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// How many one-time prekeys are not spent.
    #[must_use]
    pub fn one_time_left(&self) -> usize {
        self.one_time.len()
    }

    /// Erases a one-time prekey; one that is gone stays gone.
    pub fn spend(&mut self, index: u16) {
        self.one_time.remove(&index);
    }

    pub(crate) fn signed(&self) -> &AgreementSecret {
        &self.signed
    }

    pub(crate) fn last_resort(&self) -> &KemSecret {
        &self.last_resort
    }

    pub(crate) fn one_time(&self, index: u16) -> Option<&OneTimeSecret> {
        self.one_time.get(&index).map(|boxed| &**boxed)
    }

    /// The secrets, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, SNAPSHOT)
    }
}

impl fmt::Debug for PrekeySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrekeySecrets({}, ..)", self.number)
    }
}

#[cfg(test)]
mod tests {
    use chat_core::id::{AccountId, DeviceId};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn an_upload_is_proved_by_the_device_that_made_it() {
        let (device, _, upload) = prekeys(3);

        let set = upload.set.clone().verify(&device.key()).unwrap();

        assert_eq!((set.number, set.one_time_count, upload.one_time.len()), (7, 3, 3));
        assert!(upload.one_time.iter().all(|prekey| prekey.belongs_to(&set)));
    }

    #[test]
    fn secrets_say_which_set_they_are_and_when_it_was_made_and_nothing_else() {
        let (_, secrets, _) = prekeys(1);

        assert_eq!((secrets.number(), secrets.created_at()), (7, NOW));
        assert_eq!(format!("{secrets:?}"), "PrekeySecrets(7, ..)");
    }

    #[test]
    fn a_spent_prekey_is_gone_also_from_the_snapshot() {
        let (_, mut secrets, _) = prekeys(3);
        let kept = secrets.to_snapshot().len();

        secrets.spend(1);
        secrets.spend(1);
        let restored = PrekeySecrets::from_snapshot(&secrets.to_snapshot()).unwrap();

        assert_eq!(restored.one_time_left(), 2);
        assert!(restored.one_time(0).is_some() && restored.one_time(1).is_none());
        assert!(secrets.to_snapshot().len() < kept - 128);
    }

    #[test]
    fn a_set_has_a_hundred_one_time_prekeys_at_most() {
        let (_, secrets, upload) = prekeys(ONE_TIME_PREKEYS_MAX + 1);

        assert_eq!(secrets.one_time_left(), ONE_TIME_PREKEYS_MAX);
        assert_eq!(upload.one_time.len(), ONE_TIME_PREKEYS_MAX);
    }

    fn prekeys(one_time: usize) -> (DeviceSecrets, PrekeySecrets, PrekeyUpload) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let device = DeviceSecrets::generate(&mut rng);
        let address = DeviceAddress {
            account: AccountId::random(&mut rng),
            device: DeviceId::random(&mut rng),
        };
        let (secrets, upload) =
            PrekeySecrets::generate(&device, address, 7, one_time, NOW, &mut rng);
        (device, secrets, upload)
    }
}
