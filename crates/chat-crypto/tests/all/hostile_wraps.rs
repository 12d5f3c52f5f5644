//! Wraps that somebody has exchanged, prolonged, or made with keys that are none.

use chat_core::codec::Bytes;
use chat_core::envelope::{Envelope, EnvelopeKeys, Suite, Wrap, WrapScheme};
use chat_core::key::AgreementKey;
use chat_core::signed::Verified;
use chat_crypto::envelope::{
    OpenError, Unwrapped, Via, open, seal, unwrap_for_account, unwrap_for_device,
};
use chat_crypto::session::Sessions;

use crate::people::{LIST, NOW, Person, content, header, rng, signed_envelope};

const NOT_AUTHENTIC: OpenError = OpenError::NotAuthentic;
const HPKE: [WrapScheme; 2] = [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing];

/// Points that lead to a shared secret of zeros (RFC 7748 §6.1): of order 1, 2, 4 and 8, and those
/// that say the same with the field's prime added.
const SMALL: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn wraps_that_were_swapped_between_accounts_open_for_nobody() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    for scheme in HPKE {
        let mut envelope = signed_envelope(&alice, b"for both", scheme, &[&bob, &carol]);
        swap(&mut envelope);

        for (place, person) in [&bob, &carol].into_iter().enumerate() {
            let wrap = &envelope.wraps[place];
            let refused = unwrap_for_account(&envelope, wrap, &person.keyring, &mut rng(5));

            assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{scheme:?}");
        }
    }
}

#[test]
fn wraps_that_were_swapped_between_devices_open_for_nobody() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let mut envelope = deniable_envelope(&alice, &[&bob, &carol]);
    for (place, person) in [&bob, &carol].into_iter().enumerate() {
        assert!(unwrap(&envelope, place, &alice, person).is_ok());
    }

    swap(&mut envelope);

    for (place, person) in [&bob, &carol].into_iter().enumerate() {
        assert_eq!(unwrap(&envelope, place, &alice, person).unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn an_account_key_of_small_order_is_not_wrapped_for() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    for point in SMALL {
        let keys = with_x25519(&bob, point);
        let (header, content) = (header(&alice, Suite::Signed), content(&alice, b"hello"));
        let mut sealed = seal(&header, &content, Some(&alice.device), &mut rng(5)).unwrap();

        let refused = sealed.wrap_for_account(&keys, WrapScheme::HpkeX25519, LIST, &mut rng(6));

        assert!(refused.is_err(), "{point}");
        assert_eq!(sealed.into_envelope().wraps.len(), 0);
    }
}

#[test]
fn an_encapsulation_of_small_order_opens_nothing() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    // X-Wing's encapsulation is that of ML-KEM, 1 088 bytes, and then the point.
    for (scheme, start) in [(WrapScheme::HpkeX25519, 0), (WrapScheme::HpkeXwing, 1_088)] {
        let envelope = signed_envelope(&alice, b"hello", scheme, &[&bob]);
        for point in SMALL {
            let mut bytes = envelope.wraps[0].bytes.to_vec();
            bytes[start..start + 32].copy_from_slice(&unhex(point));
            let wrap = Wrap { bytes: Bytes::new(bytes).unwrap(), ..envelope.wraps[0].clone() };

            let refused = unwrap_for_account(&envelope, &wrap, &bob.keyring, &mut rng(5));

            assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{scheme:?} {point}");
        }
    }
}

#[test]
fn a_wrap_with_something_behind_it_does_not_open() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
        let envelope = signed_envelope(&alice, b"hello", scheme, &[&bob]);
        let whole = envelope.wraps[0].bytes.to_vec();
        for more in [1, 16, 4_096 - whole.len()] {
            let longer = [&whole[..], &vec![0; more]].concat();
            let wrap = Wrap { bytes: Bytes::new(longer).unwrap(), ..envelope.wraps[0].clone() };

            let refused = unwrap_for_account(&envelope, &wrap, &bob.keyring, &mut rng(5));

            assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{scheme:?} and {more}");
        }
    }
}

#[test]
fn an_envelope_that_is_replayed_opens_on_its_session_once() {
    let (alice, mut bob) = (Person::new(1), Person::new(2));
    let envelope = deniable_envelope(&alice, &[&bob]);

    let first = unwrap(&envelope, 0, &alice, &bob).unwrap();
    first.spent.unwrap().one_time.into_iter().for_each(|index| bob.prekeys.spend(index));
    let second = unwrap_on(&first.sessions, &envelope, 0, &alice, &bob);
    let with_a_new_session = unwrap(&envelope, 0, &alice, &bob);

    assert_eq!(second.unwrap_err(), NOT_AUTHENTIC);
    assert_eq!(with_a_new_session.unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_signed_envelope_that_is_replayed_is_the_same_message_again() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let envelope = signed_envelope(&alice, b"hello", WrapScheme::HpkeXwing, &[&bob]);
    let opened = || {
        let wrap = &envelope.wraps[0];
        let (secret, _) = unwrap_for_account(&envelope, wrap, &bob.keyring, &mut rng(5)).unwrap();
        open(&envelope, &secret, &alice.certificate, Via::Account).unwrap()
    };

    let (first, second) = (opened(), opened());

    // Wraps for accounts open for ever; id, number and binding are what a replay is known by.
    assert_eq!(first.header.message, second.header.message);
    assert_eq!(first.content, second.content);
    assert_eq!(first.content.number, 1);
}

fn swap(envelope: &mut Envelope) {
    let mut wraps = envelope.wraps.to_vec();
    let first = wraps[0].bytes.clone();
    wraps[0].bytes = wraps[1].bytes.clone();
    wraps[1].bytes = first;
    envelope.wraps = chat_core::codec::List::new(wraps).unwrap();
}

fn deniable_envelope(sender: &Person, recipients: &[&Person]) -> Envelope {
    let header = header(sender, Suite::Deniable);
    let mut sealed = seal(&header, &content(sender, b"hello"), None, &mut rng(5)).unwrap();
    for (seed, recipient) in (6..).zip(recipients) {
        let sessions = sender.start_with(recipient, seed);
        sealed.wrap_for_device(&sessions, LIST, NOW, &mut rng(seed)).unwrap();
    }
    sealed.into_envelope()
}

fn unwrap(
    envelope: &Envelope,
    place: usize,
    sender: &Person,
    recipient: &Person,
) -> Result<Unwrapped, OpenError> {
    unwrap_on(&Sessions::new(sender.address), envelope, place, sender, recipient)
}

fn unwrap_on(
    sessions: &Sessions,
    envelope: &Envelope,
    place: usize,
    sender: &Person,
    recipient: &Person,
) -> Result<Unwrapped, OpenError> {
    unwrap_for_device(
        envelope,
        &envelope.wraps[place],
        sessions,
        &recipient.local(),
        &sender.certificate,
        sender.keyring.identity().key(),
        &[&recipient.prekeys],
        NOW,
    )
}

/// Envelope keys that their account has signed, bad as they are.
fn with_x25519(person: &Person, point: &str) -> Verified<EnvelopeKeys> {
    let identity = person.keyring.identity();
    let x25519 = AgreementKey::from_bytes(unhex(point));
    let keys = EnvelopeKeys { x25519, ..person.envelope_keys.clone().into_inner() };
    identity.sign_envelope_keys(&keys).verify(&identity.key()).unwrap()
}

fn unhex(hex: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}
