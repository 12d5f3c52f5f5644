//! Vectors of the handshake: `docs/protocol/handshake.md`.

use chat_core::prekey::PrekeyBundle;
use chat_crypto::session::Sessions;
use serde_json::{Value, json};

use super::{device_state, drawn, party, prekey_state, secret, spec};
use crate::people::{NOW, Person, rng};
use crate::vectors::{check, hex};

#[test]
fn handshakes_are_as_written() {
    let cases: Vec<Value> = [true, false].into_iter().map(case).collect();

    check("handshake.json", &json!({ "specification": "handshake.md", "cases": cases }));
}

fn case(with_one_time: bool) -> Value {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let mut bundle: PrekeyBundle = bob.bundle.clone();
    if !with_one_time {
        bundle.one_time = None;
    }
    let bundle = bundle.verify(&bob.certificate).unwrap();
    let [ephemeral, randomness] = drawn(3);
    let agreement = secret(&device_state(&alice.device).agreement);
    let responders = prekey_state(&bob.prekeys);
    let one_time = &responders.one_time[&0];
    let seed = if with_one_time { *one_time.kem } else { *responders.last_resort };
    let prekeys = spec::Prekeys {
        set: 1,
        signed: spec::public(&secret(&responders.signed)),
        one_time: with_one_time.then(|| (0, spec::public(&secret(&one_time.agreement)))),
        kem: spec::kem_public(&seed),
    };

    let (us, them) = (party(&alice), party(&bob));
    let (ciphertext, shared) = spec::kem_encapsulate(&seed, &randomness);
    let mut secrets = vec![
        spec::x25519(&agreement, &prekeys.signed),
        spec::x25519(&ephemeral, &them.agreement),
        spec::x25519(&ephemeral, &prekeys.signed),
    ];
    secrets.extend(prekeys.one_time.map(|(_, key)| spec::x25519(&ephemeral, &key)));
    secrets.push(shared);
    let public = spec::public(&ephemeral);
    let transcript = spec::transcript(&us, &them, &prekeys, &public, &ciphertext);
    let key = spec::session_key(&secrets, &transcript);
    let header = spec::handshake_header(&prekeys, &public, &ciphertext);

    let mut rng = rng(3);
    let sessions = Sessions::new(bob.address)
        .start(&alice.local(), bob.keyring.identity().key(), &bundle, NOW, &mut rng)
        .unwrap();
    let (message, _) = sessions.encrypt(b"", b"", NOW, &mut rng).unwrap();
    assert_eq!(message[1..1607], header);

    json!({
        "initiator": side(&us),
        "initiator_agreement_private": hex(agreement),
        "responder": side(&them),
        "responder_agreement_private": hex(secret(&device_state(&bob.device).agreement)),
        "set": prekeys.set,
        "signed_prekey_private": hex(secret(&responders.signed)),
        "one_time_index": with_one_time.then_some(0),
        "one_time_private": with_one_time.then(|| hex(secret(&one_time.agreement))),
        "kem_seed": hex(seed),
        "ephemeral_private": hex(ephemeral),
        "encapsulation_randomness": hex(randomness),
        "kem_shared_secret": hex(shared),
        "dh": secrets[..secrets.len() - 1].iter().map(hex).collect::<Vec<_>>(),
        "transcript": hex(&transcript),
        "transcript_sha256": hex(spec::sha256(&transcript)),
        "session_key": hex(key),
        "handshake_header": hex(header),
    })
}

fn side(party: &spec::Party) -> Value {
    json!({
        "account": hex(party.account),
        "device": hex(party.device),
        "identity_key": hex(party.identity),
        "agreement_key": hex(party.agreement),
    })
}
