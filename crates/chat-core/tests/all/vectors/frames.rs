//! Vectors of frames: each kind in both encodings, and bytes that are none.

use chat_core::codec::{DecodeError, from_bytes, to_bytes};
use chat_core::frame::{ClientFrame, RelayFrame};
use minicbor::{Decode, Encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{check, hex};
use crate::frames::{client_frames, relay_frames};

#[test]
fn frames_are_as_written() {
    check(
        "frames.json",
        &json!({
            "specification": "wire.md §3",
            "about": "Each frame in both encodings; signatures are by the Ed25519 seed 0x65 × 32.",
            "client": client_frames().iter().map(both).collect::<Vec<_>>(),
            "relay": relay_frames().iter().map(both).collect::<Vec<_>>(),
            "refused_from_client": refused(),
        }),
    );
}

fn both<T>(frame: &T) -> Value
where
    T: Encode<()> + for<'b> Decode<'b, ()> + Serialize + DeserializeOwned + PartialEq,
{
    let (cbor, json) = (to_bytes(frame), serde_json::to_value(frame).unwrap());
    assert!(from_bytes::<T>(&cbor).is_ok_and(|read| read == *frame));
    assert!(serde_json::from_value::<T>(json.clone()).is_ok_and(|read| read == *frame));
    json!({ "cbor": hex(cbor), "json": json })
}

fn refused() -> Vec<Value> {
    let ping = to_bytes(&ClientFrame::Ping { request: 7 });
    let cases: [(&str, Vec<u8>); 5] = [
        ("nothing", Vec::new()),
        ("a kind that nobody knows", vec![0x82, 0x19, 0x03, 0xe7, 0xa0]),
        ("a byte string", vec![0x41, 0x00]),
        ("a byte behind the frame", [&ping[..], &[0]].concat()),
        ("a frame cut short", ping[..ping.len() - 1].to_vec()),
    ];
    cases
        .into_iter()
        .map(|(title, bytes)| {
            let error = match from_bytes::<ClientFrame>(&bytes).unwrap_err() {
                DecodeError::Malformed => "malformed",
                DecodeError::TooLong => "too_long",
                DecodeError::TrailingBytes => "trailing_bytes",
                DecodeError::UnknownKind => "unknown_kind",
                other => unreachable!("an error without a name: {other}"),
            };
            json!({ "title": title, "cbor": hex(bytes), "error": error })
        })
        .collect()
}

/// A kind that is added without a vector would go unnoticed.
#[test]
fn every_kind_of_frame_has_a_vector() {
    let names = |frames: Vec<Value>| {
        let mut names: Vec<_> = frames.iter().map(|frame| frame["type"].to_string()).collect();
        names.sort();
        names.dedup();
        names.len()
    };
    let client = client_frames().iter().map(|frame| serde_json::to_value(frame).unwrap()).collect();
    let relay = relay_frames().iter().map(|frame| serde_json::to_value(frame).unwrap()).collect();
    // The kinds are numbered from zero without gaps, so the next number tells how many there are.
    assert_eq!(names(client), kinds::<ClientFrame>());
    assert_eq!(names(relay), kinds::<RelayFrame>());
}

/// How many kinds there are: a known kind without fields is malformed, an unknown one is not known.
fn kinds<T: for<'b> Decode<'b, ()>>() -> usize {
    let known = |number: &u8| {
        let read = from_bytes::<T>(&[0x82, 0x18, *number, 0xa0]);
        !matches!(read, Err(DecodeError::UnknownKind))
    };
    (0..=u8::MAX).take_while(known).count()
}
