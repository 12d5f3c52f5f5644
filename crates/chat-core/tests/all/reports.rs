//! What a report holds: secrets that do not print, and the message as everybody was shown it.

use chat_core::api::reports::{Disclosure, Evidence};
use chat_core::codec::{Bytes, Digest};
use chat_core::id::MessageId;

#[test]
fn what_is_disclosed_prints_as_which_message_and_nothing_else() {
    let message = MessageId::from_bytes([1; 16]);
    let disclosure = Disclosure { message, secret: Bytes::new(vec![7; 32]).unwrap() };

    assert_eq!(format!("{disclosure:?}"), format!("Disclosure {{ message: {message:?}, .. }}"));
    assert_eq!(format!("{:?}", evidence()), "Evidence(..)");
}

#[test]
fn evidence_is_the_message_without_anybodys_wrap() {
    let evidence = evidence();

    let envelope = evidence.envelope();

    assert_eq!(envelope.header, evidence.header);
    assert_eq!(envelope.commitment, evidence.commitment);
    assert_eq!(envelope.payload, evidence.payload);
    assert!(envelope.wraps.is_empty());
}

fn evidence() -> Evidence {
    Evidence {
        header: Bytes::new(vec![1, 2]).unwrap(),
        commitment: Digest::of(b"a secret"),
        payload: Bytes::new(vec![3, 4, 5]).unwrap(),
        secret: Bytes::new(vec![7; 32]).unwrap(),
    }
}
