//! Who people are in their own words, and what conversations are about.

#![allow(clippy::unwrap_used)]

use chat_sdk::Event;
use chat_sdk::content::Profile;
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, another_device, people};

on_both_stands! {
    a_profile_is_read_by_those_one_talks_to_and_nobody_else,
    a_profile_is_the_same_on_all_devices,
    a_group_has_a_description_that_its_members_read,
}

async fn a_profile_is_read_by_those_one_talks_to_and_nobody_else(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    alice.client.set_profile(named("Alice A.")).await.unwrap();
    let account = alice.client.account();
    let at_alice = alice.client.direct("bob").await.unwrap();
    let with_carol = carol.client.direct("alice").await.unwrap();
    with_carol.send("who are you?").await.unwrap();

    at_alice.send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
    let at_bob = bob.client.profile_of(account).await.unwrap();
    let at_carol = carol.client.profile_of(account).await.unwrap();
    alice.client.set_profile(named("Alice B.")).await.unwrap();
    bob.hears_of(account).await;
    let changed = bob.client.profile_of(account).await.unwrap();

    assert_eq!(at_bob, Some(named("Alice A.")));
    assert_eq!(changed, Some(named("Alice B.")));
    assert_eq!(at_carol, None);
    let with_alice = alice.client.direct("carol").await.unwrap();
    with_alice.send("it is me").await.unwrap();
    assert_eq!(carol.hears().await, ["it is me"]);
    assert_eq!(carol.client.profile_of(account).await.unwrap(), Some(named("Alice B.")));
    assert_eq!(bob.only_conversation().await.unseen().await.unwrap().messages, 1);
    assert_eq!((bob.warnings, carol.warnings), (vec![], vec![]));
}

async fn a_profile_is_the_same_on_all_devices(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let mut tablet = another_device(relay, "alice").await;

    alice.client.set_profile(named("Alice A.")).await.unwrap();
    tablet.hears_of(alice.client.account()).await;

    assert_eq!(tablet.client.profile().await.unwrap(), named("Alice A."));
    let none = alice.client.set_profile(named(&"x".repeat(1_000))).await.unwrap_err();
    assert_eq!(none.code(), "too_large");
}

async fn a_group_has_a_description_that_its_members_read(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let group = alice.client.create_group("Team", &["bob"]).await.unwrap();

    group.describe("Everything about the harbour").await.unwrap();
    group.set_icon(Some(vec![1, 2, 3])).await.unwrap();
    group.send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);

    let at_bob = bob.only_conversation().await;
    let details = at_bob.details().await.unwrap();
    assert_eq!(details.description.as_deref(), Some("Everything about the harbour"));
    assert_eq!(details.picture, Some(vec![1, 2, 3]));
    assert_eq!(group.details().await.unwrap(), details);
    let direct = bob.client.direct("alice").await.unwrap();
    assert_eq!(direct.describe("us").await.unwrap_err().code(), "forbidden");
}

fn named(name: &str) -> Profile {
    Profile { name: Some(name.to_owned()), ..Profile::default() }
}

impl Person {
    /// Waits until somebody says something else of themselves.
    async fn hears_of(&mut self, account: chat_core::id::AccountId) {
        self.wait_for(|event| match event {
            Event::Profile { account: of } => (*of == account).then_some(()),
            _ => None,
        })
        .await;
    }
}
