//! Saying something later, or otherwise than first written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use chat_sdk::clock::Clock as _;
use chat_sdk::{Draft, Policy, Role, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{open_later, people, texts, with_file, within};

const HOUR: Duration = Duration::from_secs(3600);

on_both_stands! {
    what_is_scheduled_is_said_at_its_time,
    what_came_due_while_the_app_was_closed_is_said_when_it_opens,
    what_is_no_longer_allowed_is_kept_with_the_reason,
    a_message_that_was_not_sent_says_something_else,
}

async fn what_is_scheduled_is_said_at_its_time(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let noon = alice.clock.now().after(HOUR);

    let first = at_alice.schedule(Draft::text("it is noon"), noon).await.unwrap();
    let dropped = at_alice.schedule(Draft::text("never mind"), noon).await.unwrap();
    let moved = at_alice.schedule(Draft::text("it is one"), noon).await.unwrap();
    assert!(at_alice.reschedule(moved, noon.after(HOUR)).await.unwrap());
    assert!(at_alice.unschedule(dropped).await.unwrap());
    let waiting: Vec<_> = at_alice.scheduled().await.unwrap().iter().map(|s| s.id).collect();
    at_alice.send("soon").await.unwrap();
    assert_eq!(bob.hears().await, ["soon"]);
    alice.clock.advance(HOUR);
    alice.reaches(first, Status::Sent).await;
    alice.clock.advance(HOUR);

    assert_eq!(waiting, [first, moved]);
    assert_eq!(bob.hears().await, ["it is noon", "it is one"]);
    assert!(at_alice.scheduled().await.unwrap().is_empty());
}

async fn what_came_due_while_the_app_was_closed_is_said_when_it_opens(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let [mut bob] = people(relay, ["bob"]).await;
    let alice = with_file(relay, "alice", &path).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let noon = alice.clock.now().after(HOUR);
    let message = at_alice.schedule(Draft::text("it is noon"), noon).await.unwrap();

    alice.client.close().await.unwrap();
    let alice = open_later(relay, &path, HOUR).await;

    assert_eq!(bob.message().await.id, message);
    within(alice.client.flush()).await.unwrap();
    assert_eq!(texts(&alice.only_conversation().await).await, ["it is noon"]);
}

async fn what_is_no_longer_allowed_is_kept_with_the_reason(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let group = alice.client.create_group("Team", &["bob"]).await.unwrap();
    group.send("hello").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    let noon = bob.clock.now().after(HOUR);
    let message = at_bob.schedule(Draft::text("it is noon"), noon).await.unwrap();

    let quiet = Policy { post: chat_sdk::Allowed::Admins, ..Policy::DEFAULT };
    group.set_policy(quiet).await.unwrap();
    while at_bob.policy().await.unwrap() != quiet {
        bob.wait_for(|event| matches!(event, chat_sdk::Event::Membership { .. }).then_some(()))
            .await;
    }
    bob.clock.advance(HOUR);
    bob.reaches(message, Status::Failed).await;
    let kept = at_bob.scheduled().await.unwrap();
    group.set_role("bob", Role::Admin).await.unwrap();
    bob.wait_for(|event| matches!(event, chat_sdk::Event::Membership { .. }).then_some(())).await;
    at_bob.reschedule(message, noon).await.unwrap();
    bob.reaches(message, Status::Sent).await;

    assert_eq!(kept[0].failure.as_deref(), Some("forbidden"));
    assert_eq!(texts(&at_bob).await, ["hello", "it is noon"]);
}

async fn a_message_that_was_not_sent_says_something_else(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("first").await.unwrap();
    assert_eq!(bob.hears().await, ["first"]);
    within(alice.client.flush()).await.unwrap();
    alice.client.go_offline().await.unwrap();

    let message = at_alice.send("see you at non").await.unwrap();
    let edited = at_alice.edit(message, "see you at noon").await.unwrap();
    alice.client.go_online().await.unwrap();
    let heard = bob.message().await;

    assert_eq!((edited, heard.id), (message, message));
    assert_eq!((heard.text(), heard.edited_at), (Some("see you at noon"), None));
}
