//! Lies about what became of messages, about time, and about the relay itself.

use std::time::Duration;

use chat_core::api::account::{AccountKeys, AccountName};
use chat_core::codec::from_bytes;
use chat_core::id::MessageId;
use chat_core::receipt::Receipt;
use chat_core::reject::{Reject, RejectCode};
use chat_sdk::{ConnectionState, Draft, Status, Timer};
use chat_tests::forgery::Forger;

use super::*;
use crate::people::texts;

const ONE_HOUR: Duration = Duration::from_secs(3600);
/// An id that no message has.
const NONE: MessageId = MessageId::from_bytes([9; 16]);

// ── receipts ────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_receipt_that_the_reader_did_not_sign_is_warned_of_and_not_counted() {
    let (_relay, liar) = liar().await;
    let (mut alice, bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    liar.says_to("bob", |_| vec![]);
    let message = at_alice.send("withheld").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    let reader = bob.client.address();

    let receipt = Forger::new(1).receipt_of(reader, at_alice.id(), 100);
    liar.tells("alice", RelayFrame::Receipt { receipt });
    is_warned(&mut alice, Warning::ReceiptForged { reader }).await;
    has_taken_it_in(&at_bob, &mut alice).await;

    assert_eq!(at_alice.message(message).await.unwrap().unwrap().status, Status::Sent);
}

#[tokio::test]
async fn a_receipt_of_another_conversation_counts_there_and_nowhere_else() {
    let (_relay, liar) = liar().await;
    let (mut alice, bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let group = alice.client.create_group("", &["bob"]).await.unwrap();
    let is_receipt = |frame: &RelayFrame| matches!(frame, RelayFrame::Receipt { .. });
    liar.says_to("bob", |_| vec![]);
    let message = group.send("withheld").await.unwrap();
    alice.reaches(message, Status::Sent).await;

    for receipt in liar.said_to("alice", is_receipt) {
        liar.tells("alice", receipt);
    }
    has_taken_it_in(&at_bob, &mut alice).await;

    assert_eq!(group.message(message).await.unwrap().unwrap().status, Status::Sent);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
    drop(at_alice);
}

#[tokio::test]
async fn nobody_signs_a_receipt_for_nonsense_or_old_messages_at_high_places() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let (_, at, envelope) = delivery(&liar.delivered_to("bob")[0]);
    let nonsense = with_header(&envelope, |header| header.message = NONE);

    liar.tells("bob", RelayFrame::Deliver { sequence: 1000, at, envelope });
    liar.tells("bob", RelayFrame::Deliver { sequence: 2000, at, envelope: nonsense });
    let (conversation, sender) = (at_alice.id(), alice.client.address());
    let message = NONE;
    is_warned(&mut bob, Warning::NotAuthentic { conversation, sender, message }).await;
    at_bob.mark_seen().await.unwrap();
    let marker = at_bob.send("receipts go before this").await.unwrap();
    bob.reaches(marker, Status::Sent).await;

    let receipts = liar.said_by("bob", |frame| matches!(frame, ClientFrame::Receipt { .. }));
    assert!(!receipts.is_empty());
    for frame in receipts {
        let ClientFrame::Receipt { receipt } = frame else { continue };
        let receipt: Receipt = from_bytes(receipt.receipt.signed_bytes()).unwrap();
        assert_eq!(receipt.up_to, 1, "all that Alice has said to Bob");
    }
}

#[tokio::test]
async fn a_message_that_is_accepted_and_thrown_away_is_missed_with_the_next() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    liar.swallows_of("alice", |frame| {
        let (request, envelope) = sending(frame)?;
        let at = envelope.read_header().unwrap().sent_at;
        Some(vec![RelayFrame::Accepted { request, sequence: 3, at }])
    });

    let message = at_alice.send("thrown away").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    liar.tell_the_truth();
    at_alice.send("kept").await.unwrap();

    assert_eq!(bob.hears().await, ["kept"]);
    let (conversation, sender) = (at_alice.id(), alice.client.address());
    assert_eq!(bob.warnings, [Warning::GapNoticed { conversation, sender, missing: 1 }]);
}

// ── time ────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_message_that_is_said_to_be_long_past_its_timer_is_shown() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    liar.says_to("bob", |frame| match frame {
        RelayFrame::Deliver { sequence, envelope, .. } => {
            vec![RelayFrame::Deliver { sequence, at: Timestamp::default(), envelope }]
        }
        frame => vec![frame],
    });
    liar.says_to("alice", |frame| match frame {
        RelayFrame::Accepted { request, sequence, .. } => {
            vec![RelayFrame::Accepted { request, sequence, at: Timestamp::default() }]
        }
        frame => vec![frame],
    });

    let draft = Draft::text("an hour").expiring(Timer::after_sent(ONE_HOUR));
    let message = at_alice.send_with(draft).await.unwrap();

    assert_eq!(bob.hears().await, ["an hour"]);
    alice.reaches(message, Status::Sent).await;
    assert!(at_alice.message(message).await.unwrap().is_some());
}

#[tokio::test]
async fn a_message_that_is_said_to_be_of_the_future_vanishes_in_time() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    liar.says_to("bob", |frame| match frame {
        RelayFrame::Deliver { sequence, envelope, .. } => {
            vec![RelayFrame::Deliver { sequence, at: Timestamp::from_millis(u64::MAX), envelope }]
        }
        frame => vec![frame],
    });
    let draft = Draft::text("an hour").expiring(Timer::after_sent(ONE_HOUR));
    let message = at_alice.send_with(draft).await.unwrap();
    assert_eq!(bob.hears().await, ["an hour"]);

    bob.clock.advance(ONE_HOUR + Duration::from_secs(1));

    bob.loses(message).await;
}

#[tokio::test]
async fn what_has_no_timer_is_not_erased_at_the_relays_word() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let (sequence, _, envelope) = delivery(&liar.delivered_to("bob")[0]);
    let (conversation, message) = (at_alice.id(), envelope.read_header().unwrap().message);

    liar.tells("bob", RelayFrame::Deleted { conversation, sequence, message, deletion: None });
    liar.tells("alice", RelayFrame::Deleted { conversation, sequence, message, deletion: None });
    has_taken_it_in(&at_alice, &mut bob).await;

    assert_eq!(texts(&at_bob).await, ["hello", "hello yourself", "by the way"]);
    assert_eq!(texts(&at_alice).await.len(), 3);
    drop(alice);
}

#[tokio::test]
async fn what_has_a_timer_and_is_erased_long_before_it_is_warned_of() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let draft = Draft::text("an hour").expiring(Timer::after_sent(ONE_HOUR));
    let message = at_alice.send_with(draft).await.unwrap();
    assert_eq!(bob.hears().await, ["an hour"]);
    let conversation = at_alice.id();

    liar.tells("bob", RelayFrame::Deleted { conversation, sequence: 3, message, deletion: None });

    is_warned(&mut bob, Warning::ErasedEarly { conversation, message }).await;
    bob.loses(message).await;
}

// ── who ─────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn an_account_that_goes_by_another_name_is_not_taken_for_the_one_asked_for() {
    let (_relay, liar) = liar().await;
    let [alice, _bob, carol] = join(&liar, ["alice", "bob", "carol"]).await;
    let account = carol.client.account();
    liar.answers_all("/v1/accounts/by-name/bob", &AccountName { account, username: "bob".into() });

    let refused = alice.client.direct("bob").await.unwrap_err();

    assert_eq!(refused.code(), "not_verified");
}

#[tokio::test]
async fn a_name_that_is_given_to_somebody_else_altogether_shows_in_the_safety_number() {
    let (_relay, liar) = liar().await;
    let [alice, bob, carol] = join(&liar, ["alice", "bob", "carol"]).await;
    let account = carol.client.account();
    liar.answers_all("/v1/accounts/by-name/bob", &AccountName { account, username: "bob".into() });
    liar.rewrites("alice", &format!("{account}/keys"), |keys: AccountKeys| AccountKeys {
        username: "bob".into(),
        ..keys
    });

    let with_carol = alice.client.safety_number("bob").await.unwrap().to_string();
    let at_bob = bob.client.safety_number("alice").await.unwrap().to_string();

    assert_ne!(with_carol, at_bob, "comparing it is the only way to know");
}

// ── the relay itself ────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn a_relay_that_sends_everybody_away_for_ever_is_asked_again_within_the_hour() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let reject = Reject { retry_after_ms: Some(u64::MAX), ..RejectCode::Draining.into() };

    liar.tells("alice", RelayFrame::Draining { return_after_ms: u64::MAX });
    liar.tells("alice", RelayFrame::Reject { request: None, reject });
    let until = alice
        .wait_for(|event| match event {
            Event::Connection(ConnectionState::Waiting { until }) => Some(*until),
            _ => None,
        })
        .await;

    assert!(until < alice.clock_now().after(ONE_HOUR));
    at_alice.send("back").await.unwrap();
    assert_eq!(bob.hears().await, ["back"]);
}

#[tokio::test]
async fn a_message_that_is_to_wait_for_ever_goes_out_within_the_hour() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let mut lies = 3;
    liar.swallows_of("alice", move |frame| {
        let (request, _) = sending(frame).filter(|_| lies > 0)?;
        lies -= 1;
        let reject = Reject { retry_after_ms: Some(u64::MAX), ..RejectCode::RateLimited.into() };
        Some(vec![RelayFrame::Reject { request: Some(request), reject }])
    });

    at_alice.send("patience").await.unwrap();

    assert_eq!(bob.hears().await, ["patience"]);
}

#[tokio::test]
async fn a_relay_that_never_finds_a_message_new_enough_makes_it_fail() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    liar.swallows_of("alice", |frame| {
        let (request, _) = sending(frame)?;
        let reject = RejectCode::StaleMembership.into();
        Some(vec![RelayFrame::Reject { request: Some(request), reject }])
    });

    let message = at_alice.send("never").await.unwrap();
    alice.reaches(message, Status::Failed).await;

    liar.tell_the_truth();
    at_alice.send("now").await.unwrap();
    assert_eq!(bob.hears().await, ["now"]);
}

#[tokio::test]
async fn a_device_that_is_told_it_was_removed_keeps_everything_and_may_come_back() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let reject = Reject::from(RejectCode::DeviceRemoved);

    liar.tells("alice", RelayFrame::Reject { request: None, reject });
    let is_out = |event: &Event| {
        matches!(event, Event::Connection(ConnectionState::LoggedOut)).then_some(())
    };
    alice.wait_for(is_out).await;

    assert_eq!(texts(&at_alice).await, ["hello", "hello yourself"]);
    alice.client.go_online().await.unwrap();
    at_alice.send("still here").await.unwrap();
    assert_eq!(bob.hears().await, ["still here"]);
}

#[tokio::test]
async fn frames_that_answer_nothing_change_nothing() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let conversation = at_alice.id();
    for request in [0, 1, 7, u32::MAX] {
        liar.tells(
            "alice",
            RelayFrame::Accepted { request, sequence: 9, at: Timestamp::default() },
        );
        let reject = RejectCode::Internal.into();
        liar.tells("alice", RelayFrame::Reject { request: Some(request), reject });
        liar.tells("alice", RelayFrame::Pong { request });
    }
    liar.tells("alice", RelayFrame::CaughtUp);
    liar.tells("alice", RelayFrame::Membership { conversation, index: u64::MAX });
    let account = bob.client.account();
    liar.tells("alice", RelayFrame::DevicesChanged { account, number: u32::MAX });

    has_taken_it_in(&at_bob, &mut alice).await;
    at_alice.send("as if nothing had been").await.unwrap();

    assert_eq!(bob.hears().await, ["as if nothing had been"]);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
}
