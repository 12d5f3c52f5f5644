//! A device is removed: it is out, what it had opens nothing that comes, and the others go on.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use chat_core::api::account::Keyring;
use chat_crypto::keyring::{KeyringError, KeyringLock};
use chat_sdk::store::{Place, Store, account};
use chat_sdk::transport::{Method, Request, Transport as _};
use chat_sdk::{Client, Event, Policy, StoreKey};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::meddling::Meddling;
use crate::people::{PASSWORD, Person, another_device, builder, clock, people, within};

on_both_stands! {
    what_a_removed_device_had_opens_nothing_that_comes,
    the_devices_that_stay_are_handed_the_new_lock,
    a_renewal_whose_answer_was_lost_is_made_up_for,
}

const KEY: [u8; 32] = [7; 32];
const KEYRING: &str = "/v1/account/keyring";

async fn what_a_removed_device_had_opens_nothing_that_comes(relay: &Stand) {
    let [phone] = people(relay, ["alice"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tablet.store");
    let tablet = builder(relay.node(1).url(), &clock()).store(&path, StoreKey::from_bytes(KEY));
    let tablet = tablet.login("alice", PASSWORD).await.unwrap();
    let removed = tablet.device();
    tablet.close().await.unwrap();
    let mut stolen = lock_in(&path).await;
    let (line, laptop) = over_a_line(relay).await;
    let before = served(&line, &laptop).await;
    stolen.open(&before.sealed, laptop.account(), before.number).unwrap();

    phone.client.remove_device(removed).await.unwrap();
    let after = served(&line, &laptop).await;

    let opened = stolen.open(&after.sealed, laptop.account(), after.number);
    assert_eq!(opened.map(drop), Err(KeyringError::NotAuthentic));
    assert_eq!(after.number, before.number + 1);
    another_device(relay, "alice").await;
}

async fn the_devices_that_stay_are_handed_the_new_lock(relay: &Stand) {
    let [phone, bob] = people(relay, ["alice", "bob"]).await;
    let mut laptop = another_device(relay, "alice").await;
    let mut away = another_device(relay, "alice").await;
    let tablet = another_device(relay, "alice").await;
    away.client.go_offline().await.unwrap();

    phone.client.remove_device(tablet.client.device()).await.unwrap();
    laptop.wait_for(renewed).await;
    away.client.go_online().await.unwrap();
    away.wait_for(renewed).await;

    let epochs = [
        laptop.client.rotate_keys().await.unwrap(),
        away.client.rotate_keys().await.unwrap(),
        phone.client.rotate_keys().await.unwrap(),
    ];
    assert_eq!(epochs, [3, 4, 5], "the second came with the removal, and nobody was asked");
    bob.client.create_channel("News", &["alice"], Policy::CHANNEL).await.unwrap();
    let at_bob = bob.only_conversation().await;
    at_bob.send("to all that stay").await.unwrap();
    assert_eq!(laptop.hears().await, ["to all that stay"]);
    assert_eq!(away.hears().await, ["to all that stay"]);
    assert_eq!((laptop.warnings, away.warnings), (vec![], vec![]));
}

async fn a_renewal_whose_answer_was_lost_is_made_up_for(relay: &Stand) {
    let [mut laptop] = people(relay, ["alice"]).await;
    let tablet = another_device(relay, "alice").await;
    let (line, phone) = over_a_line(relay).await;
    line.lose_answers(|request| request.path == KEYRING && request.method == Method::Put);

    phone.remove_device(tablet.client.device()).await.unwrap();
    line.stop();
    phone.go_offline().await.unwrap();
    phone.go_online().await.unwrap();
    laptop.wait_for(renewed).await;

    assert_eq!(laptop.client.rotate_keys().await.unwrap(), 4, "two came with the removal");
    assert_eq!(phone.rotate_keys().await.unwrap(), 5);
}

fn renewed(event: &Event) -> Option<()> {
    matches!(event, Event::KeyringRenewed).then_some(())
}

/// What lies in the store of a device that somebody has, and can open.
async fn lock_in(path: &Path) -> KeyringLock {
    let place = Place::File { path: path.to_owned(), key: StoreKey::from_bytes(KEY) };
    let store = Store::open(place).await.unwrap();
    let row = store.read(account::load).await.unwrap();
    KeyringLock::from_snapshot(row.keyring_lock.as_bytes()).unwrap()
}

/// The sealed keyring, as the relay serves it.
async fn served(line: &Meddling, client: &Client) -> Keyring {
    let token = line.token_of(client).await;
    let request = Request { method: Method::Get, path: KEYRING.into(), body: None, token };
    serde_json::from_slice(&line.request(request).await.unwrap().body).unwrap()
}

async fn over_a_line(relay: &Stand) -> (Arc<Meddling>, Client) {
    let line = Meddling::at(relay.node(0).url());
    let clock = clock();
    let builder = builder(relay.node(0).url(), &clock).transport(line.clone()).in_memory();
    let client = builder.login("alice", PASSWORD).await.unwrap();
    let Person { client, .. } = within(Person::of(client, clock)).await;
    (line, client)
}
