//! Keyrings that come back with the password, the phrase or the lock, and with nothing else.

use chat_core::codec::DecodeError;
use chat_core::id::AccountId;
use chat_core::limits::KEYRING_BYTES_MAX;
use chat_crypto::keyring::{BACKUP_KEYS_MAX, EPOCHS_MAX, Keyring, KeyringError, KeyringLock};
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::snapshot::SnapshotError;
use chat_crypto::wrap::EnvelopeSecrets;
use minicbor::bytes::ByteVec;

use crate::keyring_spec::{self as spec, PASSWORD, Place, Sealed, lock_key, parts};
use crate::people::{Person, rng};

const EXPORT_KEY: &[u8] = &[0xe1; 64];
const NEW_EXPORT_KEY: &[u8] = &[0xe2; 64];

#[test]
fn the_password_opens_the_keyring() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    let opened = Keyring::open_with_password(&sealed, account(&alice), 1, EXPORT_KEY);

    let (keyring, lock) = opened.unwrap();
    assert_eq!(*keyring.to_snapshot(), *alice.keyring.to_snapshot());
    assert_eq!(keyring.identity().key(), alice.keyring.identity().key());
    assert_eq!(lock.number(), 1);
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
fn a_wrong_password_phrase_or_lock_opens_nothing() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let other_phrase = RecoveryPhrase::generate(&mut rng(6));

    let by_password = Keyring::open_with_password(&sealed, account(&alice), 1, NEW_EXPORT_KEY);
    let by_phrase = Keyring::open_with_phrase(&sealed, account(&alice), 1, &other_phrase);
    let by_lock = lock.renew(&mut rng(7)).open(&sealed, account(&alice), 1);

    assert_eq!(by_password.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(by_phrase.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(by_lock.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn the_phrase_is_not_a_password() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    // Even the right entropy, given for an export key, is another opener.
    let words = phrase.words();
    let entropy = bip0039::Mnemonic::<bip0039::English>::from_phrase(words.as_str()).unwrap();
    let opened = Keyring::open_with_password(&sealed, account(&alice), 1, entropy.entropy());

    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_relay_cannot_serve_another_number_or_account() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, mut lock) = alice.keyring.seal(2, EXPORT_KEY, &phrase, &mut rng(5));
    let other = AccountId::from_bytes([9; 16]);

    let older = Keyring::open_with_password(&sealed, account(&alice), 1, EXPORT_KEY);
    let newer = Keyring::open_with_phrase(&sealed, account(&alice), 3, &phrase);
    let newer_by_lock = lock.open(&sealed, account(&alice), 3);
    let elsewhere = Keyring::open_with_phrase(&sealed, other, 2, &phrase);
    let elsewhere_by_lock = lock.open(&sealed, other, 2);

    assert_eq!(older.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(newer.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(newer_by_lock.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(elsewhere.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(elsewhere_by_lock.unwrap_err(), KeyringError::NotAuthentic);
    assert_eq!(lock.number(), 2, "a refusal moves nothing");
}

#[test]
fn a_keyring_that_is_rolled_back_is_refused() {
    let (mut alice, phrase) = alice_and_phrase();
    let (first, mut lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    alice.keyring.rotate_backup_key(&mut rng(6)).unwrap();
    let second = lock.reseal(&alice.keyring, &mut rng(7)).unwrap();

    let back = lock.open(&first, account(&alice), 1);

    assert_eq!(back.unwrap_err(), KeyringError::RolledBack);
    assert_eq!(lock.number(), 2);
    assert!(lock.open(&second, account(&alice), 2).is_ok(), "the same number may come again");
    let stored = KeyringLock::from_snapshot(&lock.to_snapshot()).unwrap();
    assert_eq!(stored.number(), 2, "a restart does not forget");
}

#[test]
fn a_keyring_that_lacks_an_older_key_is_no_successor() {
    let (mut alice, _) = alice_and_phrase();
    let first = copy(&alice.keyring);
    alice.keyring.add_epoch(epoch(&alice, 2)).unwrap();
    alice.keyring.rotate_backup_key(&mut rng(6)).unwrap();
    let (_, mut state): (u8, spec::State) = minicbor::decode(&first.to_snapshot()).unwrap();
    state.identity = Person::new(3).keyring.identity().to_snapshot().to_vec().into();
    let other_identity = minicbor::to_vec((1u8, state)).unwrap();
    let other_identity = Keyring::from_snapshot(&other_identity).unwrap();
    let mut other_backup = copy(&alice.keyring);
    other_backup.rotate_backup_key(&mut rng(9)).unwrap();
    let mut fork = copy(&alice.keyring);
    fork.rotate_backup_key(&mut rng(10)).unwrap();

    assert_eq!(first.check_successor(&alice.keyring), Ok(()));
    assert_eq!(first.check_successor(&first), Ok(()));
    let refused = [
        alice.keyring.check_successor(&first),
        first.check_successor(&other_identity),
        first.check_successor(&Person::new(3).keyring),
        fork.check_successor(&other_backup),
    ];
    assert_eq!(refused, [Err(KeyringError::Discontinuous); 4]);
}

#[test]
fn a_keyring_that_was_sealed_for_another_account_than_its_own_is_refused() {
    let (alice, phrase) = alice_and_phrase();
    let other = Person::new(9);
    let (sealed, lock) = other.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let place = Place { account: account(&other), number: 1 };

    // With the lock's key, Alice's keyring takes the place of the other's.
    let replaced = |keyring: &Keyring| {
        let mut parts = parts(&sealed);
        let mut content = place.open_content(&lock_key(&lock), &parts.content).unwrap();
        content.keyring = keyring.to_snapshot().to_vec().into();
        parts.content = place.seal_content(&lock_key(&lock), &content);
        minicbor::to_vec(&parts).unwrap()
    };
    let open = |sealed: &[u8]| Keyring::open_with_phrase(sealed, account(&other), 1, &phrase);

    assert!(open(&replaced(&other.keyring)).is_ok());
    let refused = open(&replaced(&alice.keyring));
    assert_eq!(refused.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_lock_that_was_sealed_for_an_opener_that_the_content_does_not_name_is_refused() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let place = Place { account: account(&alice), number: 1 };

    // A removed device seals the lock that it knows for a password of its own choice.
    let mine = spec::public(&spec::seed(PASSWORD, NEW_EXPORT_KEY));
    let mut parts = parts(&sealed);
    parts.for_password = place.seal_key(PASSWORD, &mine, &lock_key(&lock));
    let spliced = minicbor::to_vec(&parts).unwrap();

    let opened = Keyring::open_with_password(&spliced, account(&alice), 1, NEW_EXPORT_KEY);
    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn no_byte_of_a_sealed_keyring_can_be_changed() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, mut lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    // Every byte of the content and of what surrounds it, and some of each sealed key.
    let content = parts(&sealed).content.len();
    let places = (0..sealed.len())
        .filter(|place| *place < 16 || place % 61 == 0 || *place + content + 8 > sealed.len());
    for place in places {
        let mut changed = sealed.clone();
        changed[place] ^= 1;

        // One of the two sealed keys may be spoilt without the other noticing; never both.
        let by_password = Keyring::open_with_password(&changed, account(&alice), 1, EXPORT_KEY);
        let by_phrase = Keyring::open_with_phrase(&changed, account(&alice), 1, &phrase);
        let by_lock = lock.open(&changed, account(&alice), 1);

        assert!(by_password.is_err() || by_phrase.is_err() || by_lock.is_ok(), "byte {place}");
        let opened = by_password.into_iter().chain(by_phrase).map(|(keyring, _)| keyring);
        for keyring in opened.chain(by_lock) {
            assert_eq!(*keyring.to_snapshot(), *alice.keyring.to_snapshot());
        }
    }
}

#[test]
fn new_content_needs_neither_password_nor_phrase() {
    let (mut alice, phrase) = alice_and_phrase();
    let (first, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    alice.keyring.add_epoch(epoch(&alice, 2)).unwrap();

    let mut stored = KeyringLock::from_snapshot(&lock.to_snapshot()).unwrap();
    let second = stored.reseal(&alice.keyring, &mut rng(7)).unwrap();

    let (by_password, _) =
        Keyring::open_with_password(&second, account(&alice), 2, EXPORT_KEY).unwrap();
    let (by_phrase, mut lock) =
        Keyring::open_with_phrase(&second, account(&alice), 2, &phrase).unwrap();
    assert_eq!(by_password.current_envelope_secrets().epoch(), 2);
    assert!(by_phrase.epoch(1).is_some());
    assert_ne!(first, second);
    let third = lock.reseal(&alice.keyring, &mut rng(8)).unwrap();
    assert!(Keyring::open_with_password(&third, account(&alice), 3, EXPORT_KEY).is_ok());
    assert!(stored.open(&third, account(&alice), 3).is_ok(), "another device keeps up");
}

#[test]
fn a_new_password_takes_the_old_ones_place_and_the_phrase_stays() {
    let (alice, phrase) = alice_and_phrase();
    let (_, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    let mut changed = lock.with_password(NEW_EXPORT_KEY, &mut rng(6));
    let sealed = changed.reseal(&alice.keyring, &mut rng(7)).unwrap();

    let open = |key| Keyring::open_with_password(&sealed, account(&alice), 2, key).map(drop);
    assert_eq!(open(EXPORT_KEY), Err(KeyringError::NotAuthentic));
    assert_eq!(open(NEW_EXPORT_KEY), Ok(()));
    assert!(Keyring::open_with_phrase(&sealed, account(&alice), 2, &phrase).is_ok());
}

#[test]
fn a_new_phrase_takes_the_old_ones_place_and_the_password_stays() {
    let (alice, phrase) = alice_and_phrase();
    let (_, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let new_phrase = RecoveryPhrase::generate(&mut rng(6));

    let mut changed = lock.with_phrase(&new_phrase, &mut rng(7));
    let sealed = changed.reseal(&alice.keyring, &mut rng(8)).unwrap();

    let open = |phrase| Keyring::open_with_phrase(&sealed, account(&alice), 2, phrase).map(drop);
    assert_eq!(open(&phrase), Err(KeyringError::NotAuthentic));
    assert_eq!(open(&new_phrase), Ok(()));
    assert!(Keyring::open_with_password(&sealed, account(&alice), 2, EXPORT_KEY).is_ok());
}

#[test]
fn who_wrapped_the_lock_under_an_old_password_opens_nothing_new() {
    let (mut alice, phrase) = alice_and_phrase();
    let (first, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let mut changed = lock.with_password(NEW_EXPORT_KEY, &mut rng(6));
    alice.keyring.rotate_backup_key(&mut rng(7)).unwrap();
    let second = changed.reseal(&alice.keyring, &mut rng(8)).unwrap();

    // A thief with the old password, the old keyring and the relay's help.
    let old = Place { account: account(&alice), number: 1 };
    let new = Place { number: 2, ..old };
    let seed = spec::seed(PASSWORD, EXPORT_KEY);
    let old_key = old.open_key(PASSWORD, &seed, &parts(&first).for_password).unwrap();
    let for_old = parts(&first).for_password;

    assert_eq!(old_key, lock_key(&lock));
    assert_eq!(new.open_key(PASSWORD, &seed, &parts(&second).for_password), None);
    assert!(new.open_content(&old_key, &parts(&second).content).is_none());
    let spliced = Sealed { for_password: for_old, ..parts(&second) };
    let spliced = minicbor::to_vec(&spliced).unwrap();
    let opened = Keyring::open_with_password(&spliced, account(&alice), 2, EXPORT_KEY);
    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_removed_device_does_not_open_what_was_sealed_after_its_removal() {
    let (mut alice, phrase) = alice_and_phrase();
    let (_, mut removed) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    alice.keyring.add_epoch(epoch(&alice, 2)).unwrap();

    let mut renewed = removed.renew(&mut rng(6));
    let sealed = renewed.reseal(&alice.keyring, &mut rng(7)).unwrap();

    let opened = removed.open(&sealed, account(&alice), 2);
    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
    assert!(Keyring::open_with_password(&sealed, account(&alice), 2, EXPORT_KEY).is_ok());
    assert!(Keyring::open_with_phrase(&sealed, account(&alice), 2, &phrase).is_ok());
}

#[test]
fn backup_keys_are_numbered_and_none_is_dropped() {
    let (mut alice, phrase) = alice_and_phrase();
    let first = *alice.keyring.backup_key().as_bytes();

    alice.keyring.rotate_backup_key(&mut rng(6)).unwrap();

    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let (keyring, _) = Keyring::open_with_phrase(&sealed, account(&alice), 1, &phrase).unwrap();
    assert_eq!(keyring.backup_key_number(), 2);
    assert_ne!(*keyring.backup_key().as_bytes(), first);
    assert_eq!(*keyring.backup_key_numbered(1).unwrap().as_bytes(), first);
    assert!(keyring.backup_key_numbered(0).is_none());
    assert!(keyring.backup_key_numbered(3).is_none());
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
    let phrase = RecoveryPhrase::generate(&mut rng(2));
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let one_epoch = alice.keyring.current_envelope_secrets().to_snapshot().len();
    let beside = sealed.len() - one_epoch;

    // Each key has at most three more bytes for its length and number.
    let fullest = EPOCHS_MAX * (one_epoch + 8) + BACKUP_KEYS_MAX * (32 + 8) + beside + 256;
    assert!(fullest < KEYRING_BYTES_MAX, "{fullest}");
}

#[test]
fn a_full_keyring_takes_no_more() {
    let (mut alice, phrase) = alice_and_phrase();
    let own = account(&alice);
    for number in 2..=100 {
        alice.keyring.add_epoch(epoch(&alice, number)).unwrap();
        alice.keyring.rotate_backup_key(&mut rng(6)).unwrap();
    }

    assert_eq!(alice.keyring.add_epoch(epoch(&alice, 101)), Err(KeyringError::Full));
    assert_eq!(alice.keyring.rotate_backup_key(&mut rng(6)), Err(KeyringError::Full));
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let (keyring, _) = Keyring::open_with_phrase(&sealed, own, 1, &phrase).unwrap();
    assert!((1..=100).all(|number| keyring.epoch(number).is_some()));
    assert!((1..=100).all(|number| keyring.backup_key_numbered(number).is_some()));
}

#[test]
fn a_lock_that_has_counted_to_the_end_seals_no_more() {
    let (alice, phrase) = alice_and_phrase();
    let (_, mut lock) = alice.keyring.seal(u64::MAX, EXPORT_KEY, &phrase, &mut rng(5));

    assert_eq!(lock.reseal(&alice.keyring, &mut rng(6)), Err(KeyringError::Full));
}

#[test]
fn bytes_that_are_no_keyring_are_unreadable() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, mut lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let newer = minicbor::to_vec(Sealed { version: 2, ..parts(&sealed) }).unwrap();
    let longer = vec![0; parts(&sealed).for_phrase.len() + 1];
    let longer = minicbor::to_vec(Sealed { for_phrase: longer.into(), ..parts(&sealed) }).unwrap();

    let mut open = |bytes: &[u8]| {
        let by_phrase = Keyring::open_with_phrase(bytes, account(&alice), 1, &phrase).map(drop);
        assert_eq!(lock.open(bytes, account(&alice), 1).map(drop), by_phrase);
        by_phrase.unwrap_err()
    };

    assert_eq!(open(b""), KeyringError::Unreadable(DecodeError::Malformed));
    assert_eq!(open(&newer), KeyringError::Unreadable(DecodeError::UnknownKind));
    assert_eq!(open(&longer), KeyringError::Unreadable(DecodeError::TooLong));
}

#[test]
fn sealed_keys_and_content_of_any_other_length_are_not_authentic() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, _) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    for length in [0, 1, 32, 1119, 1120, 1136, 1167] {
        let short = parts(&sealed).for_phrase[..length].to_vec().into();
        let changed = minicbor::to_vec(Sealed { for_phrase: short, ..parts(&sealed) }).unwrap();
        let opened = Keyring::open_with_phrase(&changed, account(&alice), 1, &phrase);
        assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic, "sealed key of {length}");
    }
    for length in [0, 23, 24, 40, 500] {
        let short = parts(&sealed).content[..length].to_vec().into();
        let changed = minicbor::to_vec(Sealed { content: short, ..parts(&sealed) }).unwrap();
        let opened = Keyring::open_with_phrase(&changed, account(&alice), 1, &phrase);
        assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic, "content of {length}");
    }
}

#[test]
fn content_that_names_no_usable_opener_is_refused() {
    let (alice, phrase) = alice_and_phrase();
    let (sealed, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let place = Place { account: account(&alice), number: 1 };

    // X-Wing keys whose ML-KEM coefficients are out of range: nothing could be sealed for them.
    let mut parts = parts(&sealed);
    let mut content = place.open_content(&lock_key(&lock), &parts.content).unwrap();
    content.password = vec![0xff; 1216].into();
    parts.content = place.seal_content(&lock_key(&lock), &content);
    let changed = minicbor::to_vec(&parts).unwrap();

    let opened = Keyring::open_with_phrase(&changed, account(&alice), 1, &phrase);
    assert_eq!(opened.unwrap_err(), KeyringError::NotAuthentic);
}

#[test]
fn a_keyring_survives_its_snapshot_with_every_key() {
    let alice = Person::with_rsa();

    let again = Keyring::from_snapshot(&alice.keyring.to_snapshot()).unwrap();

    let now = crate::people::NOW;
    let public = |keyring: &Keyring| keyring.current_envelope_secrets().public(now);
    assert_eq!(public(&again), public(&alice.keyring));
    assert!(public(&again).rsa.is_some());
    assert_eq!(again.backup_key().as_bytes(), alice.keyring.backup_key().as_bytes());
    assert!(Keyring::from_snapshot(b"something else").is_err());
}

#[test]
fn a_keyring_without_any_of_its_parts_is_malformed() {
    let (alice, _) = alice_and_phrase();
    let (_, whole): (u8, spec::State) = minicbor::decode(&alice.keyring.to_snapshot()).unwrap();
    let read = |state: spec::State| {
        Keyring::from_snapshot(&minicbor::to_vec((1u8, state)).unwrap()).map(drop)
    };
    let none = Vec::<ByteVec>::new();
    let short = vec![ByteVec::from(vec![1; 31])];

    assert_eq!(read(whole.clone()), Ok(()));
    for broken in [
        spec::State { epochs: none.clone(), ..whole.clone() },
        spec::State { backup: none, ..whole.clone() },
        spec::State { backup: short, ..whole.clone() },
        spec::State { epochs: [&whole.epochs[..], &whole.epochs].concat(), ..whole.clone() },
        spec::State { backup: vec![whole.backup[0].clone(); 101], ..whole.clone() },
    ] {
        assert_eq!(read(broken), Err(SnapshotError::Malformed));
    }
}

#[test]
fn a_lock_with_openers_that_are_no_keys_is_malformed() {
    let (alice, phrase) = alice_and_phrase();
    let (_, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));
    let snapshot = lock.to_snapshot();
    let opener = spec::public(&spec::seed(PASSWORD, EXPORT_KEY));
    let at = snapshot.windows(opener.len()).position(|window| window == opener).unwrap();
    let mut changed = snapshot.to_vec();

    // ML-KEM coefficients out of range.
    changed[at..at + 3].fill(0xff);

    let read = KeyringLock::from_snapshot(&changed).map(drop);
    assert_eq!(read, Err(SnapshotError::Malformed));
    assert!(KeyringLock::from_snapshot(&snapshot).is_ok());
}

#[test]
fn secrets_of_the_keyring_do_not_print() {
    let (alice, phrase) = alice_and_phrase();
    let (_, lock) = alice.keyring.seal(1, EXPORT_KEY, &phrase, &mut rng(5));

    assert_eq!(format!("{:?} {lock:?}", alice.keyring), "Keyring(..) KeyringLock(..)");
    assert_eq!(format!("{:?}", phrase.login()), "RecoveryLogin(..)");
}

fn alice_and_phrase() -> (Person, RecoveryPhrase) {
    (Person::new(1), RecoveryPhrase::generate(&mut rng(2)))
}

fn account(person: &Person) -> AccountId {
    person.address.account
}

fn copy(keyring: &Keyring) -> Keyring {
    Keyring::from_snapshot(&keyring.to_snapshot()).unwrap()
}

fn epoch(person: &Person, number: u32) -> EnvelopeSecrets {
    EnvelopeSecrets::generate(account(person), number, &mut rng(6))
}
