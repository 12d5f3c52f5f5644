//! Vectors of a whole conversation on the ratchet: `docs/protocol/ratchet.md`.
//!
//! It begins with last-resort prekeys, so its first chain carries a post-quantum key; a day later
//! there is another exchange. Messages are lost on the way for a while, overtake each other, and
//! all open in the end.

use chat_core::time::Timestamp;
use chat_crypto::session::Sessions;
use serde_json::{Value, json};

use super::{device_state, drawn, party, prekey_state, secret, spec};
use crate::people::{NOW, Person, rng};
use crate::vectors::{check, hex};

const ASSOCIATED: &[u8] = b"associated data";
const DAY_MS: u64 = 24 * 3600 * 1000;

/// What each chain says, and the seed of what its first message draws. Odd chains are Alice's.
const CHAINS: [(&[&str], u64); 7] = [
    (&["hello", "are you there?", "Bob?"], 3),
    (&["yes", "", "I am", "here"], 5),
    (&["good", "good", "good"], 6),
    (&["what is it?", "I am", "listening"], 7),
    (&["a day has passed", "so", "here is a new key"], 8),
    (&["and here", "its answer"], 9),
    (&["thank you", "good night"], 10),
];
/// From this chain on it is a day later.
const NEXT_DAY: usize = 4;

/// What happens, with messages numbered through all chains.
///
/// Of Alice's first chain the second message arrives first and the third much later; of Bob's
/// answer the third arrives first; a chain goes on while the other side's next one is on the road.
const EVENTS: &str = "seal 0, seal 1, seal 2, open 1, open 0, \
     seal 3, seal 4, seal 5, seal 6, open 5, open 3, \
     seal 7, seal 8, open 8, seal 10, seal 9, open 10, seal 11, open 2, seal 12, \
     seal 13, seal 14, seal 15, open 15, open 13, \
     seal 16, seal 17, open 17, open 4, seal 18, open 18, seal 19, open 19, \
     open 14, open 9, open 12, open 6, open 11, open 7, open 16";

#[test]
fn a_conversation_is_as_written() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (session_key, handshake) = handshake(&alice, &bob);
    let signed_prekey = secret(&prekey_state(&bob.prekeys).signed);
    let chains = chains(&session_key, &signed_prekey);
    let told: Vec<Vec<(Value, Vec<u8>)>> = chains
        .iter()
        .enumerate()
        .map(|(place, chain)| {
            chain.messages(CHAINS[place].0, if place == 0 { &handshake } else { &[] })
        })
        .collect();

    let sealed = conversation(&alice, &bob);
    let expected: Vec<Vec<u8>> = told.iter().flatten().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(sealed, expected);

    let chains = chains.iter().zip(told).enumerate().map(|(place, (chain, messages))| {
        let messages: Vec<_> = messages.into_iter().map(|(value, _)| value).collect();
        let sender = if place % 2 == 0 { "initiator" } else { "responder" };
        json!({
            "sender": sender,
            "begun_at_ms": now(place).as_millis(),
            "turn": chain.turn,
            "messages": messages,
        })
    });
    check(
        "ratchet.json",
        &json!({
            "specification": "ratchet.md",
            "session_key": hex(session_key),
            "session_number": number(),
            "handshake_header": hex(handshake),
            "signed_prekey_private": hex(signed_prekey),
            "associated": hex(ASSOCIATED),
            "events": EVENTS.split(", ").collect::<Vec<_>>(),
            "chains": chains.collect::<Vec<_>>(),
        }),
    );
}

fn now(chain: usize) -> Timestamp {
    let later = if chain >= NEXT_DAY { DAY_MS } else { 0 };
    Timestamp::from_millis(NOW.as_millis() + later)
}

fn number() -> u32 {
    u32::try_from(NOW.as_millis() / 1000).unwrap()
}

struct Chain {
    ratchet_key: [u8; 32],
    header_key: [u8; 32],
    chain_key: [u8; 32],
    previous: u32,
    flags: u8,
    extension: Vec<u8>,
    turn: Value,
}

/// All chains, from the page alone. Chains 1 and 5 offer a key, 2 and 6 answer it.
fn chains(session_key: &[u8; 32], signed_prekey: &[u8; 32]) -> Vec<Chain> {
    let [root, initiator, responder] = spec::session_start(session_key);
    let (mut root, mut header_keys) = (root, [initiator, responder]);
    let mut theirs = *signed_prekey;
    let mut seed = [0; 64];
    let mut chains = Vec::new();
    for (place, (_, draws)) in CHAINS.iter().enumerate() {
        // The first chain's draws come after those of the handshake.
        let drawn: [[u8; 32]; 5] = drawn(*draws);
        let drawn = if place == 0 { &drawn[2..] } else { &drawn[..] };
        let ratchet = drawn[0];
        let shared = spec::x25519(&ratchet, &spec::public(&theirs));
        let (flags, extension, renewal, keys) = match place {
            0 | 4 => {
                seed = drawn[1..3].concat().try_into().unwrap();
                let renewal = json!({ "offered": { "seed": hex(seed) } });
                (1, spec::pq_key(&seed), renewal, spec::turn(&root, &shared))
            }
            1 | 5 => {
                let (ciphertext, secret) = spec::pq_encapsulate(&seed, &drawn[1]);
                let transcript = spec::sha256(&[&spec::pq_key(&seed)[..], &ciphertext].concat());
                let renewal = json!({ "answered": {
                    "encapsulation_randomness": hex(drawn[1]),
                    "secret": hex(secret),
                    "transcript_sha256": hex(transcript),
                }});
                (2, ciphertext, renewal, spec::pq_turn(&root, &shared, &secret, &transcript))
            }
            _ => (0, Vec::new(), Value::Null, spec::turn(&root, &shared)),
        };
        let [next_root, chain_key, next_header_key] = keys;
        let header_key = std::mem::replace(&mut header_keys[place % 2], next_header_key);
        let turn = json!({
            "ratchet_private": hex(ratchet),
            "ratchet_key": hex(spec::public(&ratchet)),
            "their_ratchet_key": hex(spec::public(&theirs)),
            "dh": hex(shared),
            "post_quantum": renewal,
            "root_key_before": hex(root),
            "root_key": hex(next_root),
            "chain_key": hex(chain_key),
            "header_key": hex(header_key),
            "next_header_key": hex(next_header_key),
        });
        let previous = match place {
            0 => number(),
            1 => 0,
            _ => u32::try_from(CHAINS[place - 2].0.len()).unwrap(),
        };
        let ratchet_key = spec::public(&ratchet);
        chains.push(Chain { ratchet_key, header_key, chain_key, previous, flags, extension, turn });
        (root, theirs) = (next_root, ratchet);
    }
    chains
}

impl Chain {
    /// Every message with all that is derived for it, and its bytes.
    fn messages(&self, plaintexts: &[&str], handshake: &[u8]) -> Vec<(Value, Vec<u8>)> {
        let kind = if handshake.is_empty() { 1 } else { 2 };
        let mut chain_key = self.chain_key;
        let mut messages = Vec::new();
        for (number, plaintext) in (0..).zip(plaintexts) {
            let (next, message_key) = spec::step(&chain_key);
            let header = spec::header(&self.ratchet_key, self.previous, number, self.flags);
            let sealed_header = spec::seal_header(&self.header_key, &header);
            let extension = match self.flags {
                0 => Vec::new(),
                _ => {
                    spec::seal_extension(&self.header_key, number, &self.extension, &sealed_header)
                }
            };
            let front = [&sealed_header[..], &extension].concat();
            let (key, nonce, body) =
                spec::seal_body(&message_key, &front, plaintext.as_bytes(), ASSOCIATED);
            let message = [&[kind], handshake, &front, &body].concat();
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
            chain_key = next;
        }
        messages
    }
}

/// The same conversation by chat-crypto: all messages, as they were sealed.
fn conversation(alice: &Person, bob: &Person) -> Vec<Vec<u8>> {
    let mut bundle = bob.bundle.clone();
    bundle.one_time = None;
    let bundle = bundle.verify(&bob.certificate).unwrap();
    let mut hers = rng(CHAINS[0].1);
    let to_bob = Sessions::new(bob.address)
        .start(&alice.local(), bob.keyring.identity().key(), &bundle, NOW, &mut hers)
        .unwrap();
    let mut sessions = [to_bob, Sessions::new(alice.address)];
    let texts: Vec<(usize, &str)> = CHAINS
        .iter()
        .enumerate()
        .flat_map(|(chain, (texts, _))| texts.iter().map(move |text| (chain, *text)))
        .collect();
    let mut told = vec![Vec::new(); texts.len()];
    let mut clock = NOW;
    for event in EVENTS.split(", ") {
        let (what, place) = event.split_once(' ').unwrap();
        let place: usize = place.parse().unwrap();
        let (chain, text) = texts[place];
        clock = clock.max(now(chain));
        let sender = chain % 2;
        if what == "seal" {
            // Only the first message of a chain draws anything.
            let mut drawn = if place == 0 { hers.clone() } else { rng(CHAINS[chain].1) };
            let sealed =
                sessions[sender].encrypt(text.as_bytes(), ASSOCIATED, clock, &mut drawn).unwrap();
            (told[place], sessions[sender]) = sealed;
        } else {
            let people = [alice, bob];
            let (us, them) = (people[1 - sender], people[sender]);
            sessions[1 - sender] =
                hears(us, them, &sessions[1 - sender], &told[place], text, clock);
        }
    }
    told
}

fn hears(
    us: &Person,
    them: &Person,
    sessions: &Sessions,
    message: &[u8],
    text: &str,
    now: Timestamp,
) -> Sessions {
    let theirs = them.keyring.identity().key();
    let prekeys = &[&us.prekeys];
    let decrypted = sessions
        .decrypt(&us.local(), &them.certificate, theirs, prekeys, message, ASSOCIATED, now)
        .unwrap();
    assert_eq!(decrypted.plaintext.as_slice(), text.as_bytes());
    decrypted.sessions
}

/// Session key and header of the handshake that the first generator makes, with last-resort keys.
fn handshake(alice: &Person, bob: &Person) -> ([u8; 32], Vec<u8>) {
    let [ephemeral, randomness] = drawn(CHAINS[0].1);
    let agreement = secret(&device_state(&alice.device).agreement);
    let prekeys = prekey_state(&bob.prekeys);
    let used = spec::Prekeys {
        set: 1,
        signed: spec::public(&secret(&prekeys.signed)),
        one_time: None,
        kem: spec::kem_public(&prekeys.last_resort),
    };
    let (us, them) = (party(alice), party(bob));
    let (ciphertext, shared) = spec::kem_encapsulate(&prekeys.last_resort, &randomness);
    let secrets = [
        spec::x25519(&agreement, &used.signed),
        spec::x25519(&ephemeral, &them.agreement),
        spec::x25519(&ephemeral, &used.signed),
        shared,
    ];
    let public = spec::public(&ephemeral);
    let transcript = spec::transcript(&us, &them, &used, &public, &ciphertext);
    (spec::session_key(&secrets, &transcript), spec::handshake_header(&used, &public, &ciphertext))
}
