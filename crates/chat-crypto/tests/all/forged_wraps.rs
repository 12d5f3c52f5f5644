//! What relays, recipients and strangers try with wraps, and what comes of it.

use chat_core::codec::Bytes;
use chat_core::envelope::{Envelope, Recipient, Suite, Wrap, WrapScheme};
use chat_crypto::envelope::{
    OpenError, Unwrapped, Via, open, seal, unwrap_for_account, unwrap_for_device,
};
use chat_crypto::session::Sessions;
use chat_crypto::wrap::MessageSecret;

use crate::people::{LIST, NOW, Person, content, header, rng, signed_envelope};
use crate::spec;

const NOT_AUTHENTIC: OpenError = OpenError::NotAuthentic;
const ACCOUNT_SCHEMES: [WrapScheme; 3] =
    [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096];

#[test]
fn a_wrap_is_for_its_recipient_only() {
    let (alice, bob, mallory) = (Person::new(1), Person::new(2), Person::new(3));
    let envelope = signed_envelope(&alice, b"for bob", WrapScheme::HpkeXwing, &[&bob]);
    let relabelled =
        Wrap { to: Recipient::Account(mallory.address.account), ..envelope.wraps[0].clone() };

    for wrap in [&envelope.wraps[0], &relabelled] {
        let refused = unwrap_for_account(&envelope, wrap, &mallory.keyring, &mut rng(5));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
    }
}

#[test]
fn a_wrap_of_another_message_does_not_open() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    for scheme in ACCOUNT_SCHEMES {
        let first = signed_envelope(&alice, b"first", scheme, &[&bob]);
        let second = signed_envelope(&alice, b"second", scheme, &[&bob]);

        let refused = unwrap_for_account(&first, &second.wraps[0], &bob.keyring, &mut rng(5));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{scheme:?}");
    }
}

#[test]
fn a_wrap_of_another_scheme_or_epoch_does_not_open() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    let envelope = signed_envelope(&alice, b"hello", WrapScheme::HpkeX25519, &[&bob]);
    let wrap = &envelope.wraps[0];
    let others = [
        Wrap { scheme: WrapScheme::HpkeXwing, ..wrap.clone() },
        Wrap { scheme: WrapScheme::RsaOaep4096, ..wrap.clone() },
        Wrap { scheme: WrapScheme::Ratchet, ..wrap.clone() },
        Wrap { to: Recipient::Device(bob.address), ..wrap.clone() },
    ];

    for other in others {
        let refused = unwrap_for_account(&envelope, &other, &bob.keyring, &mut rng(5));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{other:?}");
    }
}

#[test]
fn a_recipient_cannot_put_another_payload_under_the_wraps_of_others() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    for scheme in ACCOUNT_SCHEMES {
        let genuine = signed_envelope(&alice, b"pay 10", scheme, &[&bob]);
        let secret = secret_of(&genuine, &bob);

        // Any recipient has the secret, and with it the key of the payload.
        let forged = spec::seal(
            secret.as_bytes(),
            &header(&alice, Suite::Signed),
            &content(&alice, b"pay 10000"),
            None,
        );

        let refused = unwrap_for_account(&forged, &genuine.wraps[0], &bob.keyring, &mut rng(5));
        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{scheme:?}");
    }
}

#[test]
fn a_recipient_cannot_put_another_payload_under_the_ratchet_wraps_of_others() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (genuine, secret) = deniable_envelope(&alice, &bob, b"pay 10");

    let forged = spec::seal(
        secret.as_bytes(),
        &header(&alice, Suite::Deniable),
        &content(&alice, b"pay 10000"),
        None,
    );

    assert!(unwrap(&genuine, &genuine.wraps[0], &alice, &bob).is_ok());
    let refused = unwrap(&forged, &genuine.wraps[0], &alice, &bob);
    assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn no_byte_of_a_wrap_can_be_changed() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let envelope = signed_envelope(&alice, b"hello", WrapScheme::HpkeX25519, &[&bob]);

    for place in 0..envelope.wraps[0].bytes.len() {
        let mut bytes = envelope.wraps[0].bytes.to_vec();
        // The highest bit of a point's encoding is ignored by X25519, but not by HPKE.
        bytes[place] ^= 0x80;
        let changed = Wrap { bytes: Bytes::new(bytes).unwrap(), ..envelope.wraps[0].clone() };

        let refused = unwrap_for_account(&envelope, &changed, &bob.keyring, &mut rng(5));

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "byte {place}");
    }
}

#[test]
fn what_is_cut_short_does_not_open() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    for scheme in ACCOUNT_SCHEMES {
        let envelope = signed_envelope(&alice, b"hello", scheme, &[&bob]);
        let secret = secret_of(&envelope, &bob);

        for length in [0, 1, 31, 32, 87, 511, 1_119, 1_175] {
            let bytes = envelope.wraps[0].bytes.iter().take(length).copied().collect::<Vec<_>>();
            let is_whole = bytes.len() == envelope.wraps[0].bytes.len();
            let cut = Wrap { bytes: Bytes::new(bytes).unwrap(), ..envelope.wraps[0].clone() };
            let unwrapped = unwrap_for_account(&envelope, &cut, &bob.keyring, &mut rng(5));
            assert_eq!(unwrapped.is_ok(), is_whole, "{scheme:?} cut to {length}");
        }
        for length in [0, 15, 16, envelope.payload.len() - 1] {
            let payload = Bytes::new(envelope.payload[..length].to_vec()).unwrap();
            let cut = Envelope { payload, ..envelope.clone() };
            let refused = open(&cut, &secret, &alice.certificate, Via::Account);
            assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
        }
    }
}

#[test]
fn somebody_elses_session_does_not_carry_a_senders_message() {
    let (alice, bob, mallory) = (Person::new(1), Person::new(2), Person::new(3));
    let header = header(&alice, Suite::Deniable);
    let forged = spec::seal(&[7; 32], &header, &content(&alice, b"hello"), None);

    // Mallory wraps a message said to be Alice's on her own session with Bob.
    let (wrap, _) = wrap_on_session(&forged, &[7; 32], &mallory, &bob);
    let unwrapped = unwrap(&forged, &wrap, &mallory, &bob).unwrap();

    assert_eq!(unwrapped.via, Via::Session(mallory.address));
    let refused = open(&forged, &unwrapped.secret, &alice.certificate, unwrapped.via);
    assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn a_ratchet_wrap_for_another_device_is_not_even_tried() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (envelope, _) = deniable_envelope(&alice, &bob, b"hello");
    let wrap = &envelope.wraps[0];
    let others = [
        Wrap { to: Recipient::Device(alice.address), ..wrap.clone() },
        Wrap { to: Recipient::Account(bob.address.account), ..wrap.clone() },
        Wrap { to: Recipient::Everyone, ..wrap.clone() },
        Wrap { epoch: 1, ..wrap.clone() },
        Wrap { scheme: WrapScheme::HpkeXwing, ..wrap.clone() },
    ];

    for other in others {
        let refused = unwrap(&envelope, &other, &alice, &bob);

        assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{other:?}");
    }
}

#[test]
fn a_replayed_envelope_opens_once() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (envelope, _) = deniable_envelope(&alice, &bob, b"hello");
    let wrap = &envelope.wraps[0];

    let first = unwrap(&envelope, wrap, &alice, &bob).unwrap();
    let replayed = unwrap_for_device(
        &envelope,
        wrap,
        &first.sessions,
        &bob.local(),
        &alice.certificate,
        alice.keyring.identity().key(),
        &[&bob.prekeys],
        NOW,
    );

    assert_eq!(replayed.unwrap_err(), NOT_AUTHENTIC);
}

#[test]
fn what_was_said_under_one_suite_is_not_said_under_another() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let genuine = signed_envelope(&alice, b"signed", WrapScheme::HpkeXwing, &[&bob]);
    let secret = secret_of(&genuine, &bob);
    let content = content(&alice, b"signed");

    // Bob has the secret: he can seal the same words again, without what showed their sender.
    for suite in [Suite::Deniable, Suite::Chained, Suite::HandOut] {
        let forged = spec::seal(secret.as_bytes(), &header(&alice, suite), &content, None);
        for via in [Via::Account, Via::Session(bob.address), Via::Chain(bob.address)] {
            let refused = open(&forged, &secret, &alice.certificate, via);

            assert_eq!(refused.unwrap_err(), NOT_AUTHENTIC, "{suite:?} by {via:?}");
        }
    }
}

fn secret_of(envelope: &Envelope, recipient: &Person) -> MessageSecret {
    unwrap_for_account(envelope, &envelope.wraps[0], &recipient.keyring, &mut rng(5)).unwrap().0
}

fn deniable_envelope(
    sender: &Person,
    recipient: &Person,
    text: &[u8],
) -> (Envelope, MessageSecret) {
    let header = header(sender, Suite::Deniable);
    let mut sealed = seal(&header, &content(sender, text), None, &mut rng(5)).unwrap();
    let sessions = sender.start_with(recipient, 6);
    sealed.wrap_for_device(&sessions, LIST, NOW, &mut rng(7)).unwrap();
    let secret = sealed.secret().clone();
    (sealed.into_envelope(), secret)
}

/// Wraps `secret` as the owner of the session can, whatever the envelope says.
fn wrap_on_session(
    envelope: &Envelope,
    secret: &[u8; 32],
    sender: &Person,
    recipient: &Person,
) -> (Wrap, Sessions) {
    let sessions = sender.start_with(recipient, 6);
    let carried = [&secret[..], &[0; 4]].concat();
    let context = [
        &b"sealwire/1/kdf/wrap\x01"[..],
        recipient.address.account.as_bytes(),
        recipient.address.device.as_bytes(),
        &[0; 4],
        envelope.binding().as_bytes(),
    ]
    .concat();
    let (bytes, sessions) = sessions.encrypt(&carried, &context, NOW, &mut rng(7)).unwrap();
    let wrap = Wrap {
        scheme: WrapScheme::Ratchet,
        to: Recipient::Device(recipient.address),
        epoch: 0,
        bytes: Bytes::new(bytes).unwrap(),
    };
    (wrap, sessions)
}

fn unwrap(
    envelope: &Envelope,
    wrap: &Wrap,
    sender: &Person,
    recipient: &Person,
) -> Result<Unwrapped, OpenError> {
    unwrap_for_device(
        envelope,
        wrap,
        &Sessions::new(sender.address),
        &recipient.local(),
        &sender.certificate,
        sender.keyring.identity().key(),
        &[&recipient.prekeys],
        NOW,
    )
}
