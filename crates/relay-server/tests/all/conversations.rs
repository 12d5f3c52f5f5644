//! Conversations: how they begin, and who may change who is in them.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::{AppendEntry, ConversationPage, MembershipHead};
use chat_core::frame::RelayFrame;
use chat_core::id::{ConversationId, WorkspaceId};
use chat_core::limits::ENTRY_AHEAD_MAX;
use chat_core::membership::{Change, ConversationKind, Member, Policy, Role};
use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::testing::TestRelay;

use crate::people::{NOW, Person, random_account};

#[tokio::test]
async fn a_group_begins_grows_and_shrinks() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut carols = carol.connect_idle().await;
    let mut group = alice.group(&[&bob]).await;

    alice.change(&mut group, add(&carol)).await.unwrap();
    let heard = membership(&mut carols).await;
    alice.change(&mut group, Change::Remove { account: bob.account }).await.unwrap();

    assert_eq!(heard, (group.id(), 1));
    assert_eq!(alice.log_length(group.id()).await, 3);
    // Who was removed reads the log up to that.
    assert_eq!(bob.log_length(group.id()).await, 3);
    let page: ConversationPage = bob.get("/v1/conversations").await.unwrap();
    assert_eq!(page.conversations.len(), 0);
    let page: ConversationPage = carol.get("/v1/conversations").await.unwrap();
    assert_eq!(page.conversations[0].conversation, group.id());
}

#[tokio::test]
async fn two_people_have_one_direct_conversation() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let first = alice.direct(&bob).await;

    let second = bob.begin(ConversationKind::Direct, &[&alice], Policy::DEFAULT).await.unwrap_err();

    assert_eq!(second.code, RejectCode::ConversationExists);
    assert_eq!(second.conversation, Some(first.id()));
}

#[tokio::test]
async fn an_entry_that_does_not_verify_is_refused() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let path = format!("/v1/conversations/{}/membership", group.id());

    let mut by_bob = group.next_entry(bob.device.address, add(&carol), NOW);
    let forged = bob.device.entry(&by_bob);
    let claims_alice = chat_core::membership::SignedEntry {
        signer: alice.device.address,
        entry: forged.entry.clone(),
    };
    by_bob.author = alice.device.address;
    let names_alice = bob.device.entry(&by_bob);

    for (entry, by) in [(claims_alice, &alice), (names_alice, &bob)] {
        let refused = by.post::<MembershipHead>(&path, &AppendEntry { entry }).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::NotVerified);
    }
    // Signed well, but Bob may not add anybody.
    let refused =
        bob.post::<MembershipHead>(&path, &AppendEntry { entry: forged }).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::Forbidden);
    assert_eq!(alice.log_length(group.id()).await, 1);
}

#[tokio::test]
async fn an_entry_of_another_device_is_not_handed_in() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let path = format!("/v1/conversations/{}/membership", group.id());
    let signed = alice.device.entry(&group.next_entry(alice.device.address, add(&carol), NOW));
    let body = AppendEntry { entry: signed };

    let by_another = bob.post::<MembershipHead>(&path, &body).await.unwrap_err();
    let by_itself = alice.post::<MembershipHead>(&path, &body).await;

    assert_eq!(by_another.code, RejectCode::NotVerified);
    assert!(by_itself.is_ok());
}

#[tokio::test]
async fn an_entry_dated_far_ahead_is_refused() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let path = format!("/v1/conversations/{}/membership", group.id());
    let at = NOW.after(ENTRY_AHEAD_MAX + Duration::from_millis(1));
    let ahead = group.next_entry(alice.device.address, add(&carol), at);
    let body = AppendEntry { entry: alice.device.entry(&ahead) };

    let refused = alice.post::<MembershipHead>(&path, &body).await.unwrap_err();
    clock.advance(Duration::from_millis(1));
    let in_time = alice.post::<MembershipHead>(&path, &body).await;

    assert_eq!(refused.code, RejectCode::NotVerified);
    assert!(in_time.is_ok());
}

#[tokio::test]
async fn the_loser_of_a_race_is_told_to_catch_up_and_a_resend_gets_the_first_answer() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let path = format!("/v1/conversations/{}/membership", group.id());
    let entry = |change| {
        let entry = group.next_entry(alice.device.address, change, NOW);
        AppendEntry { entry: alice.device.entry(&entry) }
    };
    let winner = entry(add(&carol));
    let loser = entry(Change::Remove { account: bob.account });

    let first: MembershipHead = alice.post(&path, &winner).await.unwrap();
    let refused = alice.post::<MembershipHead>(&path, &loser).await.unwrap_err();
    let again: MembershipHead = alice.post(&path, &winner).await.unwrap();

    assert_eq!(refused.code, RejectCode::Conflict);
    assert_eq!((again.index, again.head), (first.index, first.head));
}

#[tokio::test]
async fn somebody_who_is_no_member_sees_and_changes_nothing() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let id = group.id();

    for part in ["membership?from=0", "messages?after=0", "receipts"] {
        let path = format!("/v1/conversations/{id}/{part}");
        let refused = carol.get::<serde_json::Value>(&path).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::NotAMember, "{part}");
    }
    let refused = carol.change(&mut group.clone(), add(&carol)).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotAMember);
    // A conversation that does not exist looks the same.
    let nowhere = ConversationId::from_bytes([9; 16]);
    let path = format!("/v1/conversations/{nowhere}/messages?after=0");
    let refused = carol.get::<serde_json::Value>(&path).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotAMember);
}

#[tokio::test]
async fn a_member_or_a_workspace_that_does_not_exist_is_not_found() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let ghost = Change::Add {
        members: chat_core::codec::List::new(vec![Member {
            account: random_account(),
            role: Role::Member,
        }])
        .unwrap(),
    };

    let refused = alice.change(&mut group, ghost).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotFound);

    let mut elsewhere = alice.creation(ConversationKind::Group, &[&bob], Policy::DEFAULT).await;
    if let Change::Create { workspace, .. } = &mut elsewhere.change {
        *workspace = WorkspaceId::from_bytes([9; 16]);
    }
    let append = AppendEntry { entry: alice.device.entry(&elsewhere) };
    let refused = alice.post::<MembershipHead>("/v1/conversations", &append).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotFound);
}

pub async fn three(relay: &TestRelay) -> [Person; 3] {
    [
        Person::register(relay, "alice").await,
        Person::register(relay, "bob").await,
        Person::register(relay, "carol").await,
    ]
}

pub fn add(person: &Person) -> Change {
    let member = Member { account: person.account, role: Role::Member };
    Change::Add { members: chat_core::codec::List::new(vec![member]).unwrap() }
}

async fn membership(socket: &mut crate::socket::Socket) -> (ConversationId, u64) {
    socket
        .wait_for(|frame| match frame {
            RelayFrame::Membership { conversation, index } => Some((conversation, index)),
            _ => None,
        })
        .await
}
