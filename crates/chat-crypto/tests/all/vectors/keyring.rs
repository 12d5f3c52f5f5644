//! Vectors of the sealed keyring.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chat_crypto::keyring::Keyring;
use chat_crypto::recovery::RecoveryPhrase;
use hkdf::Hkdf;
use minicbor::Decode;
use minicbor::bytes::ByteVec;
use rand_core::Rng as _;
use serde_json::json;
use sha2::Sha256;

use super::{check, hex};
use crate::people::{Person, rng};

const EXPORT_KEY: [u8; 64] = [0xe1; 64];
const NUMBER: u64 = 5;

#[derive(Decode)]
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

#[test]
fn keyrings_are_as_written() {
    let alice = Person::new(1);
    let account = alice.address.account;
    let mut rng = rng(2);
    let mut entropy = [0; 32];
    rng.clone().fill_bytes(&mut entropy);
    let phrase = RecoveryPhrase::generate(&mut rng);
    let mut lock_key = [0; 32];
    rng.clone().fill_bytes(&mut lock_key);

    let (sealed, _) = alice.keyring.seal(NUMBER, &EXPORT_KEY, &phrase, &mut rng);

    // Opened by nothing but primitives.
    let parts: Sealed = minicbor::decode(&sealed).unwrap();
    let password_key = derive(&EXPORT_KEY, b"sealwire/1/kdf/keyring-password");
    let phrase_key = derive(&entropy, b"sealwire/1/kdf/keyring-phrase");
    let password_aad = [&b"sealwire/1/kdf/keyring-password"[..], account.as_bytes()].concat();
    let phrase_aad = [&b"sealwire/1/kdf/keyring-phrase"[..], account.as_bytes()].concat();
    let content_aad =
        [&b"sealwire/1/aad/keyring"[..], account.as_bytes(), &NUMBER.to_be_bytes()].concat();
    assert_eq!(parts.version, 1);
    assert_eq!(open(&password_key, &parts.by_password, &password_aad), lock_key);
    assert_eq!(open(&phrase_key, &parts.by_phrase, &phrase_aad), lock_key);
    let keyring = open(&lock_key, &parts.content, &content_aad);
    assert_eq!(keyring, *alice.keyring.to_snapshot());
    assert!(Keyring::open_with_phrase(&sealed, account, NUMBER, &phrase).is_ok());

    let case = json!({
        "account": hex(account.as_bytes()),
        "number": NUMBER,
        "export_key": hex(EXPORT_KEY),
        "password_key": hex(password_key),
        "password_aad": hex(password_aad),
        "phrase": *phrase.words(),
        "phrase_entropy": hex(entropy),
        "phrase_key": hex(phrase_key),
        "phrase_aad": hex(phrase_aad),
        "lock_key": hex(lock_key),
        "content_aad": hex(content_aad),
        "identity_key": hex(alice.keyring.identity().key().as_bytes()),
        "keyring_cbor": hex(keyring),
        "sealed_keyring_cbor": hex(sealed),
    });
    check("keyring.json", &json!({ "specification": "keyring.md §2, §3, §4", "cases": [case] }));
}

fn derive(secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(info, &mut key).unwrap();
    key
}

fn open(key: &[u8; 32], sealed: &[u8], aad: &[u8]) -> Vec<u8> {
    let nonce: [u8; 24] = sealed[..24].try_into().unwrap();
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(nonce), Payload { msg: &sealed[24..], aad })
        .unwrap()
}
