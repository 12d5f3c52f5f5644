//! Vectors of the envelope: `docs/protocol/envelope.md`.

use chat_core::codec::{Digest, to_bytes};
use chat_core::envelope::{Expiry, ExpiryMode, Header, Suite};
use chat_crypto::envelope::{Via, open, seal};
use chat_crypto::padding::padded_length;
use serde_json::{Value, json};

use super::{check, hex};
use crate::people::{Person, content, header, rng};
use crate::spec;

#[test]
fn envelopes_are_as_written() {
    let alice = Person::new(1);
    let timer = Expiry { mode: ExpiryMode::AfterSeen, after_ms: 30_000 };
    let headers = [
        header(&alice, Suite::Signed),
        header(&alice, Suite::Deniable),
        Header { expiry: Some(timer), ..header(&alice, Suite::Deniable) },
    ];
    let cases: Vec<Value> = headers
        .iter()
        .zip(["hello", "", "This one goes away half a minute after it was seen."])
        .map(|(header, text)| case(&alice, header, text))
        .collect();
    let lengths = [0, 1, 255, 256, 4094, 4095, 4096, 4607, 4608, 9000, 100_000, 131_071];
    let padding: Vec<Value> = lengths
        .into_iter()
        .map(|length| json!({ "length": length, "padded_length": padded_length(length) }))
        .collect();

    check(
        "envelope.json",
        &json!({ "specification": "envelope.md §2, §3, §4, §7", "cases": cases, "padding": padding }),
    );
}

fn case(alice: &Person, header: &Header, text: &str) -> Value {
    let content = content(alice, text.as_bytes());
    let signer = (header.suite == Suite::Signed).then_some(&alice.device);
    let sealed = seal(header, &content, signer, &mut rng(9)).unwrap();
    let secret = *sealed.secret().as_bytes();
    let envelope = sealed.into_envelope();

    // The same by nothing but primitives.
    let signature = signer.map(|device| spec::sign(device, &secret, header, &content));
    assert_eq!(spec::seal(&secret, header, &content, signature), envelope);
    let padded = spec::open_padded(&secret, &envelope).unwrap();
    let keys = spec::keys(&secret, &envelope.header);
    let via = Via::Session(alice.address);
    let secret = chat_crypto::wrap::MessageSecret::from_bytes(secret);
    assert_eq!(open(&envelope, &secret, &alice.certificate, via).unwrap().content, content);

    json!({
        "sender_device_key": hex(alice.device.key().as_bytes()),
        "header_cbor": hex(&envelope.header[..]),
        "header_digest": hex(Digest::of(&envelope.header).as_bytes()),
        "secret": hex(secret.as_bytes()),
        "key": hex(keys.key),
        "nonce": hex(keys.nonce),
        "commitment": hex(keys.commitment),
        "content_cbor": hex(to_bytes(&content)),
        "signed_content_cbor":
            signer.map(|_| hex(spec::signed_content(&keys, header, &content).to_bytes())),
        "signature": signature.map(|signature| hex(signature.as_bytes())),
        "padded_sealed_content": hex(padded),
        "payload": hex(&envelope.payload[..]),
        "binding": hex(envelope.binding().as_bytes()),
    })
}
