//! Who is there, as far as they want others to know.

#![allow(clippy::unwrap_used)]

use chat_sdk::{Availability, Event, Presence, PresenceState};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, open, people, with_file};

on_both_stands! {
    who_follows_somebody_sees_what_they_say_of_themselves,
    who_hides_stays_hidden_when_the_app_is_opened_again,
    strangers_are_not_told,
}

async fn who_follows_somebody_sees_what_they_say_of_themselves(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    bob.message().await;

    bob.client.follow_presence([alice.client.account()]).unwrap();
    let mut seen = vec![bob.is_told().await];
    for availability in [Availability::Busy, Availability::Hidden, Availability::Away] {
        alice.client.set_presence(availability).await.unwrap();
        seen.push(bob.is_told().await);
    }

    let states: Vec<_> = seen.iter().map(|presence| presence.state).collect();
    let expected =
        [PresenceState::Online, PresenceState::Busy, PresenceState::Offline, PresenceState::Away];
    assert_eq!(states, expected);
    assert!(seen.iter().all(|presence| presence.account == alice.client.account()));
    assert!(seen.iter().all(|presence| presence.last_seen.is_none()));
}

async fn who_hides_stays_hidden_when_the_app_is_opened_again(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let [mut alice] = people(relay, ["alice"]).await;
    let mut bob = with_file(relay, "bob", &path).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    bob.message().await;
    alice.client.follow_presence([bob.client.account()]).unwrap();
    let mut seen = vec![alice.is_told().await.state];

    bob.client.set_presence(Availability::Hidden).await.unwrap();
    seen.push(alice.is_told().await.state);
    bob.client.close().await.unwrap();
    let bob = open(relay, &path).await;
    bob.client.sync().await.unwrap();
    bob.client.set_presence(Availability::Away).await.unwrap();
    seen.push(alice.is_told().await.state);

    assert_eq!(seen, [PresenceState::Online, PresenceState::Offline, PresenceState::Away]);
}

async fn strangers_are_not_told(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("hello").await.unwrap();
    bob.message().await;
    let with_carol = bob.client.direct("carol").await.unwrap();
    with_carol.send("hello").await.unwrap();
    carol.message().await;

    carol.client.follow_presence([alice.client.account(), bob.client.account()]).unwrap();
    let first = carol.is_told().await;
    alice.client.set_presence(Availability::Busy).await.unwrap();
    bob.client.set_presence(Availability::Busy).await.unwrap();
    let second = carol.is_told().await;

    assert_eq!((first.account, second.account), (bob.client.account(), bob.client.account()));
    assert_eq!(second.state, PresenceState::Busy);
}

impl Person {
    /// Waits until the relay tells of somebody's presence.
    async fn is_told(&mut self) -> Presence {
        self.wait_for(|event| match event {
            Event::Presence(presence) => Some(*presence),
            _ => None,
        })
        .await
    }
}
