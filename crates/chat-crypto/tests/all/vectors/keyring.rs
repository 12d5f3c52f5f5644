//! Vectors of the sealed keyring.

use chat_crypto::keyring::{Keyring, KeyringLock};
use chat_crypto::recovery::RecoveryPhrase;
use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{check, hex};
use crate::keyring_spec::{self as spec, PASSWORD, PHRASE, Place, lock_key, parts};
use crate::people::{Person, rng};

const NUMBER: u64 = 5;

#[test]
fn keyrings_are_as_written() {
    let mut alice = Person::new(1);
    let account = alice.address.account;
    let mut rng = rng(2);
    let mut entropy = [0; 32];
    rng.clone().fill_bytes(&mut entropy);
    let phrase = RecoveryPhrase::generate(&mut rng);

    let (sealed, lock) = alice.keyring.seal(NUMBER, &[0xe1; 64], &phrase, &mut rng);
    let first = case(&alice.keyring, &sealed, &lock, &[0xe1; 64], &entropy);

    // A new password, and with it a fresh lock, a new epoch and a new backup key.
    let mut lock = lock.with_password(&[0xe2; 64], &mut rng);
    let epoch = chat_crypto::wrap::EnvelopeSecrets::generate(account, 2, &mut rng);
    alice.keyring.add_epoch(epoch).unwrap();
    alice.keyring.rotate_backup_key(&mut rng).unwrap();
    let sealed = lock.reseal(&alice.keyring, &mut rng).unwrap();
    let second = case(&alice.keyring, &sealed, &lock, &[0xe2; 64], &entropy);

    assert_ne!(first["lock_key"], second["lock_key"]);
    let cases = [first, second];
    check("keyring.json", &json!({ "specification": "keyring.md §2, §3, §4", "cases": cases }));
}

/// Opens everything by nothing but primitives, and says what came out.
fn case(
    keyring: &Keyring,
    sealed: &[u8],
    lock: &KeyringLock,
    export_key: &[u8],
    entropy: &[u8; 32],
) -> Value {
    let place = Place { account: keyring.account(), number: lock.number() };
    let phrase = bip0039::Mnemonic::<bip0039::English>::from_entropy(*entropy).unwrap();
    let parts = parts(sealed);
    let password_seed = spec::seed(PASSWORD, export_key);
    let phrase_seed = spec::seed(PHRASE, entropy);

    let key = place.open_key(PASSWORD, &password_seed, &parts.for_password).unwrap();
    let same_key = place.open_key(PHRASE, &phrase_seed, &parts.for_phrase).unwrap();
    let content = place.open_content(&key, &parts.content).unwrap();

    assert_eq!(parts.version, 1);
    assert_eq!([&key, &same_key], [&lock_key(lock); 2]);
    assert_eq!(*content.keyring, *keyring.to_snapshot());
    assert_eq!(*content.password, spec::public(&password_seed));
    assert_eq!(*content.phrase, spec::public(&phrase_seed));
    json!({
        "account": hex(place.account.as_bytes()),
        "number": place.number,
        "export_key": hex(export_key),
        "password_seed": hex(password_seed),
        "password_opener": hex(spec::public(&password_seed)),
        "password_info": hex(place.info(1)),
        "phrase": phrase.phrase(),
        "phrase_entropy": hex(entropy),
        "phrase_seed": hex(phrase_seed),
        "phrase_opener": hex(spec::public(&phrase_seed)),
        "phrase_info": hex(place.info(2)),
        "lock_aad": hex(place.number.to_be_bytes()),
        "lock_key": hex(key),
        "content_aad": hex(place.content_aad()),
        "identity_key": hex(keyring.identity().key().as_bytes()),
        "backup_key_number": keyring.backup_key_number(),
        "backup_key": hex(keyring.backup_key().as_bytes()),
        "keyring_cbor": hex(&*content.keyring),
        "sealed_keyring_cbor": hex(sealed),
    })
}
