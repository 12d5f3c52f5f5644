//! Vectors of receipts.

use chat_core::codec::to_bytes;
use chat_core::id::ConversationId;
use chat_core::receipt::{Receipt, ReceiptKind, SignedReceipt, VERSION};
use serde_json::{Value, json};

use super::{check, device, hex, signed, spec, verify_error};
use crate::people::{NOON, Person, sign_with};

#[test]
fn receipts_are_as_written() {
    let bob = Person::new(2);
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();
    let receipts: Vec<Value> = [ReceiptKind::Delivered, ReceiptKind::Seen]
        .into_iter()
        .map(|kind| {
            let receipt = receipt(&bob, kind);
            let whole = sign(&bob, &receipt);
            assert!(whole.clone().verify(&certificate).is_ok());
            json!({
                "kind": kind,
                "receipt": signed(&whole.receipt, &spec::receipt(&receipt), &Person::device_key(2)),
                "cbor": hex(to_bytes(&whole)),
                "json": whole,
            })
        })
        .collect();

    check(
        "receipts.json",
        &json!({
            "specification": "membership.md §8",
            "reader": device(&bob, 2),
            "receipts": receipts,
            "refused": refused(&bob),
        }),
    );
}

fn refused(bob: &Person) -> Vec<Value> {
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();
    let carols = receipt(&Person::new(3), ReceiptKind::Seen);
    let newer = Receipt { version: VERSION + 1, ..receipt(bob, ReceiptKind::Seen) };
    let theirs = sign_with(&Person::device_key(3), &receipt(bob, ReceiptKind::Seen));
    let cases = [
        ("it speaks for another device", sign(bob, &carols)),
        ("another device signed it", SignedReceipt { signer: bob.address(2), receipt: theirs }),
        ("another version", sign(bob, &newer)),
    ];
    cases
        .into_iter()
        .map(|(title, whole)| {
            let error = whole.clone().verify(&certificate).unwrap_err();
            json!({ "title": title, "cbor": hex(to_bytes(&whole)), "error": verify_error(error) })
        })
        .collect()
}

fn receipt(reader: &Person, kind: ReceiptKind) -> Receipt {
    let conversation = ConversationId::from_bytes([4; 16]);
    let reader = reader.address(2);
    Receipt { version: VERSION, conversation, reader, kind, up_to: 300, at: NOON }
}

fn sign(signer: &Person, receipt: &Receipt) -> SignedReceipt {
    let signed = sign_with(&Person::device_key(2), receipt);
    SignedReceipt { signer: signer.address(2), receipt: signed }
}
