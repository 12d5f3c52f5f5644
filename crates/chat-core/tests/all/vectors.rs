//! The vectors of `docs/protocol/vectors` that are about signed objects and frames: made here,
//! compared with the files, and rewritten when `SEALWIRE_VECTORS=write` is set. A difference
//! changes the protocol.
//!
//! Nothing is drawn at random: the private key of a device is one byte, 32 times. Every signed
//! object is encoded twice, by chat-core and by [`spec`], which knows CBOR and nothing else.

mod deletions;
mod devices;
mod frames;
mod membership;
mod receipts;
pub(crate) mod spec;

use std::path::Path;

use chat_core::codec::to_bytes;
use chat_core::membership::MembershipError;
use chat_core::signed::{Signable, Unverified, VerifyError};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::people::Person;

/// Compares `produced` with the file of this name, or writes it.
fn check(name: &str, produced: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors");
    let path = folder.join(name);
    if std::env::var_os("SEALWIRE_VECTORS").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, format!("{produced:#}\n")).unwrap();
        return;
    }
    let written = read(&path);
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(&written, produced, "{name} no longer says what this code does");
}

/// Reads a file of the repository; a browser has none, so there the host does.
fn read(path: &Path) -> String {
    #[cfg(target_arch = "wasm32")]
    return browser_tests::read(path.to_str().unwrap()).unwrap();
    #[cfg(not(target_arch = "wasm32"))]
    std::fs::read_to_string(path).expect("the vectors are part of the repository")
}

/// Bytes as lower-case hexadecimal.
fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A signed object: its bytes, which must be `expected`, and the signature, made once more.
fn signed<T: Signable>(object: &Unverified<T>, expected: &[u8], key: &SigningKey) -> Value {
    assert_eq!(hex(object.signed_bytes()), hex(expected), "the specification says otherwise");
    let label = T::LABEL.as_bytes();
    let input = [&[u8::try_from(label.len()).unwrap()], label, expected].concat();
    let signature = key.sign(&input).to_bytes();
    let cbor = to_bytes(object);
    let both = spec::map(&[(0, spec::bytes(expected)), (1, spec::bytes(&signature))]);
    assert_eq!(hex(&cbor), hex(&both));
    json!({
        "bytes": hex(expected),
        "label": String::from_utf8(label.to_vec()).unwrap(),
        "signature": hex(signature),
        "digest": hex(spec::sha256(expected)),
    })
}

/// A device of somebody, with the key it signs with.
fn device(person: &Person, number: u8) -> Value {
    let key = Person::device_key(number);
    json!({
        "account": hex(person.account.as_bytes()),
        "device": hex(person.address(number).device.as_bytes()),
        "device_private": hex(key.to_bytes()),
        "device_key": hex(key.verifying_key().to_bytes()),
    })
}

fn verify_error(error: VerifyError) -> &'static str {
    match error {
        VerifyError::Forged => "forged",
        VerifyError::Unreadable(_) => "unreadable",
        VerifyError::Misplaced => "misplaced",
        VerifyError::Discontinuous => "discontinuous",
        other => unreachable!("an error without a name: {other}"),
    }
}

fn membership_error(error: MembershipError) -> &'static str {
    match error {
        MembershipError::Stale => "stale",
        MembershipError::Misplaced => "misplaced",
        MembershipError::NotAllowed => "not_allowed",
        MembershipError::Senseless => "senseless",
        MembershipError::TooMany => "too_many",
        other => unreachable!("an error without a name: {other}"),
    }
}
