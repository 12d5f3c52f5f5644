//! Vectors of signed objects: certificates, device lists, prekey sets.

use chat_core::codec::{Digest, List, to_bytes};
use chat_core::device::{DeviceList, ListedDevice, VERSION};
use chat_core::key::{DeviceKey, signature_input};
use chat_core::label;
use chat_core::signed::{Signable, Unverified};
use chat_core::time::Timestamp;
use chat_crypto::prekey::PrekeySecrets;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::{device_state, prekey_state, secret, spec};
use crate::people::{NOW, Person, rng};
use crate::vectors::{check, hex};

#[test]
fn signed_objects_are_as_written() {
    let alice = Person::new(1);
    let seed: [u8; 32] = identity_seed(&alice);
    let listed = ListedDevice {
        device: alice.address.device,
        certificate: alice.certificate.digest(),
        removed_at: None,
    };
    let first = DeviceList {
        version: VERSION,
        account: alice.address.account,
        number: 1,
        previous: Digest::ZERO,
        devices: List::new(vec![listed]).unwrap(),
        created_at: NOW,
    };
    let first_signed = alice.keyring.identity().sign_list(&first);
    let removed =
        ListedDevice { removed_at: Some(Timestamp::from_millis(NOW.as_millis() + 1)), ..listed };
    let second = DeviceList {
        number: 2,
        previous: first_signed.digest(),
        devices: List::new(vec![removed]).unwrap(),
        ..first
    };
    let second_signed = alice.keyring.identity().sign_list(&second);

    let device = device_state(&alice.device);
    let login = b"a log-in challenge";
    let signature = alice.device.sign(label::DEVICE_LOGIN, login);
    check(
        "identity.json",
        &json!({
            "specification": "identity.md",
            "account": hex(alice.address.account.as_bytes()),
            "device": hex(alice.address.device.as_bytes()),
            "identity_private": hex(seed),
            "identity_key": hex(alice.keyring.identity().key().as_bytes()),
            "device_private": hex(&device.signing[..]),
            "device_key": hex(alice.device.key().as_bytes()),
            "agreement_private": hex(secret(&device.agreement)),
            "agreement_key": hex(alice.device.agreement().as_bytes()),
            "signature": {
                "label": "sealwire/1/sign/device-login",
                "message": hex(login),
                "signed": hex(signature_input(label::DEVICE_LOGIN, login)),
                "signature": hex(signature.as_bytes()),
            },
            "device_certificate": signed(alice.certificate.source(), &seed),
            "device_lists": [signed(&first_signed, &seed), signed(&second_signed, &seed)],
        }),
    );
}

#[test]
fn prekey_sets_are_as_written() {
    let bob = Person::new(2);
    let (prekeys, upload) =
        PrekeySecrets::generate(&bob.device, bob.address, 7, 5, NOW, &mut rng(20));
    let state = prekey_state(&prekeys);
    let one_time: Vec<Value> = upload
        .one_time
        .iter()
        .map(|prekey| {
            let secrets = &state.one_time[&prekey.index];
            let seed: [u8; 64] = *secrets.kem;
            assert_eq!(spec::kem_public(&seed), prekey.kem.as_bytes());
            assert_eq!(spec::public(&secret(&secrets.agreement)), *prekey.agreement.as_bytes());
            let leaf = leaf(prekey.index, prekey.agreement.as_bytes(), prekey.kem.as_bytes());
            json!({
                "index": prekey.index,
                "agreement_private": hex(secret(&secrets.agreement)),
                "kem_seed": hex(seed),
                "leaf_sha256": hex(spec::sha256(&[&[0][..], &leaf].concat())),
                "path": prekey.path.iter().map(|node| hex(node.as_bytes())).collect::<Vec<_>>(),
            })
        })
        .collect();
    let set = upload.set.clone().verify(&bob.device.key()).unwrap();
    check(
        "prekeys.json",
        &json!({
            "specification": "handshake.md §2",
            "device_key": hex(bob.device.key().as_bytes()),
            "signed_private": hex(secret(&state.signed)),
            "last_resort_seed": hex(&state.last_resort[..]),
            "one_time": one_time,
            "one_time_root": hex(set.one_time_root.as_bytes()),
            "prekey_set": signed(&upload.set, &device_state(&bob.device).signing),
        }),
    );
}

/// The bytes that were signed, and the signature made once more with nothing of ours.
fn signed<T: Signable>(object: &Unverified<T>, seed: &[u8; 32]) -> Value {
    let label = T::LABEL.as_bytes();
    let input = [&[u8::try_from(label.len()).unwrap()], label, object.signed_bytes()].concat();
    let key = SigningKey::from_bytes(seed);
    let signature = key.sign(&input).to_bytes();
    let signer = DeviceKey::from_bytes(key.verifying_key().to_bytes());
    assert!(object.clone().verify(&signer).is_ok());
    let encoded = to_bytes(object);
    assert!(encoded.ends_with(&signature));
    json!({
        "bytes": hex(object.signed_bytes()),
        "label": String::from_utf8(label.to_vec()).unwrap(),
        "signature": hex(signature),
        "digest": hex(spec::sha256(object.signed_bytes())),
        "cbor": hex(encoded),
    })
}

/// `{ 0: index, 1: agreement key, 2: KEM key }`
fn leaf(index: u16, agreement: &[u8], kem: &[u8]) -> Vec<u8> {
    assert!(index < 24);
    let index = u8::try_from(index).unwrap();
    [&[0xa3, 0, index, 1, 0x58, 32][..], agreement, &[2, 0x59, 0x06, 0x20], kem].concat()
}

fn identity_seed(person: &Person) -> [u8; 32] {
    let snapshot = person.keyring.identity().to_snapshot();
    let (version, seed): (u8, minicbor::bytes::ByteArray<32>) =
        minicbor::decode(&snapshot).unwrap();
    assert_eq!(version, 1);
    *seed
}
