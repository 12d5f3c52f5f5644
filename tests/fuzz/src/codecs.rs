//! Decoders: whatever they read, they write and read again as the same, in both encodings.
//!
//! ```text
//!  bytes ──CBOR──▶ value ──CBOR──▶ bytes' ──CBOR──▶ the same value ──CBOR──▶ bytes'
//!                    └──JSON──▶ text ──JSON──▶ the same value
//!  bytes ──JSON──▶ value                                             the same from there
//! ```
//!
//! `bytes'` is deterministic CBOR and so never longer than what was read: unknown keys are left out
//! and every number is short. Objects are tried as every type of their family; most refuse at once.

use std::fmt::Debug;
use std::path::Path;

use chat_core::api;
use chat_core::codec::{from_base64url, from_bytes, to_base64url, to_bytes};
use chat_core::device::{DeviceCertificate, DeviceList, PublishedDevices};
use chat_core::envelope::{Content, Envelope, EnvelopeKeys, Header, SealedContent, Wrap};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::is_username;
use chat_core::membership::{MembershipEntry, SignedEntry};
use chat_core::prekey::{OneTimePrekey, PrekeyBundle, PrekeySet, PrekeyUpload};
use chat_core::receipt::{Receipt, SignedReceipt};
use chat_core::reject::Reject;
use chat_core::signed::Unverified;
use minicbor::{Decode, Encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Frames from clients and from relays.
pub fn frames(bytes: &[u8]) {
    both::<ClientFrame>(bytes);
    both::<RelayFrame>(bytes);
    both::<Reject>(bytes);
}

/// Envelopes, their headers, wraps and contents, and the keys they are wrapped for.
pub fn envelopes(bytes: &[u8]) {
    both::<Envelope>(bytes);
    both::<Header>(bytes);
    both::<Wrap>(bytes);
    both::<EnvelopeKeys>(bytes);
    binary::<Content>(bytes);
    binary::<SealedContent>(bytes);
    if let Ok(envelope) = from_bytes::<Envelope>(bytes)
        && let Ok(header) = envelope.read_header()
    {
        assert_eq!(header.version, chat_core::envelope::VERSION);
    }
}

/// Certificates, device lists, and both as the relay hands them out.
pub fn devices(bytes: &[u8]) {
    both::<DeviceCertificate>(bytes);
    both::<DeviceList>(bytes);
    both::<PublishedDevices>(bytes);
    both::<Unverified<DeviceList>>(bytes);
}

/// Prekey sets, uploads and bundles.
pub fn prekeys(bytes: &[u8]) {
    both::<PrekeySet>(bytes);
    both::<OneTimePrekey>(bytes);
    both::<PrekeyUpload>(bytes);
    both::<PrekeyBundle>(bytes);
}

/// Entries of a membership log.
pub fn membership(bytes: &[u8]) {
    both::<MembershipEntry>(bytes);
    both::<SignedEntry>(bytes);
}

/// Receipts.
pub fn receipts(bytes: &[u8]) {
    both::<Receipt>(bytes);
    both::<SignedReceipt>(bytes);
}

/// The bodies of the REST interface that somebody unknown may send.
pub fn rest(bytes: &[u8]) {
    body::<api::auth::OpaqueStart>(bytes);
    body::<api::auth::RegistrationFinish>(bytes);
    body::<api::auth::LoginFinish>(bytes);
    body::<api::auth::Enrol>(bytes);
    body::<api::auth::DeviceLoginStart>(bytes);
    body::<api::auth::DeviceLoginFinish>(bytes);
    body::<api::auth::Refresh>(bytes);
    body::<api::account::Keyring>(bytes);
    body::<api::conversations::AppendEntry>(bytes);
    body::<api::conversations::MembershipPage>(bytes);
    body::<api::conversations::MessagePage>(bytes);
    body::<api::prekeys::FetchBundles>(bytes);
    body::<api::prekeys::Bundles>(bytes);
}

/// Text that stands for bytes, ids or names: each has one spelling only, ids but for case.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(read) = from_base64url(text) {
        assert_eq!(to_base64url(&read), text, "two texts stand for the same bytes");
    }
    if let Ok(account) = text.parse::<AccountId>() {
        assert_eq!(account.to_string().parse(), Ok(account));
    }
    if let Ok(conversation) = text.parse::<ConversationId>() {
        assert_eq!(conversation.to_string().parse(), Ok(conversation));
    }
    assert!(!is_username(text) || text.is_ascii());
}

fn both<T>(bytes: &[u8])
where
    T: Encode<()> + for<'b> Decode<'b, ()> + Serialize + DeserializeOwned + PartialEq + Debug,
{
    if let Some(value) = binary::<T>(bytes) {
        through_json(&value);
    }
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        through_json(&value);
        let written = to_bytes(&value);
        assert_eq!(from_bytes::<T>(&written).as_ref(), Ok(&value), "CBOR reads something else");
    }
}

/// Reads CBOR, and gives what it says if it says anything.
fn binary<T>(bytes: &[u8]) -> Option<T>
where
    T: Encode<()> + for<'b> Decode<'b, ()> + PartialEq + Debug,
{
    let value = from_bytes::<T>(bytes).ok()?;
    let written = to_bytes(&value);
    assert!(written.len() <= bytes.len(), "writing is longer than what was read");
    assert_eq!(from_bytes::<T>(&written).as_ref(), Ok(&value), "CBOR reads something else");
    Some(value)
}

fn through_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_vec(value).expect("everything has a JSON form");
    let read = serde_json::from_slice::<T>(&text).expect("what we wrote can be read");
    assert_eq!(&read, value, "JSON reads something else");
}

/// A body that is JSON only: what is read and written says the same when it is read again.
fn body<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&value).expect("everything has a JSON form");
    let read = serde_json::from_slice::<T>(&written).expect("what we wrote can be read");
    assert_eq!(serde_json::to_vec(&read).ok(), Some(written), "JSON reads something else");
}

/// Every value of the protocol's vectors: hexadecimal strings as bytes, objects as JSON.
#[must_use]
pub fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors");
    let mut values = Vec::new();
    for file in std::fs::read_dir(folder).expect("the vectors are part of the repository") {
        let path = file.expect("the folder can be listed").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read(&path).expect("the vectors can be read");
            collect(&serde_json::from_slice(&text).expect("vectors are JSON"), &mut values);
        }
    }
    values.sort();
    values.dedup();
    values
}

fn collect(value: &serde_json::Value, values: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::String(text) => values.extend(from_hex(text)),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        serde_json::Value::Object(fields) => {
            values.push(value.to_string().into_bytes());
            fields.values().for_each(|field| collect(field, values));
        }
        _ => {}
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let is_hex =
        text.len().is_multiple_of(2) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = |place| u8::from_str_radix(&text[place..place + 2], 16).ok();
    is_hex.then(|| (0..text.len()).step_by(2).filter_map(byte).collect())
}

/// Texts to begin with.
#[must_use]
pub fn texts() -> Vec<Vec<u8>> {
    ["", "-__-", "QQ", "alice.b_c-1", "67e55044-10b1-426f-9247-bb680e5fe0c8"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}
