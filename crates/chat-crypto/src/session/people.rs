//! Devices with everything that handshakes and sessions need, for tests.

use chat_core::codec::List;
use chat_core::device::VERSION;
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceId};
use chat_core::prekey::{PrekeyBundle, PrekeyUpload};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::identity::IdentitySecret;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(crate) const AD: &[u8] = b"associated";

pub(crate) struct Person {
    pub(crate) address: DeviceAddress,
    pub(crate) identity: IdentitySecret,
    pub(crate) device: DeviceSecrets,
    pub(crate) certificate: Verified<DeviceCertificate>,
    pub(crate) prekeys: PrekeySecrets,
    pub(crate) upload: PrekeyUpload,
    pub(crate) sessions: Sessions,
    pub(crate) spent: Vec<SpentPrekey>,
    pub(crate) now: Timestamp,
    pub(crate) rng: ChaCha20Rng,
}

/// Two people with `one_time` one-time prekeys each, and no session.
pub(crate) fn strangers(seed: u64, one_time: usize) -> (Person, Person) {
    let mut alice = Person::new(seed, one_time);
    let mut bob = Person::new(seed ^ 0xb0b, one_time);
    alice.sessions = Sessions::new(bob.address);
    bob.sessions = Sessions::new(alice.address);
    (alice, bob)
}

/// Two people who have heard from each other.
pub(crate) fn friends(seed: u64) -> (Person, Person) {
    let (mut alice, mut bob) = strangers(seed, 1);
    alice.start(&bob);
    let hello = alice.says(b"hello");
    bob.hears(&alice, &hello).unwrap();
    let answer = bob.says(b"hello yourself");
    alice.hears(&bob, &answer).unwrap();
    (alice, bob)
}

impl Person {
    pub(crate) fn new(seed: u64, one_time: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let address = DeviceAddress {
            account: AccountId::random(&mut rng),
            device: DeviceId::random(&mut rng),
        };
        let identity = IdentitySecret::generate(&mut rng);
        let device = DeviceSecrets::generate(&mut rng);
        let certificate = DeviceCertificate {
            version: VERSION,
            address,
            key: device.key(),
            agreement: device.agreement(),
            schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
            created_at: NOW,
        };
        let certificate = identity.certify(&certificate).verify(&identity.key()).unwrap();
        let (prekeys, upload) =
            PrekeySecrets::generate(&device, address, 1, one_time, NOW, &mut rng);
        let sessions = Sessions::new(address);
        let spent = Vec::new();
        Self {
            address,
            identity,
            device,
            certificate,
            prekeys,
            upload,
            sessions,
            spent,
            now: NOW,
            rng,
        }
    }

    pub(crate) fn local(&self) -> Local<'_> {
        Local { address: self.address, identity: self.identity.key(), device: &self.device }
    }

    pub(crate) fn party(&self) -> Party {
        self.local().party()
    }

    /// What the relay hands out next.
    pub(crate) fn bundle(&self) -> VerifiedBundle {
        let one_time = self.upload.one_time.first().cloned();
        let bundle = PrekeyBundle { address: self.address, set: self.upload.set.clone(), one_time };
        bundle.verify(&self.certificate).unwrap()
    }

    pub(crate) fn start(&mut self, other: &Self) {
        self.start_with(other, &other.bundle()).unwrap();
    }

    pub(crate) fn start_with(
        &mut self,
        other: &Self,
        bundle: &VerifiedBundle,
    ) -> Result<(), SessionError> {
        let mut rng = self.rng.clone();
        let theirs = other.identity.key();
        self.sessions = self.sessions.start(&self.local(), theirs, bundle, self.now, &mut rng)?;
        self.rng = rng;
        Ok(())
    }

    pub(crate) fn says(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let (message, next) =
            self.sessions.encrypt(plaintext, AD, self.now, &mut self.rng).unwrap();
        self.sessions = next;
        message
    }

    /// Opens a message and commits: the sessions, and the one-time prekey it spent.
    pub(crate) fn hears(&mut self, other: &Self, message: &[u8]) -> Result<Vec<u8>, SessionError> {
        let decrypted = self.tries(other, message, AD)?;
        self.sessions = decrypted.sessions;
        if let Some(spent) = decrypted.spent {
            self.spent.push(spent);
            spent.one_time.into_iter().for_each(|index| self.prekeys.spend(index));
        }
        Ok(decrypted.plaintext.to_vec())
    }

    /// Opens a message and commits nothing.
    pub(crate) fn tries(
        &self,
        other: &Self,
        message: &[u8],
        associated: &[u8],
    ) -> Result<Decrypted, SessionError> {
        self.sessions.decrypt(
            &self.local(),
            &other.certificate,
            other.identity.key(),
            &[&self.prekeys],
            message,
            associated,
            self.now,
        )
    }

    pub(crate) fn restarts(&mut self) {
        self.sessions = Sessions::from_snapshot(&self.sessions.to_snapshot()).unwrap();
    }
}
