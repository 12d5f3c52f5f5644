//! What brings an account back, and keys that are replaced.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chat_crypto::recovery::RecoveryPhrase;
use chat_sdk::credentials::ROTATE_AFTER;
use chat_sdk::{Client, ConnectionState, Event, Policy, Registered};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::people::{CHEAP, PASSWORD, Person, another_device, builder, clock, people, within};

on_both_stands! {
    the_phrase_brings_an_account_back_without_password_and_device,
    another_phrase_or_name_gets_nothing_and_learns_nothing,
    another_password_opens_and_the_old_one_does_not,
    another_phrase_opens_and_the_old_one_does_not,
    a_device_that_does_not_have_the_new_lock_asks_for_the_password,
    a_new_password_is_typed_once_and_the_other_devices_are_handed_the_lock,
    rotated_keys_reach_the_other_devices,
    what_is_sealed_for_rotated_keys_is_read_by_a_device_that_was_not_told,
    keys_are_rotated_after_ninety_days,
}

const ANOTHER: &str = "another correct horse";

async fn the_phrase_brings_an_account_back_without_password_and_device(relay: &Stand) {
    let Registered { client: lost, recovery_phrase } = registered(relay, "alice").await;
    let [mut bob] = people(relay, ["bob"]).await;
    let account = lost.account();
    lost.close().await.unwrap();
    let typed = RecoveryPhrase::parse(&recovery_phrase.words().to_uppercase()).unwrap();

    let clock = clock();
    let found = builder(relay.node(1).url(), &clock).in_memory().recover("alice", &typed).await;
    let found = Person::of(found.unwrap(), clock).await;
    found.client.change_password(ANOTHER, CHEAP).await.unwrap();

    assert_eq!((found.client.account(), found.client.username()), (account, "alice"));
    found.client.direct("bob").await.unwrap().send("I am back").await.unwrap();
    assert_eq!(bob.hears().await, ["I am back"]);
    assert_eq!(bob.warnings, [], "it is the same identity");
    log_in(relay, "alice", ANOTHER).await.unwrap();
    assert_eq!(log_in(relay, "alice", PASSWORD).await.unwrap_err(), "wrong_password");
}

async fn another_phrase_or_name_gets_nothing_and_learns_nothing(relay: &Stand) {
    let alice = registered(relay, "alice").await;
    let bob = registered(relay, "bob").await;

    for (name, phrase) in [
        ("alice", &bob.recovery_phrase),
        ("nobody", &alice.recovery_phrase),
        ("?", &bob.recovery_phrase),
    ] {
        assert_eq!(recover(relay, name, phrase).await.unwrap_err(), "wrong_password");
    }
    assert_eq!(alice.client.devices().await.unwrap().len(), 1);
}

async fn another_password_opens_and_the_old_one_does_not(relay: &Stand) {
    let Registered { client: alice, recovery_phrase } = registered(relay, "alice").await;

    alice.change_password(ANOTHER, CHEAP).await.unwrap();

    assert_eq!(log_in(relay, "alice", PASSWORD).await.unwrap_err(), "wrong_password");
    assert_eq!(log_in(relay, "alice", ANOTHER).await.unwrap(), alice.account());
    assert_eq!(recover(relay, "alice", &recovery_phrase).await.unwrap(), alice.account());
    let empty = alice.change_password("", CHEAP).await;
    assert_eq!(empty.unwrap_err().code(), "argument_invalid");
}

async fn another_phrase_opens_and_the_old_one_does_not(relay: &Stand) {
    let Registered { client: alice, recovery_phrase: old } = registered(relay, "alice").await;

    let new = alice.renew_recovery_phrase().await.unwrap();

    assert_eq!(recover(relay, "alice", &old).await.unwrap_err(), "wrong_password");
    assert_eq!(recover(relay, "alice", &new).await.unwrap(), alice.account());
    assert_eq!(log_in(relay, "alice", PASSWORD).await.unwrap(), alice.account());
}

async fn a_device_that_does_not_have_the_new_lock_asks_for_the_password(relay: &Stand) {
    let phone = registered(relay, "alice").await.client;
    let laptop = another_device(relay, "alice").await.client;
    laptop.go_offline().await.unwrap();
    phone.change_password(ANOTHER, CHEAP).await.unwrap();

    let locked = laptop.rotate_keys().await;
    let wrong = laptop.unlock_with_password(PASSWORD, CHEAP).await;
    laptop.unlock_with_password(ANOTHER, CHEAP).await.unwrap();
    let epoch = laptop.rotate_keys().await.unwrap();

    assert_eq!(locked.unwrap_err().code(), "keyring_locked");
    assert_eq!(wrong.unwrap_err().code(), "wrong_password");
    assert_eq!(epoch, 2);
    assert_eq!(phone.rotate_keys().await.unwrap(), 3, "it follows by the lock that it has");
}

async fn a_new_password_is_typed_once_and_the_other_devices_are_handed_the_lock(relay: &Stand) {
    let phone = registered(relay, "alice").await.client;
    let mut laptop = another_device(relay, "alice").await;

    phone.change_password(ANOTHER, CHEAP).await.unwrap();
    laptop.wait_for(|event| matches!(event, Event::KeyringRenewed).then_some(())).await;
    let after_the_password = laptop.client.rotate_keys().await.unwrap();
    phone.renew_recovery_phrase().await.unwrap();
    laptop.wait_for(|event| matches!(event, Event::KeyringRenewed).then_some(())).await;
    let after_the_phrase = laptop.client.rotate_keys().await.unwrap();

    assert_eq!((after_the_password, after_the_phrase), (2, 3), "nobody was asked");
    assert_eq!(log_in(relay, "alice", ANOTHER).await.unwrap(), phone.account());
}

async fn rotated_keys_reach_the_other_devices(relay: &Stand) {
    let phone = registered(relay, "alice").await.client;
    let laptop = another_device(relay, "alice").await.client;

    let epochs = [
        phone.rotate_keys().await.unwrap(),
        laptop.rotate_keys().await.unwrap(),
        phone.rotate_keys().await.unwrap(),
    ];
    let late = another_device(relay, "alice").await.client;

    assert_eq!(epochs, [2, 3, 4]);
    assert_eq!(late.rotate_keys().await.unwrap(), 5);
}

async fn what_is_sealed_for_rotated_keys_is_read_by_a_device_that_was_not_told(relay: &Stand) {
    let phone = registered(relay, "alice").await.client;
    let mut laptop = another_device(relay, "alice").await;

    phone.rotate_keys().await.unwrap();
    let [carol] = people(relay, ["carol"]).await;
    let rules = Policy::CHANNEL;
    let channel = carol.client.create_channel("News", &["alice"], rules).await.unwrap();
    channel.send("for the new keys").await.unwrap();

    assert_eq!(laptop.hears().await, ["for the new keys"]);
    assert_eq!(laptop.warnings, []);
}

async fn keys_are_rotated_after_ninety_days(relay: &Stand) {
    let clock = clock();
    let url = relay.node(0).url();
    let registered = builder(url, &clock).in_memory().register("alice", PASSWORD).await.unwrap();
    let mut alice = Person::of(registered.client, clock).await;

    alice.clock.advance(ROTATE_AFTER - Duration::from_secs(60));
    reconnect(&mut alice).await;
    assert_eq!(alice.client.rotate_keys().await.unwrap(), 2, "not rotated before it was time");
    alice.clock.advance(ROTATE_AFTER);
    reconnect(&mut alice).await;
    assert_eq!(alice.client.rotate_keys().await.unwrap(), 4, "rotated once by the clock");
    alice.client.rotate_keys_every(Duration::from_secs(3 * 24 * 3600)).await.unwrap();
    alice.clock.advance(Duration::from_secs(3 * 24 * 3600));
    reconnect(&mut alice).await;

    assert_eq!(alice.client.rotate_keys().await.unwrap(), 6);
}

/// Ends when what is due with a connection was done: nothing is caught up before.
async fn reconnect(person: &mut Person) {
    person.client.go_offline().await.unwrap();
    person.client.go_online().await.unwrap();
    within(person.client.sync()).await.unwrap();
    let is_up = |event: &Event| {
        matches!(event, Event::Connection(ConnectionState::Connected)).then_some(())
    };
    person.wait_for(is_up).await;
}

async fn registered(relay: &Stand, name: &str) -> Registered {
    let builder = builder(relay.node(0).url(), &clock()).in_memory();
    builder.register(name, PASSWORD).await.unwrap()
}

type Outcome = Result<chat_core::id::AccountId, &'static str>;

async fn recover(relay: &Stand, name: &str, phrase: &RecoveryPhrase) -> Outcome {
    outcome(builder(relay.node(1).url(), &clock()).in_memory().recover(name, phrase).await)
}

async fn log_in(relay: &Stand, name: &str, password: &str) -> Outcome {
    outcome(builder(relay.node(1).url(), &clock()).in_memory().login(name, password).await)
}

fn outcome(client: chat_sdk::Result<Client>) -> Outcome {
    client.map(|client| client.account()).map_err(|error| error.code())
}
