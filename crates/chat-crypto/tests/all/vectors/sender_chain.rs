//! Vectors of sender chains: `docs/protocol/sender-chains.md`.

use chat_core::codec::{Digest, to_bytes};
use chat_core::envelope::Suite;
use chat_core::id::AccountId;
use chat_crypto::envelope::{open, seal, unwrap_by_chain};
use chat_crypto::sender_chain::{Audience, ReceivingChains, SendingChain};
use ed25519_dalek::SigningKey;
use rand_core::Rng as _;
use serde_json::{Value, json};

use super::{check, hex};
use crate::chain_spec::{self, HandOut};
use crate::people::{CONVERSATION, NOW, Person, content, header, rng};

#[test]
fn sender_chains_are_as_written() {
    let alice = Person::new(1);
    let members = [(AccountId::from_bytes([2; 16]), 1), (AccountId::from_bytes([1; 16]), 3)];
    let audience = Audience::of(4, Digest::of(b"the members"), members);
    let mut randomness = rng(3);
    let mut drawn = || {
        let mut bytes = [0; 32];
        randomness.fill_bytes(&mut bytes);
        bytes
    };
    let mut drawing = rng(3);
    let mut chain = SendingChain::begin(CONVERSATION, alice.address, NOW, &mut drawing);
    let mut held = ReceivingChains::new(CONVERSATION, alice.address);

    let mut chains = Vec::new();
    for texts in [&["hello", "all of", "you"][..], &["and again"]] {
        let signer = {
            let [_link, _header_key, seed] = [drawn(), drawn(), drawn()];
            SigningKey::from_bytes(&seed)
        };
        let body = chain.hand_out(audience);
        held = held.accept(&body, NOW).unwrap();
        let mut keys = HandOut::read(&body);
        let id = chain_spec::chain_id(CONVERSATION, alice.address, keys.epoch, &keys.key);
        let mut messages = Vec::new();
        for text in texts {
            let next;
            (messages, (chain, held, next)) =
                one(messages, &alice, (&chain, &held, &keys), &signer, text);
            keys = next;
        }
        chains.push(json!({
            "epoch": keys.epoch,
            "hand_out": hex(&*body),
            "signing_seed": hex(signer.as_bytes()),
            "verifying_key": hex(*keys.key),
            "chain_id": hex(id.as_bytes()),
            "messages": messages,
        }));
        chain = chain.replaced(NOW, &mut drawing);
    }

    check(
        "sender-chain.json",
        &json!({
            "specification": "sender-chains.md §2 to §5",
            "conversation": hex(CONVERSATION.as_bytes()),
            "sender_account": hex(alice.address.account.as_bytes()),
            "sender_device": hex(alice.address.device.as_bytes()),
            "audience": {
                "membership_index": audience.membership_index,
                "membership_head": hex(audience.membership_head.as_bytes()),
                "lists": members.map(|(account, number)| json!({
                    "account": hex(account.as_bytes()), "number": number,
                })),
                "devices": hex(audience.devices.as_bytes()),
            },
            "chains": chains,
        }),
    );
}

type Sides<'a> = (&'a SendingChain, &'a ReceivingChains, &'a HandOut);

/// One message, by chat-crypto and by primitives.
fn one(
    mut messages: Vec<Value>,
    alice: &Person,
    (chain, held, keys): Sides<'_>,
    signer: &SigningKey,
    text: &str,
) -> (Vec<Value>, (SendingChain, ReceivingChains, HandOut)) {
    let header = header(alice, Suite::Chained);
    let content = content(alice, text.as_bytes());
    let mut sealed = seal(&header, &content, None, &mut rng(9)).unwrap();
    let secret = *sealed.secret().as_bytes();
    let chain = sealed.wrap_by_chain(chain).unwrap();
    let envelope = sealed.into_envelope();
    let binding = envelope.binding();

    let again = chain_spec::wrap(keys, signer, CONVERSATION, alice.address, &secret, binding);
    assert_eq!(envelope.wraps[..], [again]);
    let unwrapped = unwrap_by_chain(&envelope, &envelope.wraps[0], held, NOW).unwrap();
    let opened = open(&envelope, &unwrapped.secret, &alice.certificate, unwrapped.via).unwrap();
    assert_eq!(opened.content, content);

    let (next, message_key) = keys.step();
    messages.push(json!({
        "number": keys.index,
        "link": hex(*keys.link),
        "message_key": hex(message_key),
        "secret": hex(secret),
        "envelope_cbor": hex(to_bytes(&envelope)),
        "binding": hex(binding.as_bytes()),
        "content_body": hex(text.as_bytes()),
    }));
    (messages, (chain, unwrapped.chains, next))
}
