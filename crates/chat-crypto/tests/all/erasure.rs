//! Secrets that are gone: the process reads its own memory after they were dropped.
//!
//! ```text
//!  a worker makes secrets, uses them, notes their first 16 bytes masked
//!    while they live     every one is found        so the search finds what is there
//!                        none of earlier states    a session is done with its keys as it goes on
//!    after the drop      none is found             on the heap, in statics, anywhere but its stack
//! ```
//!
//! The worker's stack is left out. Moving a value leaves its bytes where it was, which Rust neither
//! prevents nor tells; there they stay until a later call is as deep. Whoever reads the stack of a
//! running process reads the secrets in use as well. Linux only: the memory is read through
//! `/proc/self/mem`, which takes no `unsafe`.

use std::any::Any;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use chat_core::codec::Digest;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_crypto::attachment::{AttachmentDescription, AttachmentOpener, AttachmentSealer};
use chat_crypto::backup::{BackupHead, Records};
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::Keyring;
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::sender_chain::{ReceivingChains, SendingChain};
use chat_crypto::session::Sessions;
use chat_crypto::wrap::{EnvelopeSecrets, MessageSecret};
use hkdf::Hkdf;
use rand_core::{TryCryptoRng, TryRng};
use sha2::Sha256;
use sha2::block_api::compress256;
use zeroize::Zeroizing;

use crate::chain_spec::HandOut;
use crate::memory::{Found, Needles, search};
use crate::people::{CONVERSATION, NOW, Person};
use crate::sender_chains::{audience, handed, opens, says};

const AD: &[u8] = b"associated";
/// How long a handshake header is.
const HANDSHAKE_BYTES: usize = 1606;
/// The state before the first block (FIPS 180-4 §5.3.3).
const SHA_256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const STACK: usize = 2 << 20;
/// What of the stack is not searched around the worker's first frame: that frame itself above it, and
/// below it all that it can call. No more: right beside a stack the allocator may have its memory,
/// where what lives is to be found.
const FRAME: usize = 4 << 10;
const FRAMES_BELOW: usize = STACK - (64 << 10);

#[test]
fn identity_and_device_secrets_leave_nothing() {
    assert_erased(1, |noted, rng| {
        let identity = IdentitySecret::generate(rng);
        let device = DeviceSecrets::generate(rng);
        let again = IdentitySecret::from_snapshot(&identity.to_snapshot()).unwrap();
        let device = DeviceSecrets::from_snapshot(&device.to_snapshot()).unwrap();
        noted.living(&again.to_snapshot());
        noted.living(&device.to_snapshot());
        Box::new((identity, again, device))
    });
}

#[test]
fn prekeys_leave_nothing() {
    assert_erased(2, |noted, rng| {
        let device = DeviceSecrets::generate(rng);
        let address =
            DeviceAddress { account: AccountId::random(rng), device: DeviceId::random(rng) };
        let (mut prekeys, _) = PrekeySecrets::generate(&device, address, 1, 5, NOW, rng);
        prekeys.spend(2);
        let prekeys = PrekeySecrets::from_snapshot(&prekeys.to_snapshot()).unwrap();
        noted.living(&prekeys.to_snapshot());
        Box::new(prekeys)
    });
}

#[test]
fn envelope_secrets_and_keyrings_leave_nothing() {
    assert_erased(3, |noted, rng| {
        let account = AccountId::random(rng);
        let identity = IdentitySecret::generate(rng);
        let epoch = EnvelopeSecrets::generate(account, 1, rng);
        noted.living(&identity.to_snapshot());
        noted.living(&epoch.to_snapshot());
        let keyring = Keyring::new(identity, epoch, rng);
        let phrase = RecoveryPhrase::generate(rng);
        let (sealed, lock) = keyring.seal(1, &[0xe1; 64], &phrase, rng);
        noted.living(&lock.to_snapshot());
        let (opened, _) = Keyring::open_with_phrase(&sealed, account, 1, &phrase).unwrap();
        let again = Keyring::from_snapshot(&opened.to_snapshot()).unwrap();
        Box::new((keyring, lock, again))
    });
}

#[test]
fn message_secrets_leave_nothing() {
    assert_erased(4, |noted, rng| {
        let secret = MessageSecret::generate(rng);
        noted.one(secret.as_bytes());
        Box::new((secret.clone(), secret))
    });
}

#[test]
fn attachments_leave_nothing() {
    assert_erased(5, |noted, rng| {
        let mut content = Zeroizing::new(vec![0; 5000]);
        rng.try_fill_bytes(&mut content).unwrap();
        let mut sealer = AttachmentSealer::new(5000, rng).unwrap();
        let mut blob = vec![0; 6000];
        sealer.seal(&content, &mut blob).unwrap();
        let description = sealer.finish().unwrap();
        let bytes = description.to_bytes();
        noted.one(&bytes[5..]); // the file key: behind map, version, key and length
        noted.one(&content);

        // One that holds content before it is sealed, one that holds it after it was opened.
        let mut sealer = AttachmentSealer::new(6000, rng).unwrap();
        sealer.seal(&content, &mut [0; 32]).unwrap();
        let again = AttachmentDescription::from_bytes(&bytes).unwrap();
        let mut opener = AttachmentOpener::new(&again);
        opener.open(&blob, &mut []).unwrap();
        Box::new((description, again, sealer, opener, content, bytes))
    });
}

#[test]
fn backups_leave_nothing() {
    assert_erased(6, |noted, rng| {
        let account = AccountId::random(rng);
        let epoch = EnvelopeSecrets::generate(account, 1, rng);
        let keyring = Keyring::new(IdentitySecret::generate(rng), epoch, rng);
        let mut record = Zeroizing::new(vec![0; 1000]);
        rng.try_fill_bytes(&mut record).unwrap();
        let mut records = Records::new();
        records.push(&record, None).unwrap();
        let (sealed, head) = BackupHead::begin(rng).append(&keyring, &records, rng);
        let segment = head.reader().open(&sealed, &keyring).unwrap();
        noted.one(keyring.backup_key().as_bytes());
        noted.one(&record);
        Box::new((keyring, record, records, segment))
    });
}

#[test]
fn sessions_leave_nothing() {
    assert_erased(7, |noted, rng| {
        let mut states = Vec::new(); // all that there ever were, so that every key of theirs lives
        talk(noted, rng, |noted, sessions| {
            noted.living(&sessions.to_snapshot());
            states.push(sessions);
        });
        Box::new(states)
    });
}

/// The test above is its control: there, the same keys are found, because the states are kept.
#[test]
fn what_sessions_are_done_with_is_gone_while_they_live() {
    assert_erased(8, |noted, rng| {
        let past = |noted: &mut Needles, sessions: Sessions| noted.past(&sessions.to_snapshot());
        let [alices, bobs] = talk(noted, rng, past);
        noted.living(&alices.to_snapshot());
        noted.living(&bobs.to_snapshot());
        Box::new((alices, bobs))
    });
}

/// One search at a time: each copies what it reads, which is what the others look for.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs `work` in a thread of its own and looks for what it noted.
fn assert_erased(seed: u64, work: fn(&mut Needles, &mut Splitmix) -> Box<dyn Any>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (reports, reported) = mpsc::sync_channel(0);
    let (go_on, waiting) = mpsc::sync_channel(0);
    let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
        let mut needles = Needles::default();
        let held = work(&mut needles, &mut Splitmix(seed));
        reports.send((std::ptr::from_ref(&reports).addr(), needles)).unwrap();
        waiting.recv().unwrap();
        drop(held);
        reports.send((0, Needles::default())).unwrap();
        waiting.recv().unwrap();
    });

    let (on_stack, needles) = reported.recv().unwrap();
    let stack = on_stack - FRAMES_BELOW..on_stack + FRAME;
    let alive = search(&needles, &stack);
    go_on.send(()).unwrap();
    reported.recv().unwrap();
    let left = search(&needles, &stack);
    go_on.send(()).unwrap();
    worker.unwrap().join().unwrap();

    assert!(needles.len() > 0);
    let expected = Found { alive: needles.len(), past: 0 };
    assert_eq!(alive, expected, "all that live are found, and none of the past");
    assert_eq!(left, Found::default(), "none is left");
}

#[test]
fn sender_chains_leave_nothing() {
    assert_erased(10, |noted, rng| {
        let epoch = EnvelopeSecrets::generate(AccountId::random(rng), 1, rng);
        let alice = Person::with_epoch(epoch, rng);
        let mut chain = SendingChain::begin(CONVERSATION, alice.address, NOW, rng);
        let mut held = handed(&alice, &chain);
        let mut states: Vec<Box<dyn Any>> = Vec::new();
        for _ in 0..2 {
            noted.public(&*HandOut::read(&chain.hand_out(audience())).key);
            let messages = [(); 5].map(|()| {
                let (message, next) = says(&alice, &chain, b"text");
                noted.living(&next.to_snapshot());
                chain = SendingChain::from_snapshot(&next.to_snapshot()).unwrap();
                states.push(Box::new(next));
                message
            });
            // The second and the last are on the road when the chain is closed.
            for place in [0, 3, 2] {
                let (_, next) = opens(&alice, &held, &messages[place]).unwrap();
                noted.living(&next.to_snapshot());
                held = ReceivingChains::from_snapshot(&next.to_snapshot()).unwrap();
                states.push(Box::new(next));
            }
            chain = chain.replaced(NOW, rng);
            held = held.accept(&chain.hand_out(audience()), NOW).unwrap();
            noted.living(&held.to_snapshot());
            states.push(Box::new(held.clone()));
            noted.public(&*HandOut::read(&chain.hand_out(audience())).key);
        }
        Box::new((states, chain, held))
    });
}

/// `HKDF` says nothing of erasing; its hashes do it, by a feature of their crate.
#[test]
fn key_derivations_leave_nothing() {
    assert_erased(9, |noted, rng| {
        let mut key = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *key).unwrap();
        for padding in [0x36, 0x5c] {
            let mut block = Zeroizing::new([padding; 64]);
            block.iter_mut().zip(*key).for_each(|(padding, key)| *padding ^= key);
            let mut keyed = SHA_256_START;
            compress256(&mut keyed, &[*block]);
            noted.one(&Zeroizing::new(keyed.map(u32::to_ne_bytes).concat()));
        }
        Box::new(Hkdf::<Sha256>::from_prk(&*key).unwrap())
    });
}

/// Six turns of a session, past its first post-quantum secret. Every state goes to `state`, to be
/// read again from its snapshot; both sides' last ones are returned.
fn talk(
    noted: &mut Needles,
    rng: &mut Splitmix,
    mut state: impl FnMut(&mut Needles, Sessions),
) -> [Sessions; 2] {
    let (people, mut sessions) = strangers(noted, rng);
    let mut next = |noted: &mut Needles, next: Sessions| {
        let again = Sessions::from_snapshot(&next.to_snapshot()).unwrap();
        state(noted, next);
        again
    };

    for turn in 0..6 {
        let (us, them) = (turn % 2, 1 - turn % 2);
        let messages = [(); 5].map(|()| {
            let (message, after) = sessions[us].encrypt(b"text", AD, NOW, rng).unwrap();
            sessions[us] = next(noted, after);
            noted.public(&message);
            message
        });
        // The second is lost, the fourth overtakes the third.
        for place in [0, 3, 2, 4] {
            let heard = hear(&sessions[them], &people[them], &people[us], &messages[place]);
            sessions[them] = next(noted, heard);
        }
    }
    sessions
}

/// Two people, the first of whom has started a session, and what of it is no secret.
fn strangers(noted: &mut Needles, rng: &mut Splitmix) -> ([Person; 2], [Sessions; 2]) {
    let [alice, mut bob] = [1, 2].map(|number| {
        let epoch = EnvelopeSecrets::generate(AccountId::random(rng), number, rng);
        let person = Person::with_epoch(epoch, rng);
        noted.public(person.keyring.identity().key().as_bytes());
        person
    });
    bob.bundle.one_time = None; // so that the first message offers a post-quantum key
    let bundle = bob.bundle.clone().verify(&bob.certificate).unwrap();
    noted.public(bundle.set.signed.as_bytes());
    let started = Sessions::new(bob.address)
        .start(&alice.local(), bob.keyring.identity().key(), &bundle, NOW, rng)
        .unwrap();
    let (message, _) = started.encrypt(b"text", AD, NOW, rng).unwrap();
    noted.public(Digest::of(&message[1..1 + HANDSHAKE_BYTES]).as_bytes());
    let sessions = [started, Sessions::new(alice.address)];
    ([alice, bob], sessions)
}

fn hear(sessions: &Sessions, us: &Person, them: &Person, message: &[u8]) -> Sessions {
    let (local, identity) = (us.local(), them.keyring.identity().key());
    let prekeys = [&us.prekeys];
    sessions
        .decrypt(&local, &them.certificate, identity, &prekeys, message, AD, NOW)
        .unwrap()
        .sessions
}

/// A generator that keeps nothing of what it gives (splitmix64).
struct Splitmix(u64);

impl TryRng for Splitmix {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(word ^ (word >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Splitmix {}
