//! Accounts with several devices: each hears what is said, and a removed one nothing more.

#![allow(clippy::unwrap_used)]

use chat_sdk::{ConnectionState, Event, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{another_device, people, texts, within};

on_both_stands! {
    every_device_hears_what_is_said_to_and_by_its_account,
    a_device_that_is_added_later_hears_what_is_said_from_then_on,
    a_message_sealed_for_too_few_devices_is_sealed_again,
    a_removed_device_hears_nothing_more,
    what_is_seen_on_one_device_is_seen_by_the_account,
}

async fn every_device_hears_what_is_said_to_and_by_its_account(relay: &Stand) {
    let [phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let mut laptop = another_device(relay, "alice").await;
    let at_phone = phone.client.direct("bob").await.unwrap();

    at_phone.send("from the phone").await.unwrap();
    let own = laptop.message().await;
    assert_eq!(bob.hears().await, ["from the phone"]);
    bob.only_conversation().await.send("to both").await.unwrap();

    assert!(own.outgoing);
    assert_eq!(own.text(), Some("from the phone"));
    assert_eq!(laptop.hears().await, ["to both"]);
    let at_laptop = laptop.client.direct("bob").await.unwrap();
    assert_eq!(at_laptop.id(), at_phone.id());
    at_laptop.send("from the laptop").await.unwrap();
    assert_eq!(bob.hears().await, ["from the laptop"]);
    assert_eq!((laptop.warnings, bob.warnings), (vec![], vec![]));
}

async fn a_device_that_is_added_later_hears_what_is_said_from_then_on(relay: &Stand) {
    let [mut phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    at_bob.send("before the laptop").await.unwrap();
    assert_eq!(phone.hears().await, ["before the laptop"]);

    let mut laptop = another_device(relay, "alice").await;
    let at_laptop = laptop.only_conversation().await;
    let message = at_bob.send("after").await.unwrap();

    assert_eq!(laptop.hears().await, ["after"]);
    assert_eq!(phone.hears().await, ["after"]);
    assert_eq!(texts(&at_laptop).await, ["after"]);
    bob.reaches(message, Status::Delivered).await;
    assert_eq!((laptop.warnings, phone.warnings), (vec![], vec![]));
}

async fn a_message_sealed_for_too_few_devices_is_sealed_again(relay: &Stand) {
    let [mut phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    at_bob.send("one device").await.unwrap();
    assert_eq!(phone.hears().await, ["one device"]);
    bob.client.go_offline().await.unwrap();
    let mut laptop = another_device(relay, "alice").await;

    let message = at_bob.send("two devices").await.unwrap();
    bob.client.go_online().await.unwrap();

    assert_eq!(phone.hears().await, ["two devices"]);
    assert_eq!(laptop.message().await.id, message);
    bob.reaches(message, Status::Sent).await;
}

async fn a_removed_device_hears_nothing_more(relay: &Stand) {
    let [mut phone, bob] = people(relay, ["alice", "bob"]).await;
    let mut laptop = another_device(relay, "alice").await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    at_bob.send("to both").await.unwrap();
    assert_eq!(laptop.hears().await, ["to both"]);

    phone.client.remove_device(laptop.client.device()).await.unwrap();
    laptop
        .wait_for(|event| {
            matches!(event, Event::Connection(ConnectionState::LoggedOut)).then_some(())
        })
        .await;
    at_bob.send("to the phone only").await.unwrap();
    within(bob.client.flush()).await.unwrap();

    assert_eq!(phone.hears().await, ["to both", "to the phone only"]);
    laptop.client.go_online().await.unwrap();
    laptop
        .wait_for(|event| {
            matches!(event, Event::Connection(ConnectionState::LoggedOut)).then_some(())
        })
        .await;
    assert_eq!(texts(&laptop.only_conversation().await).await, ["to both"]);
}

async fn what_is_seen_on_one_device_is_seen_by_the_account(relay: &Stand) {
    let [mut alice, _phone] = people(relay, ["alice", "bob"]).await;
    let mut laptop = another_device(relay, "bob").await;
    let chat = alice.client.direct("bob").await.unwrap();

    let message = chat.send("read me somewhere").await.unwrap();
    laptop.message().await;
    laptop.only_conversation().await.mark_seen().await.unwrap();

    alice.reaches(message, Status::Seen).await;
}
