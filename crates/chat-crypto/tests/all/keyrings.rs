//! Keyrings that come back with the password or the phrase, and with nothing else.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chat_core::codec::DecodeError;
use chat_core::id::AccountId;
use chat_core::limits::KEYRING_BYTES_MAX;
use chat_crypto::keyring::{EPOCHS_MAX, Keyring, KeyringError, KeyringLock};
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::snapshot::SnapshotError;
use chat_crypto::wrap::EnvelopeSecrets;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::people::{Person, rng};

const EXPORT_KEY: &[u8] = &[0xe1; 64];

#[test]
fn the_password_opens_the_keyring() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    let opened = Keyring::open_with_password(&sealed, account(&alice), 1, EXPORT_KEY);

    let (keyring, _) = opened.unwrap();
    assert_eq!(*keyring.to_snapshot(), *alice.keyring.to_snapshot());
    assert_eq!(keyring.identity().key(), alice.keyring.identity().key());
}

#[test]
fn the_written_down_phrase_opens_the_keyring() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    let typed = RecoveryPhrase::parse(&phrase.words()).unwrap();
    let (keyring, _) = Keyring::open_with_phrase(&sealed, account(&alice), 1, &typed).unwrap();

    assert_eq!(*keyring.to_snapshot(), *alice.keyring.to_snapshot());
}

#[test]
fn a_wrong_password_or_phrase_opens_nothing() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let other_phrase = RecoveryPhrase::generate(&mut rng(6));

    let by_password = Keyring::open_with_password(&sealed, account(&alice), 1, &[0xe2; 64]);
    let by_phrase = Keyring::open_with_phrase(&sealed, account(&alice), 1, &other_phrase);

    assert_eq!(by_password.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(by_phrase.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn the_phrase_is_not_a_password() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    // Even the right entropy, given for an export key, is another key.
    let words = phrase.words();
    let entropy = bip0039::Mnemonic::<bip0039::English>::from_phrase(words.as_str()).unwrap();
    let opened = Keyring::open_with_password(&sealed, account(&alice), 1, entropy.entropy());

    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_relay_cannot_serve_another_number_or_account() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(2, EXPORT_KEY, &phrase, &mut rng(5));
    let other = AccountId::from_bytes([9; 16]);

    let older = Keyring::open_with_password(&sealed, account(&alice), 1, EXPORT_KEY);
    let newer = Keyring::open_with_phrase(&sealed, account(&alice), 3, &phrase);
    let elsewhere = Keyring::open_with_phrase(&sealed, other, 2, &phrase);

    assert_eq!(older.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(newer.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(elsewhere.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_keyring_that_was_sealed_for_another_account_than_its_own_is_refused() {
    let (alice, phrase) = alice_and_phrase();
    let other = Person::new(9);
    let (sealed, lock) = other.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    // With the lock's key, Alice's keyring takes the place of the other's.
    let (_, LockState { key }): (u8, _) = minicbor::decode(&lock.to_snapshot()).unwrap();
    let number = 1u64.to_be_bytes();
    let aad = [&b"sealwire/1/aad/keyring"[..], account(&other).as_bytes(), &number].concat();
    let replaced = |keyring: &Keyring| {
        let payload = Payload { msg: &keyring.to_snapshot(), aad: &aad };
        let cipher = XChaCha20Poly1305::new_from_slice(&key).unwrap();
        let content = cipher.encrypt(&XNonce::from([0; 24]), payload).unwrap();
        let mut parts: Sealed = minicbor::decode(&sealed).unwrap();
        parts.content = [&[0; 24][..], &content].concat().into();
        minicbor::to_vec(&parts).unwrap()
    };
    let open = |sealed: &[u8]| Keyring::open_with_phrase(sealed, account(&other), 1, &phrase);

    assert!(open(&replaced(&other.keyring)).is_ok());
    let refused = open(&replaced(&alice.keyring));
    assert_eq!(refused.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn no_byte_of_a_sealed_keyring_can_be_changed() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;

        // One of the two sealed keys may be spoilt without the other noticing; never both.
        let by_password = Keyring::open_with_password(&changed, account(&alice), 1, EXPORT_KEY);
        let by_phrase = Keyring::open_with_phrase(&changed, account(&alice), 1, &phrase);

        assert!(by_password.is_err() || by_phrase.is_err(), "byte {place}");
        for (keyring, _) in by_password.into_iter().chain(by_phrase) {
            assert_eq!(*keyring.to_snapshot(), *alice.keyring.to_snapshot());
        }
    }
}

#[test]
fn new_content_needs_neither_password_nor_phrase() {
    let (mut alice, phrase) = alice_and_phrase();
    let (first, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let next = EnvelopeSecrets::generate(account(&alice), 2, &mut rng(6));
    alice.keyring.add_epoch(next).unwrap();

    let stored = KeyringLock::from_snapshot(&lock.to_snapshot()).unwrap();
    let second = stored.reseal(&alice.keyring, 2, &mut rng(7));

    let (by_password, _) =
        Keyring::open_with_password(&second, account(&alice), 2, EXPORT_KEY).unwrap();
    let (by_phrase, lock) =
        Keyring::open_with_phrase(&second, account(&alice), 2, &phrase).unwrap();
    assert_eq!(by_password.current_envelope_secrets().epoch(), 2);
    assert!(by_phrase.epoch(1).is_some());
    assert_ne!(first, second);
    let third = lock.reseal(&alice.keyring, 3, &mut rng(8));
    assert!(Keyring::open_with_password(&third, account(&alice), 3, EXPORT_KEY).is_ok());
}

#[test]
fn an_epoch_must_follow_the_newest_of_the_same_account() {
    let (mut alice, _) = alice_and_phrase();
    let mut add = |account, epoch| {
        alice.keyring.add_epoch(EnvelopeSecrets::generate(account, epoch, &mut rng(6)))
    };
    let own = Person::new(1).address.account;

    assert_eq!(add(own, 1), Err(KeyringError::NotNext));
    assert_eq!(add(own, 3), Err(KeyringError::NotNext));
    assert_eq!(add(AccountId::from_bytes([9; 16]), 2), Err(KeyringError::NotNext));
    assert_eq!(add(own, 2), Ok(()));
}

#[test]
fn the_fullest_keyring_fits_its_limit() {
    let alice = Person::with_rsa();
    let one_epoch = alice.keyring.current_envelope_secrets().to_snapshot().len();
    let beside = alice.keyring.to_snapshot().len() - one_epoch;

    // Each epoch has at most three more bytes for its length and number.
    assert!(EPOCHS_MAX * (one_epoch + 8) + beside + 256 < KEYRING_BYTES_MAX);
}

#[test]
fn a_full_keyring_takes_no_more() {
    let (mut alice, phrase) = alice_and_phrase();
    let own = account(&alice);
    let next = |number| EnvelopeSecrets::generate(own, number, &mut rng(6));
    for number in 2..=100 {
        alice.keyring.add_epoch(next(number)).unwrap();
    }

    assert_eq!(alice.keyring.add_epoch(next(101)), Err(KeyringError::Full));
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let (keyring, _) = Keyring::open_with_phrase(&sealed, own, 1, &phrase).unwrap();
    assert!((1..=100).all(|number| keyring.epoch(number).is_some()));
}

#[test]
fn bytes_that_are_no_keyring_are_unreadable() {
    let (alice, phrase) = alice_and_phrase();
    let (mut newer, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    newer[2] = 2; // the version, behind the map's and the key's byte

    let open = |bytes: &[u8]| {
        Keyring::open_with_phrase(bytes, account(&alice), 1, &phrase).map(drop).unwrap_err()
    };

    assert_eq!(open(b""), KeyringError::Unreadable(DecodeError::Malformed));
    assert_eq!(open(&newer), KeyringError::Unreadable(DecodeError::UnknownKind));
}

#[test]
fn a_keyring_survives_its_snapshot_with_every_key() {
    let alice = Person::with_rsa();

    let again = Keyring::from_snapshot(&alice.keyring.to_snapshot()).unwrap();

    let now = crate::people::NOW;
    let public = |keyring: &Keyring| keyring.current_envelope_secrets().public(now);
    assert_eq!(public(&again), public(&alice.keyring));
    assert!(public(&again).rsa.is_some());
    assert!(Keyring::from_snapshot(b"something else").is_err());
}

#[test]
fn a_keyring_without_envelope_keys_is_malformed() {
    let (alice, _) = alice_and_phrase();
    let identity = ByteVec::from(alice.keyring.identity().to_snapshot().to_vec());
    let empty = (1u8, KeyringState { identity, epochs: Vec::new() });

    let read = Keyring::from_snapshot(&minicbor::to_vec(&empty).unwrap());

    assert_eq!(read.unwrap_err(), SnapshotError::Malformed);
}

/// What `docs/protocol/keyring.md` §3 says of a sealed keyring.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Sealed {
    #[n(0)]
    version: u8,
    #[n(1)]
    by_password: ByteVec,
    #[n(2)]
    by_phrase: ByteVec,
    #[n(3)]
    content: ByteVec,
}

/// What §4 says of the keyring itself.
#[derive(Encode)]
#[cbor(map)]
struct KeyringState {
    #[n(0)]
    identity: ByteVec,
    #[n(1)]
    epochs: Vec<ByteVec>,
}

#[derive(Decode)]
#[cbor(map)]
struct LockState {
    #[n(0)]
    key: ByteVec,
}

fn alice_and_phrase() -> (Person, RecoveryPhrase) {
    (Person::new(1), RecoveryPhrase::generate(&mut rng(2)))
}

fn account(person: &Person) -> AccountId {
    person.address.account
}
