//! Vectors of wrapping and rewrapping for account keys.

use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::envelope::{Envelope, Suite, Wrap, WrapScheme};
use chat_crypto::envelope::{Via, open, seal, unwrap_for_account};
use chat_crypto::wrap::{EnvelopeSecrets, MessageSecret};
use minicbor::Decode;
use minicbor::bytes::ByteVec;
use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{check, hex};
use crate::people::{LIST, NOW, Person, content, header, rng};

const SCHEMES: [(WrapScheme, u8, usize); 3] = [
    (WrapScheme::HpkeX25519, 2, 32),
    (WrapScheme::HpkeXwing, 3, 64),
    (WrapScheme::RsaOaep4096, 4, 32),
];

#[test]
fn wraps_are_as_written() {
    let bob = Person::with_rsa();
    let secret = MessageSecret::from_bytes([0x5e; 32]);
    let binding = Digest::of(b"an envelope");
    let cases: Vec<Value> = SCHEMES
        .into_iter()
        .map(|(scheme, number, drawn)| {
            let mut rng = rng(u64::from(number));
            let mut randomness = vec![0; drawn];
            rng.clone().fill_bytes(&mut randomness);

            let keys = &bob.envelope_keys;
            let wrap = secret.rewrap(binding, keys, scheme, LIST, &mut rng).unwrap();

            let context = [
                &b"sealwire/1/kdf/wrap"[..],
                &[number],
                bob.address.account.as_bytes(),
                &[0; 16],
                &1u32.to_be_bytes(),
            ]
            .concat();
            let carried = [&[0x5e; 32][..], &LIST.to_be_bytes()].concat();
            json!({
                "scheme": number,
                "account": hex(bob.address.account.as_bytes()),
                "epoch": 1,
                "private_key": hex(private_key(&bob, scheme)),
                "public_key": hex(public_key(&bob, scheme)),
                "randomness": hex(randomness),
                "secret": hex(secret.as_bytes()),
                "list_number": LIST,
                "carried": hex(carried),
                "context": hex(context),
                "binding": hex(binding.as_bytes()),
                "wrap": hex(&wrap.bytes[..]),
                "wrap_cbor": hex(to_bytes(&wrap)),
            })
        })
        .collect();

    check("wrap.json", &json!({ "specification": "envelope.md §6", "cases": cases }));
}

#[test]
fn rewraps_are_as_written() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let mut rng = rng(7);
    let header = header(&alice, Suite::Signed);
    let content = content(&alice, b"history");
    let mut sealed = seal(&header, &content, Some(&alice.device), &mut rng).unwrap();
    let scheme = WrapScheme::HpkeX25519;
    sealed.wrap_for_account(&bob.envelope_keys, scheme, LIST, &mut rng).unwrap();
    let envelope = sealed.into_envelope();

    let (secret, list) =
        unwrap_for_account(&envelope, &envelope.wraps[0], &bob.keyring, &mut rng).unwrap();
    let scheme = WrapScheme::HpkeXwing;
    let binding = envelope.binding();
    let rewrap = secret.rewrap(binding, &carol.envelope_keys, scheme, list, &mut rng).unwrap();
    let (again, _) = unwrap_for_account(&envelope, &rewrap, &carol.keyring, &mut rng).unwrap();

    assert!(open(&envelope, &again, &alice.certificate, Via::Account).is_ok());
    let case = json!({
        "sender_device_key": hex(alice.device.key().as_bytes()),
        "envelope_cbor": hex(to_bytes(&envelope)),
        "first_recipient_account": hex(bob.address.account.as_bytes()),
        "first_recipient_private_key": hex(private_key(&bob, WrapScheme::HpkeX25519)),
        "secret": hex(secret.as_bytes()),
        "binding": hex(binding.as_bytes()),
        "second_recipient_account": hex(carol.address.account.as_bytes()),
        "second_recipient_private_key": hex(private_key(&carol, WrapScheme::HpkeXwing)),
        "rewrap_cbor": hex(to_bytes(&rewrap)),
        "content_body": hex(&content.body[..]),
    });
    check("rewrap.json", &json!({ "specification": "envelope.md §8", "cases": [case] }));
}

#[test]
fn a_written_wrap_opens_after_decoding() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let envelope = crate::people::signed_envelope(&alice, b"x", WrapScheme::HpkeX25519, &[&bob]);

    let decoded: Envelope = from_bytes(&to_bytes(&envelope)).unwrap();

    let wrap: &Wrap = &decoded.wraps[0];
    assert!(unwrap_for_account(&decoded, wrap, &bob.keyring, &mut rng(1)).is_ok());
}

/// An epoch's secrets, as keyring.md §4 says them.
#[derive(Decode)]
#[cbor(map)]
struct EpochState {
    #[n(2)]
    x25519: ByteVec,
    #[n(3)]
    xwing: ByteVec,
    #[n(4)]
    rsa: Option<ByteVec>,
}

fn private_key(person: &Person, scheme: WrapScheme) -> Vec<u8> {
    let epoch: &EnvelopeSecrets = person.keyring.current_envelope_secrets();
    let (_, state): (u8, EpochState) = minicbor::decode(&epoch.to_snapshot()).unwrap();
    match scheme {
        WrapScheme::HpkeX25519 => state.x25519.into(),
        WrapScheme::HpkeXwing => state.xwing.into(),
        WrapScheme::RsaOaep4096 => state.rsa.unwrap().into(),
        WrapScheme::Ratchet | WrapScheme::SenderChain => panic!("not for accounts"),
    }
}

fn public_key(person: &Person, scheme: WrapScheme) -> Vec<u8> {
    let keys = person.keyring.current_envelope_secrets().public(NOW);
    match scheme {
        WrapScheme::HpkeX25519 => keys.x25519.as_bytes().to_vec(),
        WrapScheme::HpkeXwing => keys.xwing.as_bytes().to_vec(),
        WrapScheme::RsaOaep4096 => keys.rsa.unwrap().to_vec(),
        WrapScheme::Ratchet | WrapScheme::SenderChain => panic!("not for accounts"),
    }
}
