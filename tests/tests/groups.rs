//! Groups: who is in hears everything from then on, who is out hears nothing more.

#![allow(clippy::unwrap_used)]

use chat_sdk::{Allowed, Event, Kind, Policy, Role, Status};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{people, texts, within};

on_both_stands! {
    a_group_hears_what_one_of_it_says,
    a_message_is_delivered_when_everybody_has_it,
    a_new_member_hears_what_is_said_from_then_on,
    a_removed_member_reads_and_says_nothing_more,
    who_was_removed_while_offline_learns_of_it_on_return,
    who_leaves_is_gone_and_keeps_what_was_said,
    two_admins_who_change_a_group_at_once_both_succeed,
    a_message_sealed_for_an_older_membership_is_sealed_again,
    what_the_rules_forbid_is_refused_before_it_is_sent,
}

async fn a_group_hears_what_one_of_it_says(relay: &Stand) {
    let [mut alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;

    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    let message = group.send("where to?").await.unwrap();

    assert_eq!(bob.hears().await, ["where to?"]);
    assert_eq!(carol.hears().await, ["where to?"]);
    alice.reaches(message, Status::Delivered).await;
    let at_bob = bob.only_conversation().await;
    assert_eq!(at_bob.title().await.unwrap().as_deref(), Some("Trip"));
    assert_eq!(at_bob.members().await.unwrap().len(), 3);
    at_bob.send("north").await.unwrap();
    assert_eq!(alice.hears().await, ["north"]);
    assert_eq!(carol.hears().await, ["north"]);
    assert_eq!(texts(&group).await, ["where to?", "north"]);
    for person in [alice, bob, carol] {
        assert_eq!(person.warnings, []);
    }
}

async fn a_message_is_delivered_when_everybody_has_it(relay: &Stand) {
    let [mut alice, mut bob, carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("", &["bob", "carol"]).await.unwrap();
    carol.client.go_offline().await.unwrap();

    let message = group.send("all here?").await.unwrap();
    bob.message().await;
    bob.only_conversation().await.mark_seen().await.unwrap();
    alice.reaches(message, Status::Sent).await;
    let only_bob = group.message(message).await.unwrap().unwrap().status;
    carol.client.go_online().await.unwrap();
    alice.reaches(message, Status::Delivered).await;

    assert_eq!(only_bob, Status::Sent);
}

async fn a_new_member_hears_what_is_said_from_then_on(relay: &Stand) {
    let [alice, mut bob, mut dave] = people(relay, ["alice", "bob", "dave"]).await;
    let group = alice.client.create_group("Trip", &["bob"]).await.unwrap();
    group.send("before dave").await.unwrap();
    assert_eq!(bob.hears().await, ["before dave"]);

    group.add("dave").await.unwrap();
    group.send("hello dave").await.unwrap();

    assert_eq!(dave.hears().await, ["hello dave"]);
    assert_eq!(bob.hears().await, ["hello dave"]);
    let at_dave = dave.only_conversation().await;
    assert_eq!(texts(&at_dave).await, ["hello dave"]);
    assert_eq!(at_dave.title().await.unwrap().as_deref(), Some("Trip"));
    at_dave.send("hello all").await.unwrap();
    assert_eq!(bob.hears().await, ["hello all"]);
    assert_eq!((bob.warnings, dave.warnings), (vec![], vec![]));
}

async fn a_removed_member_reads_and_says_nothing_more(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("all of us").await.unwrap();
    assert_eq!(carol.hears().await, ["all of us"]);

    group.remove("carol").await.unwrap();
    carol.learns_of_its_removal().await;
    group.send("without carol").await.unwrap();

    assert_eq!(bob.hears().await, ["all of us", "without carol"]);
    let at_carol = carol.only_conversation().await;
    assert_eq!(at_carol.send("still here?").await.unwrap_err().code(), "not_a_member");
    assert!(!at_carol.is_member().await.unwrap());
    carol.client.go_offline().await.unwrap();
    carol.client.go_online().await.unwrap();
    within(carol.client.sync()).await.unwrap();
    assert_eq!(texts(&at_carol).await, ["all of us"]);
    assert_eq!(bob.only_conversation().await.members().await.unwrap().len(), 2);
}

async fn who_was_removed_while_offline_learns_of_it_on_return(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("all of us").await.unwrap();
    assert_eq!(carol.hears().await, ["all of us"]);
    carol.client.go_offline().await.unwrap();

    let at_carol = carol.only_conversation().await;
    at_carol.send("said while offline").await.unwrap();
    group.send("the last that carol may read").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    group.remove("carol").await.unwrap();
    group.send("without carol").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    carol.client.go_online().await.unwrap();

    assert_eq!(carol.hears().await, ["the last that carol may read"]);
    within(carol.client.flush()).await.unwrap();
    assert!(!at_carol.is_member().await.unwrap());
    assert_eq!(bob.hears().await, ["all of us", "the last that carol may read", "without carol"]);
}

async fn who_leaves_is_gone_and_keeps_what_was_said(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let group = alice.client.create_group("Trip", &["bob"]).await.unwrap();
    group.send("stay").await.unwrap();
    bob.message().await;

    let at_bob = bob.only_conversation().await;
    at_bob.leave().await.unwrap();
    alice.wait_for(|event| matches!(event, Event::Membership { index: 1, .. }).then_some(())).await;

    assert_eq!(group.members().await.unwrap().len(), 1);
    assert_eq!(texts(&at_bob).await, ["stay"]);
    assert_eq!(at_bob.send("no").await.unwrap_err().kind(), Kind::NotAMember);
    group.send("alone").await.unwrap();
    within(alice.client.flush()).await.unwrap();
}

async fn two_admins_who_change_a_group_at_once_both_succeed(relay: &Stand) {
    let [alice, mut bob, _carol, _dave] = people(relay, ["alice", "bob", "carol", "dave"]).await;
    let group = alice.client.create_group("Trip", &["bob"]).await.unwrap();
    group.set_role("bob", Role::Admin).await.unwrap();
    bob.wait_for(|event| matches!(event, Event::Membership { index: 1, .. }).then_some(())).await;
    let at_bob = bob.only_conversation().await;

    let (ours, theirs) = tokio::join!(group.add("carol"), at_bob.add("dave"));

    ours.unwrap();
    theirs.unwrap();
    for person in [&alice, &bob] {
        person.client.go_offline().await.unwrap();
        person.client.go_online().await.unwrap();
        within(person.client.sync()).await.unwrap();
    }
    assert_eq!(group.members().await.unwrap().len(), 4);
    assert_eq!(at_bob.members().await.unwrap().len(), 4);
}

async fn a_message_sealed_for_an_older_membership_is_sealed_again(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob"]).await.unwrap();
    group.send("hello").await.unwrap();
    bob.message().await;
    bob.client.go_offline().await.unwrap();
    let at_bob = bob.only_conversation().await;
    group.add("carol").await.unwrap();

    let message = at_bob.send("said before I heard of carol").await.unwrap();
    bob.client.go_online().await.unwrap();
    bob.reaches(message, Status::Sent).await;

    assert_eq!(carol.message().await.id, message);
}

async fn what_the_rules_forbid_is_refused_before_it_is_sent(relay: &Stand) {
    let [alice, mut bob, _carol] = people(relay, ["alice", "bob", "carol"]).await;
    let policy = Policy { post: Allowed::Admins, ..Policy::DEFAULT };
    let group = alice.client.create_group_with("News", &["bob"], policy).await.unwrap();
    group.send("only I may speak").await.unwrap();
    bob.message().await;

    let at_bob = bob.only_conversation().await;

    assert_eq!(at_bob.send("me too").await.unwrap_err().code(), "forbidden");
    assert_eq!(at_bob.add("carol").await.unwrap_err().code(), "forbidden");
    assert_eq!(at_bob.remove("alice").await.unwrap_err().code(), "forbidden");
    assert_eq!(group.leave().await.unwrap_err().code(), "argument_invalid");
    group.set_policy(Policy::DEFAULT).await.unwrap();
    bob.wait_for(|event| matches!(event, Event::Membership { index: 1, .. }).then_some(())).await;
    at_bob.send("now I may").await.unwrap();
    within(bob.client.flush()).await.unwrap();
}
