//! Vectors of the safety number.

use chat_core::id::AccountId;
use chat_core::key::IdentityKey;
use chat_crypto::safety_number::SafetyNumber;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::{check, hex};
use crate::emoji_page::symbols;

#[test]
fn safety_numbers_are_as_written() {
    let cases = [([1; 16], [2; 32], [3; 16], [4; 32]), ([5; 16], [6; 32], [5; 16], [7; 32])];
    let cases: Vec<Value> = cases
        .into_iter()
        .map(|(account_a, key_a, account_b, key_b)| {
            let number = SafetyNumber::between(
                (AccountId::from_bytes(account_a), IdentityKey::from_bytes(key_a)),
                (AccountId::from_bytes(account_b), IdentityKey::from_bytes(key_b)),
            );
            let prints = [fingerprint(&account_a, &key_a), fingerprint(&account_b, &key_b)];
            let (lower, higher) = (prints.iter().min().unwrap(), prints.iter().max().unwrap());
            assert_eq!(number.qr_payload(), [&[1][..], &lower[..], &higher[..]].concat());
            let emoji: Vec<_> = [lower, higher].into_iter().flat_map(emoji).collect();
            assert_eq!(number.emoji().map(|emoji| emoji.symbol()), emoji[..]);
            json!({
                "account_a": hex(account_a),
                "identity_key_a": hex(key_a),
                "fingerprint_a": hex(prints[0]),
                "account_b": hex(account_b),
                "identity_key_b": hex(key_b),
                "fingerprint_b": hex(prints[1]),
                "digits": number.to_string(),
                "emoji": number.emoji().map(|emoji| emoji.name()).to_vec(),
                "qr_payload": hex(number.qr_payload()),
            })
        })
        .collect();

    check("safety_number.json", &json!({ "specification": "keyring.md §5", "cases": cases }));
}

/// The fingerprint of one side, as the specification says it.
fn fingerprint(account: &[u8; 16], key: &[u8; 32]) -> [u8; 32] {
    let mut hash = [&b"sealwire/1/hash/safety-number"[..], &[1], account, key].concat();
    for _ in 0..5200 {
        let digest = Sha512::digest(&hash);
        hash = [&digest[..], key].concat();
    }
    hash[..32].try_into().unwrap()
}

/// Eighteen emoji of six bits each, as the specification says it.
fn emoji(fingerprint: &[u8; 32]) -> Vec<char> {
    let list = symbols();
    let bits: String = fingerprint.iter().map(|byte| format!("{byte:08b}")).collect();
    (0..18).map(|i| list[usize::from_str_radix(&bits[6 * i..6 * i + 6], 2).unwrap()]).collect()
}
