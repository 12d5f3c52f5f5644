//! Workspaces: who comes in and how, what stays inside, channels and documents, and the end of an
//! account.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use chat_core::api::workspaces::AccountState;

use chat_sdk::{ConnectionState, Event, Joining, Kind, Policy, Role, Status, WorkspaceRole};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use relay_server::operator::workspaces as operator;
use relay_server::storage::Storage;

use crate::people::{CHEAP, PASSWORD, Person, another_device, invited, people, texts, within};

const DAY: Duration = Duration::from_secs(24 * 3600);

on_both_stands! {
    an_invitation_leads_into_its_workspace_and_nothing_crosses,
    who_is_suspended_is_cut_off_on_every_node_and_comes_back,
    who_deletes_their_account_is_gone_for_the_others,
    what_was_written_before_one_knew_reaches_whoever_is_left,
    whoever_decided_alone_leaves_somebody_who_decides,
    what_an_admin_leaves_whom_others_removed_goes_on_without_one,
    whoever_joins_a_channel_hears_what_is_said_from_then_on,
    two_who_open_a_document_at_once_are_in_one_conversation,
    who_logs_out_everywhere_comes_back_by_password_only,
}

async fn an_invitation_leads_into_its_workspace_and_nothing_crosses(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let storage = storage(relay);
    let elsewhere = operator::create(storage, "Elsewhere").await.unwrap();
    let token = operator::invite(storage, elsewhere, WorkspaceRole::Owner, 1, DAY).await.unwrap();

    let olga = invited(relay, "olga", &token.token).await;
    let hers = olga.client.workspace().await.unwrap();
    let guest = olga.client.invite(WorkspaceRole::Guest, 1, DAY).await.unwrap();
    let gus = invited(relay, "gus", &guest.token).await;

    assert_eq!((hers.workspace, hers.name.as_str()), (elsewhere, "Elsewhere"));
    assert_eq!(hers.role, WorkspaceRole::Owner);
    assert_eq!(olga.client.workspace_members().await.unwrap().len(), 2);
    assert!(olga.client.invitations().await.unwrap().is_empty());
    for (who, whom) in [(&alice, "olga"), (&olga, "alice"), (&gus, "olga")] {
        assert_eq!(who.client.direct(whom).await.unwrap_err().kind(), Kind::NotFound, "{whom}");
        assert!(who.client.search_people(whom).await.unwrap().is_empty());
    }
    // Whom a guest was brought together with, it may write to.
    let mut gus = gus;
    olga.client.direct("gus").await.unwrap().send("welcome").await.unwrap();
    assert_eq!(gus.hears().await, ["welcome"]);
    let back = gus.client.direct("olga").await.unwrap();
    back.send("thank you").await.unwrap();
    let mut olga = olga;
    assert_eq!(olga.hears().await, ["thank you"]);
    assert_eq!(
        gus.client.create_channel("mine", &[], Policy::CHANNEL).await.unwrap_err().kind(),
        Kind::Forbidden
    );
}

async fn who_is_suspended_is_cut_off_on_every_node_and_comes_back(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let storage = storage(relay);
    operator::set_role(storage, alice.client.account(), WorkspaceRole::Admin).await.unwrap();
    let chat = alice.client.direct("bob").await.unwrap();

    alice.client.suspend(bob.client.account()).await.unwrap();
    bob.wait_for(|event| match event {
        Event::Connection(state) if *state != ConnectionState::Connected => Some(()),
        _ => None,
    })
    .await;
    let asked = bob.client.workspace().await.unwrap_err();
    let message = chat.send("are you there?").await.unwrap();
    let mut alice = alice;
    alice.reaches(message, Status::Sent).await;
    alice.client.reinstate(bob.client.account()).await.unwrap();
    bob.client.go_offline().await.unwrap();
    bob.client.go_online().await.unwrap();

    assert_eq!(asked.kind(), Kind::AccountSuspended);
    assert_eq!(bob.hears().await, ["are you there?"]);
    let members = alice.client.workspace_members().await.unwrap();
    assert!(members.iter().all(|member| member.state == AccountState::Active));
}

async fn who_deletes_their_account_is_gone_for_the_others(relay: &Stand) {
    let [mut alice, bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    group.send("who comes?").await.unwrap();
    carol.message().await;
    let mut bob = bob;
    bob.message().await;
    bob.only_conversation().await.send("not me").await.unwrap();
    alice.message().await;
    carol.message().await;
    let gone = bob.client.account();

    within(bob.client.delete_account()).await.unwrap();

    for person in [&mut alice, &mut carol] {
        let deleted = person.wait_for(|event| match event {
            Event::AccountDeleted { account } => Some(*account),
            _ => None,
        });
        assert_eq!(deleted.await, gone);
    }
    // What was said stays, and what is said from now on is not for him.
    group.send("then we two").await.unwrap();
    assert_eq!(carol.hears().await, ["then we two"]);
    assert_eq!(texts(&group).await, ["who comes?", "not me", "then we two"]);
    let members = group.members().await.unwrap();
    let tombstones: Vec<_> = members.iter().filter(|one| one.is_deleted).collect();
    assert_eq!(tombstones.len(), 1);
    assert_eq!(tombstones[0].contact.username, "bob");
    group.remove("bob").await.unwrap();
    // The log that he has signed verifies for whoever comes later.
    let [mut dora] = people(relay, ["dora"]).await;
    group.add("dora").await.unwrap();
    group.send("welcome").await.unwrap();
    assert_eq!(dora.hears().await, ["welcome"]);
    assert_eq!(dora.warnings, []);
    let again = crate::people::builder(relay.node(0).url(), &crate::people::clock());
    let refused = again.password_hardening(CHEAP).in_memory().login("bob", PASSWORD).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::WrongPassword);
}

async fn what_was_written_before_one_knew_reaches_whoever_is_left(relay: &Stand) {
    let [mut alice, bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    // Alice has no session with Bob yet, and has one with Carol.
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    let channel = alice.client.create_channel("News", &["bob", "carol"], Policy::CHANNEL).await;
    let channel = channel.unwrap();
    alice.client.direct("carol").await.unwrap().send("soon").await.unwrap();
    carol.message().await;
    let direct = alice.client.direct("bob").await.unwrap();
    alice.client.go_offline().await.unwrap();
    within(bob.client.delete_account()).await.unwrap();

    let in_group = group.send("who comes?").await.unwrap();
    let in_channel = channel.send("we go").await.unwrap();
    let alone = direct.send("and you?").await.unwrap();
    alice.client.go_online().await.unwrap();

    let mut heard = carol.hears::<2>().await;
    heard.sort();
    assert_eq!(heard, ["we go", "who comes?"]);
    let mut ends = BTreeMap::new();
    while ![in_group, in_channel, alone].iter().all(|message| ends.contains_key(message)) {
        let (message, status) = alice
            .wait_for(|event| match event {
                Event::Status { message, status, .. } => Some((*message, *status)),
                _ => None,
            })
            .await;
        if matches!(status, Status::Delivered | Status::Failed) {
            ends.insert(message, status);
        }
    }
    // Nobody waits for a word of whoever is gone.
    assert_eq!((ends[&in_group], ends[&in_channel]), (Status::Delivered, Status::Delivered));
    assert_eq!(ends[&alone], Status::Failed);
    assert_eq!(direct.send("hello?").await.unwrap_err().kind(), Kind::NoDevices);
    assert_eq!((alice.warnings, carol.warnings), (vec![], vec![]));
}

async fn whoever_decided_alone_leaves_somebody_who_decides(relay: &Stand) {
    let [alice, mut bob, mut carol, _dora] = people(relay, ["alice", "bob", "carol", "dora"]).await;
    let group = alice.client.create_group("Trip", &["carol"]).await.unwrap();
    group.add("bob").await.unwrap();
    group.send("welcome").await.unwrap();
    bob.message().await;
    carol.message().await;

    within(alice.client.delete_account()).await.unwrap();
    carol.wait_for(|event| matches!(event, Event::AccountDeleted { .. }).then_some(())).await;

    let at_carol = carol.only_conversation().await;
    let refused = bob.only_conversation().await.add("dora").await.unwrap_err().kind();
    let mut roles: Vec<_> = at_carol.members().await.unwrap();
    roles.sort_by(|a, b| a.contact.username.cmp(&b.contact.username));
    let roles: Vec<_> = roles.iter().map(|one| (one.role, one.is_deleted)).collect();
    assert_eq!(roles, [(Role::Admin, true), (Role::Member, false), (Role::Admin, false)]);
    assert_eq!(refused, Kind::Forbidden);
    at_carol.remove("alice").await.unwrap();
    at_carol.add("dora").await.unwrap();
    assert_eq!(at_carol.members().await.unwrap().len(), 3);
}

async fn what_an_admin_leaves_whom_others_removed_goes_on_without_one(relay: &Stand) {
    let [owner, alice, mut bob] = people(relay, ["owner", "alice", "bob"]).await;
    operator::set_role(storage(relay), owner.client.account(), WorkspaceRole::Owner).await.unwrap();
    let group = alice.client.create_group("Trip", &["bob", "owner"]).await.unwrap();
    group.send("welcome").await.unwrap();
    bob.message().await;

    owner.client.remove_from_workspace(alice.client.account()).await.unwrap();
    bob.wait_for(|event| matches!(event, Event::AccountDeleted { .. }).then_some(())).await;

    let at_bob = bob.only_conversation().await;
    assert_eq!(at_bob.remove("alice").await.unwrap_err().kind(), Kind::Forbidden);
    at_bob.send("we two are left").await.unwrap();
    let mut owner = owner;
    assert_eq!(owner.hears().await, ["welcome", "we two are left"]);
    at_bob.leave().await.unwrap();
    let alone = owner.client.delete_account().await.unwrap_err();
    assert_eq!(alone.kind(), Kind::LastOwner);
}

async fn whoever_joins_a_channel_hears_what_is_said_from_then_on(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &[], Policy::CHANNEL).await.unwrap();
    channel.send("nobody is here yet").await.unwrap();
    within(alice.client.flush()).await.unwrap();

    let found = bob.client.channels(None).await.unwrap();
    let joined = bob.client.join(found[0].conversation).await.unwrap();
    alice
        .wait_for(|event| match event {
            Event::Membership { index: 1.., .. } => Some(()),
            _ => None,
        })
        .await;
    // So that whoever has just come learns its name.
    channel.rename("News of today").await.unwrap();
    channel.send("the first").await.unwrap();

    assert_eq!((found.len(), found[0].is_member), (1, false));
    assert_eq!(bob.hears().await, ["the first"]);
    assert_eq!(joined.title().await.unwrap().as_deref(), Some("News of today"));
    joined.send("I am here").await.unwrap();
    assert_eq!(alice.hears().await, ["I am here"]);
    joined.leave().await.unwrap();
    assert!(!bob.client.channels(None).await.unwrap()[0].is_member);
    // A channel that nobody may join by themselves is not found.
    let closed = Policy { join: Joining::Added, ..Policy::CHANNEL };
    let hidden = alice.client.create_channel("Board", &[], closed).await.unwrap();
    assert_eq!(bob.client.channels(None).await.unwrap().len(), 1);
    assert_eq!(bob.client.join(hidden.id()).await.unwrap_err().kind(), Kind::NotAMember);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
}

async fn two_who_open_a_document_at_once_are_in_one_conversation(relay: &Stand) {
    let [alice, mut bob, carol] = people(relay, ["alice", "bob", "carol"]).await;
    let open = Policy { join: Joining::Workspace, ..Policy::DOCUMENT };

    let (first, second) = tokio::join!(
        alice.client.open_document("plans/2030 é", open),
        bob.client.open_document("plans/2030 é", open),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    let third = carol.client.open_document("plans/2030 é", open).await.unwrap();

    assert_eq!(first.id(), second.id());
    assert_eq!(first.id(), third.id());
    third.send("who wrote this?").await.unwrap();
    assert_eq!(bob.hears().await, ["who wrote this?"]);
    let other = alice.client.open_document("plans/2031", Policy::DOCUMENT).await.unwrap();
    assert_ne!(other.id(), first.id());
    let hidden = bob.client.open_document("plans/2031", Policy::DOCUMENT).await;
    assert!(hidden.is_err());
}

async fn who_logs_out_everywhere_comes_back_by_password_only(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let mut tablet = another_device(relay, "alice").await;
    let sessions = alice.client.sessions().await.unwrap();

    within(alice.client.log_out_everywhere()).await.unwrap();
    tablet
        .wait_for(|event| match event {
            Event::Connection(ConnectionState::LoggedOut) => Some(()),
            _ => None,
        })
        .await;
    let back: Person = another_device(relay, "alice").await;

    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|one| one.is_current).count(), 1);
    let devices = back.client.devices().await.unwrap();
    assert_eq!(devices.iter().filter(|one| one.removed_at.is_none()).count(), 1);
    assert!(back.client.conversations().await.unwrap().is_empty());
}

fn storage(relay: &Stand) -> &dyn Storage {
    relay.node(0).storage()
}
