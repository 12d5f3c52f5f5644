//! Signed objects and refusals: which are the same, what they are called, what they say.

use chat_core::codec::{DecodeError, Digest};
use chat_core::id::ConversationId;
use chat_core::receipt::{self, Receipt, ReceiptKind, SignedReceipt};
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::VerifyError;

use crate::people::{NOON, Person, sign_with};

#[test]
fn a_signed_object_is_the_same_only_with_its_bytes_and_signature() {
    let (one, other) = (signed(receipt(1)), signed(receipt(2)));

    assert!(one == signed(receipt(1)));
    assert!(one != other);
    assert!(one != sign_with(&Person::device_key(9), &receipt(1)), "another signer");
}

#[test]
fn a_signed_object_is_named_by_the_digest_of_its_bytes() {
    let alice = Person::new(1);
    let certificate = alice.certificate(2).verify(&alice.identity_key()).unwrap();
    let unverified = signed(receipt(7));
    let digest = Digest::of(unverified.signed_bytes());

    let verified = unverified.clone().verify(&certificate.key).unwrap();

    assert_eq!((unverified.digest(), verified.digest()), (digest, digest));
    assert!(*verified.source() == unverified);
    assert_eq!(verified.up_to, 7);
    assert_eq!(verified.into_inner(), receipt(7));
}

#[test]
fn a_receipt_counts_for_the_device_that_signed_it_and_in_this_version() {
    let alice = Person::new(1);
    let certificate = alice.certificate(2).verify(&alice.identity_key()).unwrap();
    let verify = |receipt: Receipt| {
        let signed = SignedReceipt { signer: alice.address(2), receipt: signed(receipt) };
        signed.verify(&certificate).map(drop)
    };

    assert_eq!(verify(receipt(1)), Ok(()));
    let for_another = Receipt { reader: alice.address(3), ..receipt(1) };
    assert_eq!(verify(for_another), Err(VerifyError::Misplaced));
    let later = Receipt { version: receipt::VERSION + 1, ..receipt(1) };
    assert_eq!(verify(later), Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
}

#[test]
fn a_refusal_says_what_fits_and_keeps_its_code() {
    let reject = Reject::from(RejectCode::TooLarge).saying("The photo is too large.");

    assert_eq!(reject.code, RejectCode::TooLarge);
    assert_eq!(reject.to_string(), "The photo is too large. (too_large)");
    assert_eq!(Reject::from(RejectCode::Conflict).message, RejectCode::Conflict.message());
}

#[test]
fn only_what_may_pass_is_worth_another_try() {
    let transient: Vec<u16> = RejectCode::ALL
        .iter()
        .filter(|code| code.is_transient())
        .map(|code| code.http_status())
        .collect();

    assert_eq!(transient, [507, 429, 503, 503, 500]);
}

fn receipt(up_to: u64) -> Receipt {
    Receipt {
        version: receipt::VERSION,
        conversation: ConversationId::from_bytes([4; 16]),
        reader: Person::new(1).address(2),
        kind: ReceiptKind::Seen,
        up_to,
        at: NOON,
    }
}

fn signed(receipt: Receipt) -> chat_core::signed::Unverified<Receipt> {
    sign_with(&Person::device_key(2), &receipt)
}
