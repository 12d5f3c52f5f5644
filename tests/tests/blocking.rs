//! Blocking: not being bothered, and not being seen.

#![allow(clippy::unwrap_used)]

use chat_sdk::{Event, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, people, texts, within};

on_both_stands! {
    somebody_blocked_is_not_heard_until_they_are_let_in_again,
    somebody_blocked_is_not_told_what_was_read,
    somebody_blocked_cannot_be_seen_typing,
}

async fn somebody_blocked_is_not_heard_until_they_are_let_in_again(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let before = at_alice.send("hello").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;

    bob.client.block(alice.client.account()).await.unwrap();
    at_alice.send("buy this").await.unwrap();
    at_alice.edit(before, "buy that").await.unwrap();
    at_alice.react(before, "💰").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    bob.catches_up().await;
    bob.client.unblock(alice.client.account()).await.unwrap();
    at_alice.send("sorry").await.unwrap();

    assert_eq!(bob.hears().await, ["sorry"]);
    assert_eq!(texts(&at_bob).await, ["hello", "sorry"]);
    let hello = at_bob.message(before).await.unwrap().unwrap();
    assert!(hello.reactions.is_empty() && hello.edited_at.is_none());
    assert_eq!(bob.warnings, []);
}

async fn somebody_blocked_is_not_told_what_was_read(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let unread = at_alice.send("hello").await.unwrap();
    bob.message().await;
    alice.reaches(unread, Status::Delivered).await;
    let at_bob = bob.only_conversation().await;

    bob.client.block(alice.client.account()).await.unwrap();
    at_bob.mark_seen().await.unwrap();
    let second = at_alice.send("are you there?").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    bob.catches_up().await;
    bob.client.unblock(alice.client.account()).await.unwrap();
    let third = at_alice.send("hello?").await.unwrap();
    bob.message().await;
    alice.reaches(third, Status::Delivered).await;

    let (first, second) =
        (at_alice.message(unread).await.unwrap(), at_alice.message(second).await.unwrap());
    assert_eq!(first.unwrap().status, Status::Delivered);
    // The receipt for the third covers what was before it.
    assert_eq!(second.unwrap().status, Status::Delivered);
    assert_eq!(at_bob.unseen().await.unwrap().messages, 1);
}

async fn somebody_blocked_cannot_be_seen_typing(relay: &Stand) {
    let [alice, mut bob, carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Team", &["bob", "carol"]).await.unwrap();
    group.send("hello").await.unwrap();
    bob.message().await;
    bob.client.block(alice.client.account()).await.unwrap();
    carol.client.sync().await.unwrap();
    let at_carol = carol.only_conversation().await;

    group.set_typing(true).await.unwrap();
    group.send("done").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    at_carol.set_typing(true).await.unwrap();
    let typist = bob
        .wait_for(|event| match event {
            Event::Typing { account, typing, .. } => typing.then_some(*account),
            _ => None,
        })
        .await;

    assert_eq!(typist, carol.client.account());
}

impl Person {
    /// Waits until everything that is at the relay has come.
    async fn catches_up(&mut self) {
        self.client.go_offline().await.unwrap();
        self.client.go_online().await.unwrap();
        within(self.client.sync()).await.unwrap();
    }
}
