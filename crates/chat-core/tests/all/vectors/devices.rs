//! Vectors of device lists: three versions, what may follow what, and what is no list.

use chat_core::codec::{Digest, List, from_bytes, to_bytes};
use chat_core::device::{AccountDevices, DeviceCertificate, DeviceList, PublishedDevices};
use chat_core::signed::{Unverified, VerifyError};
use chat_core::time::Timestamp;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::{check, hex, signed, spec, verify_error};
use crate::people::{NOON, Person};

const IDENTITY_SEED: [u8; 32] = [1; 32];

#[test]
fn device_lists_are_as_written() {
    let alice = Person::new(1);
    let lists = lists(&alice);
    let verified = lists
        .each_ref()
        .map(|published| AccountDevices::verify(alice.account, published.clone()).unwrap());
    let fork = alice.list(2, verified[0].list().digest(), &[1, 3], &[]);
    let unlinked = alice.list(2, Digest::of(b"elsewhere"), &[1, 2], &[]);
    let offered = [lists.to_vec(), vec![fork, unlinked]].concat();
    let successors: Vec<Value> = verified
        .iter()
        .flat_map(|held| offered.iter().enumerate().map(move |(place, new)| (held, place, new)))
        .map(|(held, place, new)| {
            let new = AccountDevices::verify(alice.account, new.clone()).unwrap();
            let verdict = held.check_successor(&new).map_or_else(verify_error, |()| "ok");
            json!({ "held": held.number() - 1, "offered": place, "verdict": verdict })
        })
        .collect();

    check(
        "devices.json",
        &json!({
            "specification": "identity.md §4",
            "account": hex(alice.account.as_bytes()),
            "identity_private": hex(IDENTITY_SEED),
            "identity_key": hex(alice.identity_key().as_bytes()),
            "published": offered.iter().map(shown).collect::<Vec<_>>(),
            "successors": successors,
            "refused": refused(&alice),
        }),
    );
}

/// One device, a second one, and the first one removed.
fn lists(alice: &Person) -> [PublishedDevices; 3] {
    let digest = |published: &PublishedDevices| published.list.digest();
    let first = alice.first_list(&[1]);
    let second = alice.list(2, digest(&first), &[1, 2], &[]);
    let later = Timestamp::from_millis(NOON.as_millis() + 60_000);
    let third = alice.list(3, digest(&second), &[2], &[(1, later)]);
    [first, second, third]
}

fn shown(published: &PublishedDevices) -> Value {
    let identity = SigningKey::from_bytes(&IDENTITY_SEED);
    let list: DeviceList = from_bytes(published.list.signed_bytes()).unwrap();
    let certificates = published.certificates.iter().map(|certificate| {
        let read: DeviceCertificate = from_bytes(certificate.signed_bytes()).unwrap();
        signed(certificate, &spec::certificate(&read), &identity)
    });
    json!({
        "list": signed(&published.list, &spec::list(&list), &identity),
        "certificates": certificates.collect::<Vec<_>>(),
        "cbor": hex(to_bytes(published)),
    })
}

/// What a relay could try.
fn refused(alice: &Person) -> Vec<Value> {
    let mallory = Person::new(66);
    let both = alice.first_list(&[1, 2]);
    let with = |certificates: Vec<Unverified<DeviceCertificate>>| PublishedDevices {
        certificates: List::new(certificates).unwrap(),
        ..alice.first_list(&[1])
    };
    let eleven: Vec<u8> = (1..=11).collect();
    let cases = [
        ("a certificate that the list does not name", with(both.certificates.clone().into_vec())),
        ("a device without its certificate", with(Vec::new())),
        ("a certificate of another device", with(vec![alice.certificate(2)])),
        ("a certificate that somebody else signed", with(vec![mallory.certificate(1)])),
        ("a device named twice", alice.first_list(&[1, 1])),
        ("eleven active devices", alice.first_list(&eleven)),
        (
            "a list that somebody else signed",
            PublishedDevices { identity_key: alice.identity_key(), ..mallory.first_list(&[1]) },
        ),
        ("another account's list", mallory.first_list(&[1])),
    ];
    cases
        .into_iter()
        .map(|(title, published)| {
            let error: VerifyError =
                AccountDevices::verify(alice.account, published.clone()).unwrap_err();
            let cbor = hex(to_bytes(&published));
            json!({ "title": title, "cbor": cbor, "error": verify_error(error) })
        })
        .collect()
}
