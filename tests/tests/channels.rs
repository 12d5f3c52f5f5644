//! Channels and conversations about documents; and who a message has reached.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_sdk::{Authenticity, ConversationKind, Kind, Policy, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{another_device, people, texts, within};

on_both_stands! {
    a_channel_and_a_documents_chat_are_signed_and_have_a_past,
    a_message_reaches_each_member_by_itself,
    roles_and_rules_decide_who_may_do_what,
}

async fn a_channel_and_a_documents_chat_are_signed_and_have_a_past(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &["bob"], Policy::CHANNEL).await.unwrap();
    channel.send("first").await.unwrap();
    let in_channel = bob.message().await;
    let rules = Policy::DOCUMENT;
    let about = alice.client.create_document_chat("doc-7", "Plan", &["bob"], rules).await.unwrap();
    about.send("page 3?").await.unwrap();
    bob.message().await;

    let tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.client.conversation(channel.id()).await.unwrap();
    let reached = within(at_tablet.timeline().await.unwrap().earlier(10)).await;
    let found = tablet.client.document_chats("doc-7").await.unwrap();

    assert_eq!(in_channel.authenticity, Authenticity::Signed);
    assert!(reached.is_ok());
    assert_eq!(texts(&at_tablet).await, ["first"]);
    assert_eq!(at_tablet.kind(), ConversationKind::Channel);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].document().await.unwrap().as_deref(), Some("doc-7"));
    assert!(tablet.client.document_chats("doc-8").await.unwrap().is_empty());
    let nameless = alice.client.create_document_chat("", "", &[], rules).await.unwrap_err();
    assert_eq!(nameless.kind(), Kind::ArgumentInvalid);
}

async fn a_message_reaches_each_member_by_itself(relay: &Stand) {
    let [mut alice, mut bob, carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Team", &["bob", "carol"]).await.unwrap();
    carol.client.go_offline().await.unwrap();
    let message = group.send("hello").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    bob.message().await;
    bob.only_conversation().await.mark_seen().await.unwrap();

    let [at_bob, at_carol] = loop {
        let reached = group.reached(message).await.unwrap();
        let of = |name: &str| reached.iter().find(|r| r.contact.username == name).unwrap().status;
        if of("bob") == Status::Seen {
            break [of("bob"), of("carol")];
        }
        tokio::task::yield_now().await;
    };

    assert_eq!([at_bob, at_carol], [Status::Seen, Status::Sent]);
    assert_eq!(group.message(message).await.unwrap().unwrap().status, Status::Sent);
    let theirs = bob.only_conversation().await.reached(message).await.unwrap_err();
    assert_eq!(theirs.kind(), Kind::NotFound);
}

async fn roles_and_rules_decide_who_may_do_what(relay: &Stand) {
    let [alice, mut bob, _carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Team", &["bob"]).await.unwrap();
    group.send("hello").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;

    let as_member = at_bob.add("carol").await.unwrap_err().kind();
    let alone = group.leave().await.unwrap_err().kind();
    group.set_role("bob", chat_sdk::Role::Admin).await.unwrap();
    bob.wait_for(|event| matches!(event, chat_sdk::Event::Membership { .. }).then_some(())).await;
    at_bob.add("carol").await.unwrap();
    at_bob.set_role("alice", chat_sdk::Role::Member).await.unwrap();
    within(alice.client.sync()).await.unwrap();
    let demoted = loop {
        match group.remove("carol").await {
            Err(error) if error.kind() == Kind::NotFound => tokio::task::yield_now().await,
            outcome => break outcome.unwrap_err().kind(),
        }
    };
    group.leave().await.unwrap();

    assert_eq!((as_member, alone), (Kind::Forbidden, Kind::ArgumentInvalid));
    assert_eq!(demoted, Kind::Forbidden);
    assert!(!group.is_member().await.unwrap());
    assert_eq!(group.send("bye").await.unwrap_err().kind(), Kind::NotAMember);
}
