use std::time::Duration;

use chat_core::codec::Bytes;
use chat_core::envelope::Envelope;
use chat_core::membership::{Change, Policy};

use super::*;
use crate::message::{Draft, Timer};
use crate::receipts;
use crate::stage::{NOW, Person, alice_and_bob, file, group, later, words};
use crate::store::{Place, sessions};

#[tokio::test]
async fn what_one_says_the_other_reads() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    let outcome = bob.opens(1, &envelope).await;

    assert_eq!(words(&outcome).as_deref(), Some("hello"));
    assert_eq!(outcome.warnings, []);
    let row = bob.has(message).await.unwrap();
    assert_eq!((row.sequence, row.number, row.outgoing), (Some(1), Some(1), false));
}

#[tokio::test]
async fn a_message_that_comes_twice_is_there_once() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    let first = bob.opens(1, &envelope).await;
    let second = bob.opens(1, &envelope).await;
    let elsewhere = bob.opens(9, &envelope).await;

    assert!(first.message.is_some());
    for again in [second, elsewhere] {
        assert!(again.message.is_none() && again.warnings.is_empty());
    }
}

#[tokio::test]
async fn a_crash_before_the_commit_loses_nothing_and_after_it_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let alice = Person::new("alice", 1, Place::Memory).await;
    let mut bob = Person::new("bob", 2, file(&path)).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    let undone: Result<()> = {
        let arrival = Arrival::read(1, NOW, envelope.clone()).unwrap();
        let (own, mut rng) = (bob.own.clone(), crate::random::Randomness::seeded(9).rng());
        bob.store
            .write(move |tx| {
                let row = conversations::load(tx, chat)?.unwrap();
                apply(tx, &own, &row, &arrival, NOW, &mut rng)?;
                Err(crate::Kind::StoreFailed.into())
            })
            .await
    };
    let bob = bob.after_a_crash(&path).await;
    let applied_before = bob.applied(chat).await;
    let first = bob.opens(1, &envelope).await;
    let bob = bob.after_a_crash(&path).await;
    let second = bob.opens(1, &envelope).await;

    assert!(undone.is_err());
    assert_eq!(applied_before, 0);
    assert_eq!(words(&first).as_deref(), Some("hello"));
    assert!(second.message.is_none());
    assert_eq!(bob.applied(chat).await, 1);
}

#[tokio::test]
async fn two_processes_that_open_the_same_message_show_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let alice = Person::new("alice", 1, Place::Memory).await;
    let mut bob = Person::new("bob", 2, file(&path)).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    let extension = bob.another_process(&path).await;

    let (one, other) = tokio::join!(bob.opens(1, &envelope), extension.opens(1, &envelope));

    let shown = [&one, &other].iter().filter(|outcome| outcome.message.is_some()).count();
    assert_eq!(shown, 1);
    assert!(one.warnings.is_empty() && other.warnings.is_empty());
}

#[tokio::test]
async fn an_altered_message_is_not_shown_and_stops_nothing() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "one").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(first, 1).await;
    alice.says(chat, "two").await;
    let (_, next) = alice.seals(chat, &mut []).await;

    let refused = bob.opens(1, &altered(&envelope)).await;
    let heard = bob.opens(2, &next).await;

    let sender = alice.own.address;
    let expected = Warning::NotAuthentic { conversation: chat, sender, message: first };
    assert_eq!(refused.warnings, [expected]);
    assert!(refused.message.is_none() && bob.has(first).await.is_none());
    assert_eq!(words(&heard).as_deref(), Some("two"));
    assert_eq!(bob.applied(chat).await, 2);
}

#[tokio::test]
async fn a_forged_message_moves_no_session() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    alice.says(chat, "one").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    let sender = alice.own.address;
    let sessions = move |tx: &Transaction<'_>, _: &Own, _: &mut crate::random::Rng| {
        Ok(sessions::load(tx, sender)?.to_snapshot().to_vec())
    };
    let before = bob.write(sessions).await;

    bob.opens(1, &altered(&envelope)).await;

    assert_eq!(bob.write(sessions).await, before);
}

#[tokio::test]
async fn a_message_that_never_came_is_noticed_by_the_next() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let mut sealed = Vec::new();
    for (sequence, text) in (1..).zip(["one", "two", "three", "four"]) {
        let id = alice.says(chat, text).await;
        sealed.push(alice.seals(chat, &mut [&mut bob]).await.1);
        alice.is_told(id, sequence).await;
    }

    bob.opens(1, &sealed[0]).await;
    let after_the_gap = bob.opens(4, &sealed[3]).await;

    let sender = alice.own.address;
    let gap = Warning::GapNoticed { conversation: chat, sender, missing: 2 };
    assert_eq!(after_the_gap.warnings, [gap]);
    assert_eq!(words(&after_the_gap).as_deref(), Some("four"));
}

#[tokio::test]
async fn what_a_removed_member_says_under_an_older_head_is_not_shown() {
    let mut alice = Person::new("alice", 1, Place::Memory).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let mut carol = Person::new("carol", 3, Place::Memory).await;
    let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
    let last = carol.says(chat, "I am still here").await;
    let (_, under_old_head) = carol.seals(chat, &mut [&mut bob, &mut alice]).await;
    let remove = Change::Remove { account: carol.own.account() };
    let entry = alice.decides(Some(chat), remove).await;
    alice.hears_of(chat, &entry).await;
    bob.hears_of(chat, &entry).await;
    alice.says(chat, "without carol").await;
    let (_, under_new_head) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;

    bob.opens(1, &under_new_head).await;
    let refused = bob.opens(2, &under_old_head).await;

    let sender = carol.own.address;
    let expected = Warning::NotAMember { conversation: chat, sender, message: last };
    assert_eq!(refused.warnings, [expected]);
    assert!(refused.message.is_none());
}

#[tokio::test]
async fn another_membership_log_than_ours_is_noticed() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    // Alice is shown an entry that is kept from Bob.
    let entry = alice
        .decides(
            Some(chat),
            Change::SetPolicy { policy: Policy { timer: None, ..Policy::DEFAULT } },
        )
        .await;
    alice.hears_of(chat, &entry).await;
    alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    let outcome = bob.opens(1, &envelope).await;

    assert_eq!(outcome.warnings, [Warning::MembershipFork { conversation: chat }]);
    assert_eq!(words(&outcome).as_deref(), Some("hello"));
}

#[tokio::test]
async fn a_message_without_a_wrap_for_us_stops_nothing() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    let bare = Envelope { wraps: chat_core::codec::List::default(), ..envelope };

    let outcome = bob.opens(1, &bare).await;

    let sender = alice.own.address;
    let expected = Warning::NotForThisDevice { conversation: chat, sender, message };
    assert_eq!(outcome.warnings, [expected]);
    assert_eq!(bob.applied(chat).await, 1);
}

#[tokio::test]
async fn a_message_is_not_shown_after_its_time() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let timer = Timer::after_sent(Duration::from_secs(5));
    let message = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    let outcome = bob.opens_at(1, &envelope, later(Duration::from_secs(5))).await;
    let again = bob.opens_at(1, &envelope, NOW).await;

    assert!(outcome.message.is_none() && outcome.warnings.is_empty());
    assert!(again.message.is_none(), "a clock that is set back brings nothing back");
    assert!(bob.has(message).await.is_none());
}

#[tokio::test]
async fn a_clock_of_the_relay_that_is_ahead_does_not_extend_a_timer() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let timer = Timer::after_sent(Duration::from_secs(5));
    let message = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;

    // The relay accepted it at NOW, an hour ahead of Bob's clock.
    let bobs_now = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
    bob.opens_at(1, &envelope, bobs_now).await;

    let deadline = bob.has(message).await.unwrap().deadline;
    assert_eq!(deadline, Some(bobs_now.after(Duration::from_secs(5))));
}

#[tokio::test]
async fn a_receipt_raises_what_it_covers_and_no_more() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let mut ids = Vec::new();
    for (sequence, text) in (1..).zip(["one", "two"]) {
        ids.push(alice.says(chat, text).await);
        let (id, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(id, sequence).await;
        if sequence == 1 {
            bob.opens(1, &envelope).await;
        }
    }
    bob.write(move |tx, own, _| receipts::seen(tx, own, chat, NOW)).await;
    let [receipt] = bob.receipts().await.try_into().unwrap();

    let forged = {
        let mut forged = receipt.clone();
        forged.signer = alice.own.address;
        forged.signer.account = bob.own.account();
        forged
    };
    let refused = alice.write(move |tx, own, _| receipts::count(tx, own, forged, NOW)).await;
    let counted = alice.write(move |tx, own, _| receipts::count(tx, own, receipt, NOW)).await;

    assert!(matches!(refused.warning, Some(Warning::ReceiptForged { .. })));
    assert_eq!(counted.progress, [(ids[0], Status::Seen)]);
    assert_eq!(alice.has(ids[1]).await.unwrap().status, Status::Sent);
}

/// The same with another payload, as a relay would have to make it.
fn altered(envelope: &Envelope) -> Envelope {
    let mut payload = envelope.payload.to_vec();
    payload[0] ^= 1;
    Envelope { payload: Bytes::new(payload).unwrap(), ..envelope.clone() }
}
