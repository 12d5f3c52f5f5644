//! Receipts: what a relay, another device or another version could make of one.

use chat_core::codec::DecodeError;
use chat_core::id::ConversationId;
use chat_core::receipt::{Receipt, ReceiptKind, SignedReceipt, VERSION};
use chat_core::signed::VerifyError;

use crate::people::{NOON, Person, sign_with};

#[test]
fn a_receipt_counts_for_the_device_that_signed_it() {
    let (bob, receipt) = bobs();
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();

    let read = signed(2, &bob, &receipt).verify(&certificate).unwrap();

    assert_eq!(*read, receipt);
}

#[test]
fn a_receipt_signed_by_another_device_is_forged() {
    let (bob, receipt) = bobs();
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();

    let by_another_device = signed(3, &bob, &receipt).verify(&certificate);

    assert_eq!(by_another_device, Err(VerifyError::Forged));
}

#[test]
fn a_receipt_that_speaks_for_another_device_is_misplaced() {
    let (bob, receipt) = bobs();
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();
    let carols = Receipt { reader: Person::new(3).address(2), ..receipt };

    let for_carol = signed(2, &bob, &carols).verify(&certificate);

    assert_eq!(for_carol, Err(VerifyError::Misplaced));
}

#[test]
fn another_version_is_refused() {
    let (bob, receipt) = bobs();
    let certificate = bob.certificate(2).verify(&bob.identity_key()).unwrap();
    let newer = Receipt { version: VERSION + 1, ..receipt };

    let read = signed(2, &bob, &newer).verify(&certificate);

    assert_eq!(read, Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
}

fn bobs() -> (Person, Receipt) {
    let bob = Person::new(2);
    let receipt = Receipt {
        version: VERSION,
        conversation: ConversationId::from_bytes([4; 16]),
        reader: bob.address(2),
        kind: ReceiptKind::Delivered,
        up_to: 300,
        at: NOON,
    };
    (bob, receipt)
}

fn signed(device: u8, bob: &Person, receipt: &Receipt) -> SignedReceipt {
    let receipt = sign_with(&Person::device_key(device), receipt);
    SignedReceipt { signer: bob.address(2), receipt }
}
