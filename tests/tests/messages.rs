//! Messages between two people: there and back, in order, once, with what became of them.

#![allow(clippy::unwrap_used)]

use chat_sdk::{Authenticity, Page, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{open, people, texts, with_file, within};

on_both_stands! {
    two_people_talk_both_ways,
    a_message_is_sent_then_delivered_then_seen,
    who_was_offline_hears_everything_in_order,
    what_was_said_offline_is_sent_later_in_order,
    a_hundred_messages_both_ways_at_once_arrive_once_and_in_order,
    a_client_that_starts_again_goes_on_where_it_was,
    a_closed_client_says_so,
    nobody_talks_to_themselves_or_to_nobody,
}

async fn two_people_talk_both_ways(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;

    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("hello").await.unwrap();
    let heard = bob.message().await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    at_bob.send("hello yourself").await.unwrap();

    assert_eq!(heard.text(), Some("hello"));
    assert_eq!(heard.sender.username, "alice");
    assert_eq!(heard.authenticity, Authenticity::Deniable);
    assert!(!heard.outgoing);
    assert_eq!(alice.hears().await, ["hello yourself"]);
    assert_eq!(at_bob.id(), at_alice.id());
    assert_eq!(texts(&at_alice).await, ["hello", "hello yourself"]);
    assert_eq!(texts(&at_bob).await, ["hello", "hello yourself"]);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
}

async fn a_message_is_sent_then_delivered_then_seen(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();

    let message = at_alice.send("hello").await.unwrap();
    let queued = at_alice.message(message).await.unwrap().unwrap();
    alice.reaches(message, Status::Sent).await;
    alice.reaches(message, Status::Delivered).await;
    bob.message().await;
    bob.only_conversation().await.mark_seen().await.unwrap();
    alice.reaches(message, Status::Seen).await;

    assert!(queued.status <= Status::Delivered);
    let seen = at_alice.message(message).await.unwrap().unwrap();
    assert_eq!((seen.status, seen.sequence), (Status::Seen, Some(1)));
}

async fn who_was_offline_hears_everything_in_order(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("one").await.unwrap();
    assert_eq!(bob.hears().await, ["one"]);

    bob.client.go_offline().await.unwrap();
    for text in ["two", "three", "four"] {
        at_alice.send(text).await.unwrap();
    }
    within(alice.client.flush()).await.unwrap();
    bob.client.go_online().await.unwrap();

    assert_eq!(bob.hears().await, ["two", "three", "four"]);
    let at_bob = bob.only_conversation().await;
    assert_eq!(texts(&at_bob).await, ["one", "two", "three", "four"]);
    let last = at_alice.messages(Page::latest(1)).await.unwrap().remove(0);
    alice.reaches(last.id, Status::Delivered).await;
    assert!(bob.warnings.is_empty());
}

async fn what_was_said_offline_is_sent_later_in_order(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();

    alice.client.go_offline().await.unwrap();
    for text in ["one", "two", "three"] {
        at_alice.send(text).await.unwrap();
    }
    let waiting = at_alice.messages(Page::latest(10)).await.unwrap();
    alice.client.go_online().await.unwrap();

    assert!(waiting.iter().all(|message| message.status == Status::Queued));
    assert_eq!(bob.hears().await, ["one", "two", "three"]);
}

async fn a_hundred_messages_both_ways_at_once_arrive_once_and_in_order(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let at_bob = bob.client.direct("alice").await.unwrap();

    for number in 0..50 {
        at_alice.send(format!("a{number}")).await.unwrap();
        at_bob.send(format!("b{number}")).await.unwrap();
    }
    let at_bob_heard: [String; 50] = bob.hears().await;
    let at_alice_heard: [String; 50] = alice.hears().await;

    let numbered = |who: &str| (0..50).map(|n| format!("{who}{n}")).collect::<Vec<_>>();
    assert_eq!(at_bob_heard.to_vec(), numbered("a"));
    assert_eq!(at_alice_heard.to_vec(), numbered("b"));
    within(alice.client.flush()).await.unwrap();
    within(bob.client.flush()).await.unwrap();
    assert_eq!(texts(&at_alice).await, texts(&at_bob).await);
    assert!(alice.warnings.is_empty() && bob.warnings.is_empty());
}

async fn a_client_that_starts_again_goes_on_where_it_was(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let [mut bob] = people(relay, ["bob"]).await;
    let alice = with_file(relay, "alice", &path).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("before").await.unwrap();
    assert_eq!(bob.hears().await, ["before"]);
    alice.client.go_offline().await.unwrap();
    chat.send("queued before the end").await.unwrap();
    alice.client.close().await.unwrap();

    let mut alice = open(relay, &path).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("after").await.unwrap();

    assert_eq!(bob.hears().await, ["queued before the end", "after"]);
    bob.only_conversation().await.send("welcome back").await.unwrap();
    assert_eq!(alice.hears().await, ["welcome back"]);
    assert!(alice.warnings.is_empty() && bob.warnings.is_empty());
}

async fn a_closed_client_says_so(relay: &Stand) {
    let [mut alice] = people(relay, ["alice"]).await;

    alice.client.close().await.unwrap();

    assert_eq!(alice.client.conversations().await.unwrap_err().code(), "closed");
    assert_eq!(alice.client.go_online().await.unwrap_err().code(), "closed");
    while alice.events.next().await.is_some() {}
}

async fn nobody_talks_to_themselves_or_to_nobody(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;

    assert_eq!(alice.client.direct("alice").await.unwrap_err().code(), "argument_invalid");
    assert_eq!(alice.client.direct("nobody").await.unwrap_err().code(), "not_found");
}
