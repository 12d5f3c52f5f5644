//! Lies about who is in a conversation.

use chat_core::api::conversations::{AppendEntry, MembershipHead, MembershipPage};
use chat_core::codec::List;
use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::{Change, Member};
use chat_core::reject::{Reject, RejectCode};
use chat_sdk::transport::Method;
use chat_sdk::{Role, Status};
use chat_tests::forgery::Forger;
use chat_tests::malicious::{ok, refusal};

use super::devices::passes_on;
use super::*;

const MALLORY: AccountId = AccountId::from_bytes([0x4d; 16]);

#[tokio::test]
async fn a_member_that_the_relay_adds_is_warned_of_and_is_none() {
    let add = Change::Add {
        members: List::new(vec![Member { account: MALLORY, role: Role::Member }]).unwrap(),
    };

    is_refused_as_an_entry(|_| add).await;
}

#[tokio::test]
async fn a_member_that_the_relay_removes_is_warned_of_and_stays() {
    is_refused_as_an_entry(|account| Change::Remove { account }).await;
}

#[tokio::test]
async fn a_role_that_the_relay_gives_is_warned_of_and_not_taken() {
    is_refused_as_an_entry(|account| Change::SetRole { account, role: Role::Admin }).await;
}

/// Shows Bob an entry of the relay's own making in Alice's name.
async fn is_refused_as_an_entry(change: impl FnOnce(AccountId) -> Change) {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, group) = alice_has_a_group_with_bob(&liar).await;
    let conversation = group.id();
    let head: MembershipHead = liar.answered("alice", "/v1/conversations");
    let change = change(bob.client.account());
    let entry = Forger::new(1).entry_after(&head, alice.client.address(), change);
    liar.rewrites("bob", "/membership", move |page: MembershipPage| {
        let mut entries = page.entries.into_vec();
        entries.push(entry.clone());
        MembershipPage { entries: List::new(entries).unwrap(), more: false }
    });

    liar.tells("bob", RelayFrame::Membership { conversation, index: 1 });
    is_warned(&mut bob, Warning::MembershipFork { conversation }).await;

    let at_bob = bob.client.conversation(conversation).await.unwrap();
    let members = at_bob.members().await.unwrap();
    assert_eq!(members.len(), 2);
    assert!(members.iter().any(|member| member.role == Role::Member), "Bob is no admin");
    liar.tell_the_truth();
    group.send("still us two").await.unwrap();
    assert_eq!(bob.hears().await, ["still us two"]);
}

#[tokio::test]
async fn a_log_that_is_hidden_from_a_member_is_warned_of_and_found_again() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, group) = alice_has_a_group_with_bob(&liar).await;
    let conversation = group.id();
    let at_bob = bob.client.conversation(conversation).await.unwrap();
    liar.answers("bob", |asked| {
        let is_log = asked.path.contains("/membership");
        is_log.then(|| refusal(&Reject::from(RejectCode::NotAMember)))
    });

    liar.tells("bob", RelayFrame::Membership { conversation, index: 1 });
    is_warned(&mut bob, Warning::MembershipWithheld { conversation }).await;
    assert!(!at_bob.is_member().await.unwrap());

    liar.tell_the_truth();
    bob.client.go_offline().await.unwrap();
    bob.client.go_online().await.unwrap();
    within(bob.client.sync()).await.unwrap();
    assert!(at_bob.is_member().await.unwrap(), "nobody had signed that he is out");
    at_bob.send("here again").await.unwrap();
    assert_eq!(alice.hears().await, ["here again"]);
}

#[tokio::test]
async fn an_entry_that_is_withheld_shows_with_the_next_message() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, group) = alice_has_a_group_with_bob(&liar).await;
    let [_carol] = join(&liar, ["carol"]).await;
    keeps_the_log_from(&liar, "bob");

    group.add("carol").await.unwrap();
    group.send("we are three").await.unwrap();

    assert_eq!(bob.hears().await, ["we are three"]);
    is_warned(&mut bob, Warning::MembershipFork { conversation: group.id() }).await;
    liar.tell_the_truth();
    group.send("still three").await.unwrap();
    assert_eq!(bob.hears().await, ["still three"]);
    let at_bob = bob.client.conversation(group.id()).await.unwrap();
    assert_eq!(at_bob.members().await.unwrap().len(), 3);
}

#[tokio::test]
async fn two_devices_of_an_account_that_are_shown_different_logs_notice() {
    let (_relay, liar) = liar().await;
    let (_alice, _bob, group) = alice_has_a_group_with_bob(&liar).await;
    let [_carol] = join(&liar, ["carol"]).await;
    let mut laptop = join_again(&liar, "alice", "laptop").await;
    keeps_the_log_from(&liar, "laptop");

    group.add("carol").await.unwrap();
    group.send("we are three").await.unwrap();

    assert_eq!(laptop.hears().await, ["we are three"]);
    is_warned(&mut laptop, Warning::MembershipFork { conversation: group.id() }).await;
}

#[tokio::test]
async fn a_group_whose_view_is_split_notices_with_the_first_message_across() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice) = alice_has_a_group_with_bob(&liar).await;
    let [_carol, _dave] = join(&liar, ["carol", "dave"]).await;
    at_alice.set_role("bob", Role::Admin).await.unwrap();
    at_alice.send("you decide too").await.unwrap();
    assert_eq!(bob.hears().await, ["you decide too"]);
    let conversation = at_alice.id();
    let at_bob = bob.client.conversation(conversation).await.unwrap();

    // Alice adds Carol, Bob adds Dave: both entries follow the same one, and the relay takes both.
    keeps_the_log_from(&liar, "bob");
    at_alice.add("carol").await.unwrap();
    takes_entries_of(&liar, "bob", conversation);
    at_bob.add("dave").await.unwrap();
    assert_eq!(names(&at_alice).await, ["alice", "bob", "carol"]);
    assert_eq!(names(&at_bob).await, ["alice", "bob", "dave"]);

    at_alice.send("from Alice's half").await.unwrap();
    is_warned(&mut bob, Warning::MembershipFork { conversation }).await;
    passes_on(&liar, "bob", "alice", 50);
    let message = at_bob.send("from Bob's half").await.unwrap();
    bob.reaches(message, Status::Sent).await;
    is_warned(&mut alice, Warning::MembershipFork { conversation }).await;
}

#[tokio::test]
async fn a_conversation_that_is_not_of_these_two_is_not_taken_for_theirs() {
    let (_relay, liar) = liar().await;
    let [mut alice, bob, _carol] = join(&liar, ["alice", "bob", "carol"]).await;
    let other = alice.client.direct("carol").await.unwrap().id();
    liar.answers("alice", move |asked| {
        let is_creation = asked.method == Method::Post && asked.path == "/v1/conversations";
        let reject = Reject::from(RejectCode::ConversationExists);
        is_creation.then(|| refusal(&Reject { conversation: Some(other), ..reject }))
    });

    let refused = alice.client.direct("bob").await.unwrap_err();

    assert_eq!(refused.code(), "not_verified");
    liar.tell_the_truth();
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    assert_eq!(bob.warnings, []);
    alice.wait_for(|event| matches!(event, Event::Status { .. }).then_some(())).await;
}

// ── helpers ─────────────────────────────────────────────────────────────────────────────────────

async fn alice_has_a_group_with_bob(liar: &MaliciousRelay) -> (Person, Person, Conversation) {
    let [alice, mut bob] = join(liar, ["alice", "bob"]).await;
    let group = alice.client.create_group("", &["bob"]).await.unwrap();
    group.send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
    (alice, bob, group)
}

/// Shows `name` nothing of any log from now on.
fn keeps_the_log_from(liar: &MaliciousRelay, name: &str) {
    liar.says_to(name, |frame| match frame {
        RelayFrame::Membership { .. } => vec![],
        frame => vec![frame],
    });
    liar.rewrites(name, "/membership", |_: MembershipPage| MembershipPage {
        entries: List::default(),
        more: false,
    });
}

/// Takes the entries of `name` from now on, as the next of the log, and keeps them to itself.
fn takes_entries_of(liar: &MaliciousRelay, name: &str, conversation: ConversationId) {
    let mut index = 1;
    liar.answers(name, move |asked| {
        let is_entry = asked.method == Method::Post && asked.path.contains("/membership");
        let body = asked.body.as_deref().filter(|_| is_entry)?;
        let AppendEntry { entry } = serde_json::from_slice(body).unwrap();
        index += 1;
        Some(ok(&MembershipHead { conversation, index, head: entry.entry.digest() }))
    });
}

async fn names(conversation: &Conversation) -> Vec<String> {
    let members = conversation.members().await.unwrap();
    let mut names: Vec<_> = members.into_iter().map(|member| member.contact.username).collect();
    names.sort();
    names
}
