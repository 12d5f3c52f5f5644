//! Vectors of a whole conversation on the ratchet: `docs/protocol/ratchet.md`.

use chat_crypto::session::Sessions;
use serde_json::{Value, json};

use super::{device_state, drawn, party, prekey_state, secret, spec};
use crate::people::{NOW, Person, rng};
use crate::vectors::{check, hex};

const ASSOCIATED: &[u8] = b"associated data";

/// Alice says two things, Bob two, Alice one more: two chains of hers and one of his.
#[test]
fn a_conversation_is_as_written() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (session_key, handshake) = handshake(&alice, &bob);
    let signed_prekey = secret(&prekey_state(&bob.prekeys).signed);
    let [root, initiator_header, responder_header] = spec::session_start(&session_key);
    let [_, _, first] = drawn(3);
    let [second] = drawn(5);
    let [third] = drawn(6);

    let mut root = root;
    let mut chain = |ratchet: &[u8; 32], theirs: &[u8; 32], header_key, previous_length| {
        let shared = spec::x25519(ratchet, &spec::public(theirs));
        let [next_root, chain_key, next_header_key] = spec::turn(&root, &shared);
        let before = std::mem::replace(&mut root, next_root);
        let turn = json!({
            "ratchet_private": hex(ratchet),
            "ratchet_key": hex(spec::public(ratchet)),
            "their_ratchet_key": hex(spec::public(theirs)),
            "dh": hex(shared),
            "root_key_before": hex(before),
            "root_key": hex(next_root),
            "chain_key": hex(chain_key),
            "header_key": hex(header_key),
            "next_header_key": hex(next_header_key),
        });
        let chain =
            Chain { ratchet_key: spec::public(ratchet), header_key, chain_key, previous_length };
        (chain, turn, next_header_key)
    };
    let (hers, her_turn, her_next) = chain(&first, &signed_prekey, initiator_header, 0);
    let (his, his_turn, _) = chain(&second, &first, responder_header, 0);
    let (hers_again, her_next_turn, _) = chain(&third, &second, her_next, 2);
    let chains = [
        (her_turn, "initiator", hers.messages(&[b"hello", b"are you there?"], &handshake)),
        (his_turn, "responder", his.messages(&[b"yes", b""], &[])),
        (her_next_turn, "initiator", hers_again.messages(&[b"good"], &[])),
    ];

    assert_eq!(conversation(&alice, &bob), bytes(&chains));
    let chains: Vec<Value> = chains
        .into_iter()
        .map(|(turn, sender, messages)| {
            let messages: Vec<_> = messages.into_iter().map(|(value, _)| value).collect();
            json!({ "sender": sender, "turn": turn, "messages": messages })
        })
        .collect();
    check(
        "ratchet.json",
        &json!({
            "specification": "ratchet.md",
            "session_key": hex(session_key),
            "handshake_header": hex(handshake),
            "signed_prekey_private": hex(signed_prekey),
            "associated": hex(ASSOCIATED),
            "chains": chains,
        }),
    );
}

struct Chain {
    ratchet_key: [u8; 32],
    header_key: [u8; 32],
    chain_key: [u8; 32],
    previous_length: u32,
}

impl Chain {
    /// Every message with all that is derived for it, and its bytes.
    fn messages(mut self, plaintexts: &[&[u8]], handshake: &[u8]) -> Vec<(Value, Vec<u8>)> {
        let kind = if handshake.is_empty() { 1 } else { 2 };
        let mut messages = Vec::new();
        for (number, plaintext) in (0..).zip(plaintexts) {
            let (next, message_key) = spec::step(&self.chain_key);
            let header = spec::header(&self.ratchet_key, self.previous_length, number);
            let sealed_header = spec::seal_header(&self.header_key, &header);
            let (key, nonce, body) =
                spec::seal_body(&message_key, &sealed_header, plaintext, ASSOCIATED);
            let message = [&[kind], handshake, &sealed_header, &body].concat();
            let value = json!({
                "plaintext": hex(plaintext),
                "next_chain_key": hex(next),
                "message_key": hex(message_key),
                "cipher_key": hex(key),
                "cipher_nonce": hex(nonce),
                "header": hex(header),
                "sealed_header": hex(sealed_header),
                "message": hex(&message),
            });
            messages.push((value, message));
            self.chain_key = next;
        }
        messages
    }
}

type Told = (Value, &'static str, Vec<(Value, Vec<u8>)>);

fn bytes(chains: &[Told]) -> Vec<Vec<u8>> {
    chains.iter().flat_map(|(_, _, messages)| messages).map(|(_, bytes)| bytes.clone()).collect()
}

/// The same conversation by chat-crypto.
fn conversation(alice: &Person, bob: &Person) -> Vec<Vec<u8>> {
    let mut told = Vec::new();
    let mut hers = rng(3);
    let bundle = bob.bundle.clone().verify(&bob.certificate).unwrap();
    let mut to_bob = Sessions::new(bob.address)
        .start(&alice.local(), bob.keyring.identity().key(), &bundle, NOW, &mut hers)
        .unwrap();
    let mut to_alice = Sessions::new(alice.address);
    for text in [&b"hello"[..], b"are you there?"] {
        told.push(says(&mut to_bob, text, &mut hers));
        hears(bob, alice, &mut to_alice, told.last().unwrap(), text);
    }
    let mut his = rng(5);
    for text in [&b"yes"[..], b""] {
        told.push(says(&mut to_alice, text, &mut his));
        hears(alice, bob, &mut to_bob, told.last().unwrap(), text);
    }
    told.push(says(&mut to_bob, b"good", &mut rng(6)));
    hears(bob, alice, &mut to_alice, told.last().unwrap(), b"good");
    told
}

fn says(sessions: &mut Sessions, text: &[u8], rng: &mut rand_chacha::ChaCha20Rng) -> Vec<u8> {
    let (message, next) = sessions.encrypt(text, ASSOCIATED, NOW, rng).unwrap();
    *sessions = next;
    message
}

fn hears(us: &Person, them: &Person, sessions: &mut Sessions, message: &[u8], text: &[u8]) {
    let theirs = them.keyring.identity().key();
    let prekeys = &[&us.prekeys];
    let decrypted = sessions
        .decrypt(&us.local(), &them.certificate, theirs, prekeys, message, ASSOCIATED, NOW)
        .unwrap();
    assert_eq!(decrypted.plaintext.as_slice(), text);
    *sessions = decrypted.sessions;
}

/// Session key and header of the handshake that the generator with seed 3 makes.
fn handshake(alice: &Person, bob: &Person) -> ([u8; 32], Vec<u8>) {
    let [ephemeral, randomness] = drawn(3);
    let agreement = secret(&device_state(&alice.device).agreement);
    let prekeys = prekey_state(&bob.prekeys);
    let one_time = &prekeys.one_time[&0];
    let used = spec::Prekeys {
        set: 1,
        signed: spec::public(&secret(&prekeys.signed)),
        one_time: Some((0, spec::public(&secret(&one_time.agreement)))),
        kem: spec::kem_public(&one_time.kem),
    };
    let (us, them) = (party(alice), party(bob));
    let (ciphertext, shared) = spec::kem_encapsulate(&one_time.kem, &randomness);
    let secrets = [
        spec::x25519(&agreement, &used.signed),
        spec::x25519(&ephemeral, &them.agreement),
        spec::x25519(&ephemeral, &used.signed),
        spec::x25519(&ephemeral, &spec::public(&secret(&one_time.agreement))),
        shared,
    ];
    let public = spec::public(&ephemeral);
    let transcript = spec::transcript(&us, &them, &used, &public, &ciphertext);
    (spec::session_key(&secrets, &transcript), spec::handshake_header(&used, &public, &ciphertext))
}
