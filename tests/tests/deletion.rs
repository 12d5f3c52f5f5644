//! Messages that are deleted for everybody: at the relay too, before everybody has them.

#![allow(clippy::unwrap_used)]

use chat_core::id::MessageId;
use chat_sdk::content::Content;
use chat_sdk::{Allowed, Conversation, Event, Policy, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::people::{Person, people, within};

on_both_stands! {
    what_was_deleted_in_time_never_reaches_who_was_away,
    an_admin_deletes_what_somebody_else_said,
    what_was_deleted_without_a_connection_is_deleted_later,
}

async fn what_was_deleted_in_time_never_reaches_who_was_away(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("first").await.unwrap();
    assert_eq!(bob.hears().await, ["first"]);
    bob.client.go_offline().await.unwrap();

    let hasty = chat.send("my password is 1234").await.unwrap();
    alice.reaches(hasty, Status::Sent).await;
    chat.delete(hasty).await.unwrap();
    erased_by(relay, 1).await;
    bob.client.go_online().await.unwrap();
    chat.send("second").await.unwrap();

    assert_eq!(bob.hears().await, ["second"]);
    let at_bob = bob.only_conversation().await;
    assert!(at_bob.message(hasty).await.unwrap().is_none());
    assert_eq!(bob.warnings, []);
}

async fn an_admin_deletes_what_somebody_else_said(relay: &Stand) {
    let [mut alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let policy = Policy { delete: Some(Allowed::Admins), ..Policy::DEFAULT };
    let group = alice.client.create_group_with("Open", &["bob", "carol"], policy).await.unwrap();
    group.send("welcome").await.unwrap();
    bob.message().await;
    carol.message().await;
    let at_bob = bob.only_conversation().await;
    let spam = at_bob.send("buy gold").await.unwrap();
    alice.message().await;
    carol.message().await;
    let at_carol = carol.only_conversation().await;

    let not_hers = at_carol.delete(spam).await.unwrap_err();
    group.delete(spam).await.unwrap();
    for person in [&mut bob, &mut carol] {
        person.sees_the_end_of(spam).await;
    }
    erased_by(relay, 1).await;

    assert_eq!(not_hers.code(), "not_found");
    assert_eq!(shows(&group, spam).await, Content::Deleted);
    assert_eq!(shows(&at_bob, spam).await, Content::Deleted);
}

async fn what_was_deleted_without_a_connection_is_deleted_later(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let message = chat.send("hello").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    bob.message().await;
    alice.client.go_offline().await.unwrap();

    chat.delete(message).await.unwrap();
    alice.client.go_online().await.unwrap();

    bob.sees_the_end_of(message).await;
    erased_by(relay, 1).await;
}

async fn shows(conversation: &Conversation, message: MessageId) -> Content {
    conversation.message(message).await.unwrap().unwrap().content
}

/// Waits until the relay has erased so many messages by somebody's word, on whichever node.
async fn erased_by(relay: &Stand, count: u64) {
    let erased = |node: usize| {
        let metrics = relay.node(node).relay().metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("sealwire_deleted_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    within(async {
        while erased(0).max(erased(1)) < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

impl Person {
    /// Waits until a message shows that it was deleted.
    async fn sees_the_end_of(&mut self, message: MessageId) {
        self.wait_for(|event| match event {
            Event::Changed(changed) => {
                (changed.id == message && changed.content == Content::Deleted).then_some(())
            }
            _ => None,
        })
        .await;
    }
}
