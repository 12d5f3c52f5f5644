//! What a relay lets go of by its rules, and what devices keep all the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_sdk::Status;
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use relay_server::retention::{Hold, Rules};

use crate::people::{people, texts, within};

on_both_stands! {
    what_the_relay_has_let_go_stays_where_it_was_read,
    badges_are_there_before_the_messages,
}

async fn what_the_relay_has_let_go_stays_where_it_was_read(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let first = chat.send("first").await.unwrap();
    assert_eq!(bob.hears().await, ["first"]);
    alice.reaches(first, Status::Delivered).await;
    let at_bob = bob.only_conversation().await;
    let rules = Rules { hold: Hold::UntilDelivered, ..Rules::default() };

    let node = relay.node(0).relay();
    let unread = bob.client.unread_at_relay().await.unwrap();
    node.set_rules(unread.workspaces[0].workspace, rules).await.unwrap();
    within(async {
        // The cursors of both devices are on their way.
        while node.retain().await.unwrap() == 0 {
            relay.node(0).relay().flush_cursors().await;
            relay.node(1).relay().flush_cursors().await;
        }
    })
    .await;
    chat.send("second").await.unwrap();

    assert_eq!(bob.hears().await, ["second"]);
    assert_eq!(texts(&at_bob).await, ["first", "second"]);
    assert_eq!(texts(&chat).await, ["first", "second"]);
    assert_eq!(bob.warnings, []);
}

async fn badges_are_there_before_the_messages(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    for text in ["one", "two"] {
        chat.send(text).await.unwrap();
    }
    assert_eq!(bob.hears().await, ["one", "two"]);

    let unread = bob.client.unread_at_relay().await.unwrap();
    let own = alice.client.unread_at_relay().await.unwrap();

    assert_eq!(unread.conversations[0].messages, 2);
    assert_eq!(unread.workspaces[0].messages, 2);
    assert!(own.conversations.is_empty());
}
