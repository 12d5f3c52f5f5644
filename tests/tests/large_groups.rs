//! Large groups, whose messages go out on sender chains. Here "large" begins with the third device.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chat_sdk::{Authenticity, Client, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::people::{CHEAP, PASSWORD, Person, clock, texts, within};

on_both_stands! {
    a_large_group_hears_each_other_on_chains,
    a_new_member_is_handed_the_chain_as_it_is,
    who_was_removed_holds_no_later_chain,
    a_new_device_is_handed_a_new_chain,
    a_worn_chain_is_replaced_without_a_gap,
    who_was_offline_is_handed_the_chain_in_order,
}

async fn a_large_group_hears_each_other_on_chains(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let mut alice = alice;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();

    for text in ["one", "two", "three"] {
        group.send(text).await.unwrap();
    }
    assert_eq!(bob.hears().await, ["one", "two", "three"]);
    assert_eq!(carol.hears().await, ["one", "two", "three"]);
    let answer = bob.only_conversation().await.send("four").await.unwrap();

    let heard = alice.message().await;
    assert_eq!((heard.id, heard.text()), (answer, Some("four")));
    assert_eq!(heard.authenticity, Authenticity::Deniable);
    assert_eq!(carol.hears().await, ["four"]);
    bob.reaches(answer, Status::Delivered).await;
    assert_eq!(texts(&group).await, ["one", "two", "three", "four"]);
    for person in [alice, bob, carol] {
        assert_eq!(person.warnings, []);
    }
}

async fn a_new_member_is_handed_the_chain_as_it_is(relay: &Stand) {
    let [alice, mut bob, mut carol, mut dave] =
        people(relay, ["alice", "bob", "carol", "dave"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("before dave").await.unwrap();
    assert_eq!(bob.hears().await, ["before dave"]);

    group.add("dave").await.unwrap();
    group.send("hello dave").await.unwrap();

    assert_eq!(dave.hears().await, ["hello dave"]);
    assert_eq!(bob.hears().await, ["hello dave"]);
    assert_eq!(carol.hears().await, ["before dave", "hello dave"]);
    assert_eq!(texts(&dave.only_conversation().await).await, ["hello dave"]);
    for person in [bob, carol, dave] {
        assert_eq!(person.warnings, []);
    }
}

async fn who_was_removed_holds_no_later_chain(relay: &Stand) {
    let [alice, mut bob, mut carol, mut dave] =
        people(relay, ["alice", "bob", "carol", "dave"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol", "dave"]).await.unwrap();
    group.send("all of us").await.unwrap();
    assert_eq!(dave.hears().await, ["all of us"]);

    group.remove("dave").await.unwrap();
    dave.learns_of_its_removal().await;
    group.send("without dave").await.unwrap();

    assert_eq!(bob.hears().await, ["all of us", "without dave"]);
    assert_eq!(carol.hears().await, ["all of us", "without dave"]);
    dave.client.go_offline().await.unwrap();
    dave.client.go_online().await.unwrap();
    within(dave.client.sync()).await.unwrap();
    assert_eq!(texts(&dave.only_conversation().await).await, ["all of us"]);
    assert_eq!((bob.warnings, carol.warnings), (vec![], vec![]));
}

async fn a_new_device_is_handed_a_new_chain(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("to three devices").await.unwrap();
    assert_eq!(bob.hears().await, ["to three devices"]);
    assert_eq!(carol.hears().await, ["to three devices"]);

    let mut tablet = another_device(relay, "bob").await;
    group.send("to four").await.unwrap();

    assert_eq!(tablet.hears().await, ["to four"]);
    assert_eq!(bob.hears().await, ["to four"]);
    assert_eq!(carol.hears().await, ["to four"]);
    tablet.only_conversation().await.send("from the tablet").await.unwrap();
    assert_eq!(carol.hears().await, ["from the tablet"]);
    for person in [bob, carol, tablet] {
        assert_eq!(person.warnings, []);
    }
}

async fn a_worn_chain_is_replaced_without_a_gap(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("today").await.unwrap();
    assert_eq!(bob.hears().await, ["today"]);
    assert_eq!(carol.hears().await, ["today"]);

    for person in [&alice, &bob, &carol] {
        person.clock.advance(Duration::from_secs(25 * 3600));
    }
    group.send("tomorrow").await.unwrap();

    assert_eq!(bob.hears().await, ["tomorrow"]);
    assert_eq!(carol.hears().await, ["tomorrow"]);
    for person in [alice, bob, carol] {
        assert_eq!(person.warnings, []);
    }
}

async fn who_was_offline_is_handed_the_chain_in_order(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    carol.client.go_offline().await.unwrap();

    group.send("while carol is away").await.unwrap();
    group.send("and more").await.unwrap();
    assert_eq!(bob.hears().await, ["while carol is away", "and more"]);
    carol.client.go_online().await.unwrap();

    assert_eq!(carol.hears().await, ["while carol is away", "and more"]);
    carol.client.go_offline().await.unwrap();
    carol.client.go_online().await.unwrap();
    within(carol.client.sync()).await.unwrap();
    assert_eq!(carol.warnings, []);
}

/// People for whom two other devices are many.
async fn people<const N: usize>(relay: &Stand, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let clock = clock();
        let builder = builder(relay.node(number).url(), &clock);
        let registered = builder.in_memory().register(name, PASSWORD).await.unwrap();
        people.push(Person::of(registered.client, clock).await);
    }
    people.try_into().ok().unwrap()
}

async fn another_device(relay: &Stand, name: &str) -> Person {
    let clock = clock();
    let builder = builder(relay.node(1).url(), &clock);
    let client = builder.in_memory().login(name, PASSWORD).await.unwrap();
    Person::of(client, clock).await
}

fn builder(url: &str, clock: &chat_sdk::ManualClock) -> chat_sdk::ClientBuilder {
    Client::builder(url)
        .clock(Arc::new(clock.clone()))
        .password_hardening(CHEAP)
        .sessions_a_message_max(1)
}
