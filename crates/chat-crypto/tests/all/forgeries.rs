//! What recipients and strangers try with sealed content, and what comes of it.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{
    Content, Envelope, Expiry, ExpiryMode, Header, SealedContent, Suite, WrapScheme,
};
use chat_core::id::{ConversationId, MessageId};
use chat_crypto::envelope::{OpenError, Via, open, seal, unwrap_for_account};
use chat_crypto::wrap::MessageSecret;

use crate::people::{LIST, Person, content, header, rng};
use crate::spec;

const NOT_AUTHENTIC: OpenError = OpenError::NotAuthentic;

#[test]
fn no_byte_of_a_message_can_be_changed() {
    let alice = Person::new(1);
    for suite in [Suite::Signed, Suite::Deniable] {
        let signer = (suite == Suite::Signed).then_some(&alice.device);
        let content = content(&alice, b"hello");
        let sealed = seal(&header(&alice, suite), &content, signer, &mut rng(5)).unwrap();
        let secret = sealed.secret().clone();
        let encoded = to_bytes(&sealed.into_envelope());
        let open = |envelope: &Envelope| {
            open(envelope, &secret, &alice.certificate, Via::Session(alice.address))
        };
        assert!(open(&from_bytes(&encoded).unwrap()).is_ok());

        for place in 0..encoded.len() {
            let mut changed = encoded.clone();
            changed[place] ^= 1;

            let Ok(changed) = from_bytes::<Envelope>(&changed) else { continue };

            assert!(open(&changed).is_err(), "byte {place}, {suite:?}");
        }
    }
}

#[test]
fn a_message_cannot_be_moved_to_another_conversation() {
    let alice = Person::new(1);
    let secret = [7; 32];
    let elsewhere = Header {
        conversation: ConversationId::from_bytes([0xdd; 16]),
        ..header(&alice, Suite::Signed)
    };
    let content = content(&alice, b"hello");
    let signature = spec::sign(&alice.device, &secret, &elsewhere, &content);

    let moved = spec::seal(&secret, &elsewhere, &content, Some(signature));

    assert_eq!(refusal(&moved, &secret, &alice, Via::Account), NOT_AUTHENTIC);
}

#[test]
fn content_of_another_sender_is_refused_even_if_signed() {
    let (alice, mallory) = (Person::new(1), Person::new(3));
    let secret = [7; 32];
    let header = header(&alice, Suite::Signed);
    let content = content(&mallory, b"hello");
    let signature = spec::sign(&alice.device, &secret, &header, &content);

    let confused = spec::seal(&secret, &header, &content, Some(signature));

    assert_eq!(refusal(&confused, &secret, &alice, Via::Account), NOT_AUTHENTIC);
}

#[test]
fn a_certificate_of_another_device_does_not_vouch() {
    let (alice, mallory) = (Person::new(1), Person::new(3));
    let (envelope, secret) = genuine(&alice);

    // A device key proves nothing about whose it is, so Mallory can certify Alice's as her own.
    let identity = mallory.keyring.identity();
    let claimed = DeviceCertificate { key: alice.device.key(), ..(*mallory.certificate).clone() };
    let claimed = identity.certify(&claimed).verify(&identity.key()).unwrap();

    assert!(open(&envelope, &secret, &alice.certificate, Via::Account).is_ok());
    for certificate in [&mallory.certificate, &claimed] {
        let refused = open(&envelope, &secret, certificate, Via::Account);
        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn content_of_another_version_is_refused() {
    let alice = Person::new(1);
    let header = header(&alice, Suite::Deniable);
    let newer = Content { version: 2, ..content(&alice, b"hello") };

    let envelope = spec::seal(&[7; 32], &header, &newer, None);

    let via_session = Via::Session(alice.address);
    assert_eq!(refusal(&envelope, &[7; 32], &alice, via_session), NOT_AUTHENTIC);
}

#[test]
fn a_signature_counts_for_its_signer_and_its_message_only() {
    let (alice, mallory) = (Person::new(1), Person::new(3));
    let secret = [7; 32];
    let header = header(&alice, Suite::Signed);
    let other_message = Header { message: MessageId::from_bytes([9; 16]), ..header.clone() };
    let text = content(&alice, b"hello");
    let other_text = content(&alice, b"goodbye");
    let signatures = [
        spec::sign(&mallory.device, &secret, &header, &text),
        spec::sign(&alice.device, &secret, &header, &other_text),
        spec::sign(&alice.device, &secret, &other_message, &text),
        spec::sign(&alice.device, &[8; 32], &header, &text),
    ];

    for signature in signatures {
        let forged = spec::seal(&secret, &header, &text, Some(signature));

        assert_eq!(refusal(&forged, &secret, &alice, Via::Account), NOT_AUTHENTIC);
    }
}

#[test]
fn a_signed_message_without_signature_is_refused() {
    let alice = Person::new(1);
    let header = header(&alice, Suite::Signed);

    let unsigned = spec::seal(&[7; 32], &header, &content(&alice, b"hello"), None);

    assert_eq!(refusal(&unsigned, &[7; 32], &alice, Via::Account), NOT_AUTHENTIC);
    let via_session = Via::Session(alice.address);
    assert_eq!(refusal(&unsigned, &[7; 32], &alice, via_session), NOT_AUTHENTIC);
}

#[test]
fn a_recipient_cannot_give_signed_content_another_timer() {
    let alice = Person::new(1);
    let (envelope, secret) = genuine(&alice);
    let sealed = sealed_content(&envelope, &secret);
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: 1 };
    let header = Header { expiry: Some(timer), ..header(&alice, Suite::Signed) };

    let content = from_bytes(&sealed.content).unwrap();
    let forged = spec::seal(secret.as_bytes(), &header, &content, sealed.signature);

    assert_eq!(refusal(&forged, secret.as_bytes(), &alice, Via::Account), NOT_AUTHENTIC);
}

#[test]
fn a_recipient_cannot_give_signed_content_another_binding() {
    let alice = Person::new(1);
    let (envelope, secret) = genuine(&alice);
    let sealed = sealed_content(&envelope, &secret);
    let content = from_bytes(&sealed.content).unwrap();
    let header = header(&alice, Suite::Signed);

    // Another secret changes the commitment, another encoding only the payload.
    let other_secret = spec::seal(&[8; 32], &header, &content, sealed.signature);
    let mut encoded = to_bytes(&sealed);
    encoded[0] += 1;
    encoded.extend([0x18, 99, 0xf6]);
    let padded = spec::pad(&encoded);
    let other_encoding = spec::seal_padded(secret.as_bytes(), &envelope.header, &padded);

    assert_eq!(from_bytes::<SealedContent>(&encoded).unwrap(), sealed);
    assert_eq!(refusal(&other_secret, &[8; 32], &alice, Via::Account), NOT_AUTHENTIC);
    assert_eq!(refusal(&other_encoding, secret.as_bytes(), &alice, Via::Account), NOT_AUTHENTIC);
}

#[test]
fn a_deniable_message_counts_only_on_a_session_with_its_sender() {
    let (alice, bob, mallory) = (Person::new(1), Person::new(2), Person::new(3));
    let header = header(&alice, Suite::Deniable);
    let secret = [7; 32];
    let envelope = spec::seal(&secret, &header, &content(&alice, b"hello"), None);

    // Anybody can wrap a secret for an account.
    let wrap = MessageSecret::from_bytes(secret)
        .rewrap(envelope.binding(), &bob.envelope_keys, WrapScheme::HpkeX25519, LIST, &mut rng(5))
        .unwrap();
    assert!(unwrap_for_account(&envelope, &wrap, &bob.keyring, &mut rng(6)).is_ok());

    assert_eq!(refusal(&envelope, &secret, &alice, Via::Account), NOT_AUTHENTIC);
    let other_session = Via::Session(mallory.address);
    assert_eq!(refusal(&envelope, &secret, &alice, other_session), NOT_AUTHENTIC);
    let own_session = Via::Session(alice.address);
    let secret = MessageSecret::from_bytes(secret);
    assert!(open(&envelope, &secret, &alice.certificate, own_session).is_ok());
}

#[test]
fn a_deniable_message_with_a_signature_is_refused() {
    let alice = Person::new(1);
    let header = header(&alice, Suite::Deniable);
    let content = content(&alice, b"hello");
    let signature = spec::sign(&alice.device, &[7; 32], &header, &content);

    let signed = spec::seal(&[7; 32], &header, &content, Some(signature));

    let via_session = Via::Session(alice.address);
    assert_eq!(refusal(&signed, &[7; 32], &alice, via_session), NOT_AUTHENTIC);
}

#[test]
fn a_header_of_another_version_is_said_to_be_unreadable() {
    let alice = Person::new(1);
    let newer = Header { version: 2, ..header(&alice, Suite::Signed) };
    let envelope = spec::seal(&[7; 32], &newer, &content(&alice, b"hello"), None);

    let refused = refusal(&envelope, &[7; 32], &alice, Via::Account);

    assert!(matches!(refused, OpenError::UnreadableHeader(_)));
}

#[test]
fn malformed_padding_and_content_are_not_authentic() {
    let alice = Person::new(1);
    let header = to_bytes(&header(&alice, Suite::Signed));

    for padded in [vec![], vec![0; 256], vec![0x80; 256], spec::pad(b"not cbor"), spec::pad(&[])] {
        let envelope = spec::seal_padded(&[7; 32], &header, &padded);

        assert_eq!(refusal(&envelope, &[7; 32], &alice, Via::Account), NOT_AUTHENTIC);
    }
}

fn genuine(sender: &Person) -> (Envelope, MessageSecret) {
    let header = header(sender, Suite::Signed);
    let content = content(sender, b"hello");
    let sealed = seal(&header, &content, Some(&sender.device), &mut rng(5)).unwrap();
    let secret = sealed.secret().clone();
    (sealed.into_envelope(), secret)
}

fn sealed_content(envelope: &Envelope, secret: &MessageSecret) -> SealedContent {
    let padded = spec::open_padded(secret.as_bytes(), envelope).unwrap();
    let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
    from_bytes(&padded[..end]).unwrap()
}

fn refusal(envelope: &Envelope, secret: &[u8; 32], sender: &Person, via: Via) -> OpenError {
    open(envelope, &MessageSecret::from_bytes(*secret), &sender.certificate, via).unwrap_err()
}
