use chat_core::envelope::{Suite, WrapScheme};
use chat_core::limits::PAYLOAD_BYTES_MAX;
use chat_core::membership::{Allowed, Change, Policy};
use chat_core::reject::{Reject, RejectCode};

use super::*;
use crate::ageing::{REPLACE_AFTER, WARN_AFTER};
use crate::message::{Draft, Status};
use crate::outbox::{self, Remedy};
use crate::stage::{Person, alice_and_bob, bundles_of, file, group, later, words};
use crate::store::{Place, peers};

#[tokio::test]
async fn with_a_bundle_at_hand_a_new_session_takes_the_place_of_one_that_is_worn() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "first").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(first, 1).await;
    bob.opens(1, &envelope).await;
    bob.says(chat, "answer").await;
    let (answer, envelope) = bob.seals(chat, &mut []).await;
    bob.is_told(answer, 2).await;
    alice.opens(2, &envelope).await;
    let bundles = bundles_of(vec![bob.own.address], &mut [&mut bob]);

    alice.says(chat, "second").await;
    let Step::Send(_, renewed) = alice.step(chat, &bundles).await else { unreachable!() };
    let outcome = bob.opens(3, &renewed).await;

    assert_eq!(words(&outcome).as_deref(), Some("second"));
    assert!(renewed.wraps[0].bytes.len() > envelope.wraps[0].bytes.len() + 1_000);
    assert!(is_worn(&SealError::Session(SessionError::Exhausted)));
    assert!(!is_worn(&SealError::Session(SessionError::TooLong)));
}

#[tokio::test]
async fn missing_sessions_are_named_all_at_once_and_nothing_has_changed() {
    let alice = Person::new("alice", 1, Place::Memory).await;
    let bob = Person::new("bob", 2, Place::Memory).await;
    let carol = Person::new("carol", 3, Place::Memory).await;
    let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
    let message = alice.says(chat, "hello").await;

    let step = alice.step(chat, &Bundles::new()).await;

    let Step::Bundles(mut missing) = step else { panic!("{step:?}") };
    missing.sort();
    let mut both = vec![bob.own.address, carol.own.address];
    both.sort();
    assert_eq!(missing, both);
    assert_eq!(alice.has(message).await.unwrap().number, None);
}

#[tokio::test]
async fn a_list_that_is_no_longer_the_newest_is_fetched_first() {
    let (alice, bob, chat) = alice_and_bob().await;
    alice.says(chat, "hello").await;
    let account = bob.own.account();
    alice.write(move |tx, _, _| peers::mark_stale(tx, account)).await;

    let step = alice.step(chat, &Bundles::new()).await;

    assert!(matches!(step, Step::Lists(accounts) if accounts == [account].into()));
}

#[tokio::test]
async fn text_is_compressed_only_when_the_app_says_so() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let text = "All happy families are alike. ".repeat(100);
    let as_it_is = alice.says(chat, &text).await;
    let plain = alice.seals(chat, &mut [&mut bob]).await.1;
    alice.is_told(as_it_is, 1).await;

    alice.says_with(chat, Draft::text(&*text).compressed()).await;
    let short = alice.seals(chat, &mut []).await.1;

    assert!(short.payload.len() < 600 && plain.payload.len() > 3_000);
    for (sequence, envelope) in [(1, plain), (2, short)] {
        assert_eq!(words(&bob.opens(sequence, &envelope).await), Some(text.clone()));
    }
}

#[tokio::test]
async fn every_attempt_sends_the_same_bytes_also_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let alice = Person::new("alice", 1, file(&path)).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    let message = alice.says(chat, "hello").await;

    let alice = alice.after_a_crash(&path).await;
    let first = alice.seals(chat, &mut [&mut bob]).await;
    let second = alice.seals(chat, &mut []).await;
    let alice = alice.after_a_crash(&path).await;
    let third = alice.seals(chat, &mut []).await;

    assert_eq!(first.0, message);
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert_eq!(words(&bob.opens(1, &third.1).await).as_deref(), Some("hello"));
}

#[tokio::test]
async fn an_answer_that_was_lost_in_a_crash_is_taken_when_it_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let alice = Person::new("alice", 1, file(&path)).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    let first = alice.says(chat, "one").await;
    let second = alice.says(chat, "two").await;
    alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(first, 1).await;

    let alice = alice.after_a_crash(&path).await;
    alice.is_told(first, 1).await;
    let (next, _) = alice.seals(chat, &mut []).await;

    assert_eq!(next, second);
    let row = alice.has(first).await.unwrap();
    assert_eq!((row.status, row.sequence), (Status::Sent, Some(1)));
}

#[tokio::test]
async fn the_next_message_waits_for_the_one_before() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "one").await;
    let second = alice.says(chat, "two").await;

    let sealed = alice.seals(chat, &mut [&mut bob]).await;
    let again = alice.seals(chat, &mut []).await;
    alice.is_told(first, 1).await;
    let after = alice.seals(chat, &mut []).await;

    assert_eq!((sealed.0, again.0, after.0), (first, first, second));
}

#[tokio::test]
async fn a_message_that_is_sealed_again_keeps_its_id_and_its_place_in_the_count() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    let refused = alice.seals(chat, &mut [&mut bob]).await;

    let remedy = rejects(&alice, message, RejectCode::StaleMembership).await;
    let policy = Policy { post: Allowed::Admins, ..Policy::DEFAULT };
    let entry = alice.decides(Some(chat), Change::SetPolicy { policy }).await;
    alice.hears_of(chat, &entry).await;
    bob.hears_of(chat, &entry).await;
    let taken = alice.seals(chat, &mut []).await;
    alice.is_told(message, 1).await;
    alice.says(chat, "and on").await;
    let next = alice.seals(chat, &mut []).await;

    assert_eq!(remedy, Remedy::CatchUp);
    assert_eq!(taken.0, refused.0);
    assert_ne!(taken.1, refused.1);
    assert_eq!(taken.1.read_header().unwrap().membership_index, 1);
    assert_eq!(alice.has(message).await.unwrap().number, Some(1));
    let heard = [bob.opens(1, &taken.1).await, bob.opens(2, &next.1).await];
    assert_eq!(heard.each_ref().map(words), [Some("hello".into()), Some("and on".into())]);
    assert!(heard.iter().all(|outcome| outcome.warnings.is_empty()), "no gap is seen");
}

#[tokio::test]
async fn a_refusal_that_may_pass_keeps_the_bytes() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    let before = alice.seals(chat, &mut [&mut bob]).await;

    let remedy = rejects(&alice, message, RejectCode::RateLimited).await;

    assert!(matches!(remedy, Remedy::Wait(_)));
    assert_eq!(alice.seals(chat, &mut []).await, before);
}

#[tokio::test]
async fn a_refusal_for_good_fails_the_message_and_lets_the_next_one_pass() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "one").await;
    let second = alice.says(chat, "two").await;
    alice.seals(chat, &mut [&mut bob]).await;

    let remedy = rejects(&alice, first, RejectCode::NotAMember).await;

    assert_eq!(remedy, Remedy::GiveUp);
    let row = alice.has(first).await.unwrap();
    assert_eq!((row.status, row.failure.as_deref()), (Status::Failed, Some("not_a_member")));
    assert_eq!(alice.seals(chat, &mut []).await.0, second);
}

#[tokio::test]
async fn a_relay_that_always_calls_it_stale_is_not_believed_for_ever() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;

    let mut remedy = Remedy::Wait(std::time::Duration::ZERO);
    for _ in 0..100 {
        if remedy != Remedy::GiveUp {
            alice.seals(chat, &mut [&mut bob]).await;
            remedy = rejects(&alice, message, RejectCode::StaleDevices).await;
        }
    }

    assert_eq!(remedy, Remedy::GiveUp);
    assert_eq!(alice.has(message).await.unwrap().status, Status::Failed);
}

#[tokio::test]
async fn many_failures_that_may_pass_do_not_use_up_the_patience_for_others() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    alice.seals(chat, &mut [&mut bob]).await;
    for _ in 0..100 {
        rejects(&alice, message, RejectCode::Unavailable).await;
    }

    let remedy = rejects(&alice, message, RejectCode::StaleDevices).await;

    assert_eq!(remedy, Remedy::FetchLists);
}

#[tokio::test]
async fn who_was_removed_after_writing_is_told_so() {
    let (alice, bob, chat) = alice_and_bob().await;
    let message = bob.says(chat, "wait for me").await;
    let remove = Change::Remove { account: bob.own.account() };
    let entry = alice.decides(Some(chat), remove).await;
    bob.hears_of(chat, &entry).await;

    let step = bob.step(chat, &Bundles::new()).await;

    assert!(matches!(step, Step::Refused(id, Kind::NotAMember) if id == message));
}

#[tokio::test]
async fn a_message_that_is_too_long_moves_no_ratchet() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    alice.says(chat, "hello").await;
    let (first, _) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(first, 1).await;
    let before = snapshot(&alice, &bob).await;

    let long = Draft::other("app", vec![0; PAYLOAD_BYTES_MAX - 10]);
    let message = alice.says_with(chat, long).await;
    let step = alice.step(chat, &Bundles::new()).await;

    assert!(matches!(step, Step::Refused(id, Kind::TooLarge) if id == message), "{step:?}");
    assert_eq!(snapshot(&alice, &bob).await, before);
}

#[tokio::test]
async fn a_session_that_was_not_renewed_for_a_week_is_told_of_and_sent_on() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    said(&alice, chat, &mut bob).await;
    let almost = later(WARN_AFTER - std::time::Duration::from_millis(1));
    alice.says(chat, "again").await;

    let fresh = alice.step_at(chat, &Bundles::new(), almost).await;
    assert!(matches!(fresh.step, Step::Send(..)) && fresh.old.is_empty());
    alice.is_told(sent(&fresh), 2).await;
    alice.says(chat, "and again").await;
    let old = alice.step_at(chat, &Bundles::new(), later(WARN_AFTER)).await;

    assert!(matches!(old.step, Step::Send(..)));
    assert_eq!(old.old, [bob.own.address]);
}

#[tokio::test]
async fn nothing_is_sent_on_a_session_that_was_not_renewed_for_a_month() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    said(&alice, chat, &mut bob).await;
    let before = snapshot(&alice, &bob).await;
    let too_late = later(REPLACE_AFTER);
    alice.says(chat, "long ago").await;

    let refused = alice.step_at(chat, &Bundles::new(), too_late).await;
    let Step::Bundles(missing) = refused.step else { panic!("{:?}", refused.step) };
    assert_eq!(missing, [bob.own.address]);
    assert_eq!(snapshot(&alice, &bob).await, before);
    let bundles = bundles_of(missing, &mut [&mut bob]);
    let renewed = alice.step_at(chat, &bundles, too_late).await;

    let Step::Send(_, envelope) = renewed.step else { panic!("{:?}", renewed.step) };
    assert!(renewed.old.is_empty());
    let opened = bob.opens_at(2, &envelope, too_late).await;
    assert_eq!(words(&opened).as_deref(), Some("long ago"));
}

#[tokio::test]
async fn two_processes_that_seal_at_once_send_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let alice = Person::new("alice", 1, file(&path)).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    let opening = alice.says(chat, "hello").await;
    alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(opening, 1).await;
    let extension = alice.another_process(&path).await;
    alice.says(chat, "from both of us").await;

    let none = Bundles::new();
    let (one, other) = tokio::join!(alice.step(chat, &none), extension.step(chat, &none));

    let (Step::Send(_, one), Step::Send(_, other)) = (one, other) else { panic!() };
    assert_eq!(one, other);
}

#[tokio::test]
async fn a_conversation_wrapped_for_accounts_is_signed_and_read() {
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing] {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let chat = group(&[&alice, &bob], Policy { scheme, ..Policy::DEFAULT }).await;
        alice.says(chat, "signed").await;

        let (_, envelope) = alice.seals(chat, &mut []).await;
        let heard = bob.opens(1, &envelope).await;

        assert_eq!(envelope.wraps.len(), 2, "for both accounts, with all their devices");
        assert_eq!(words(&heard).as_deref(), Some("signed"));
        assert_eq!(heard.message.unwrap().suite, Suite::Signed);
    }
}

async fn rejects(person: &Person, message: MessageId, code: RejectCode) -> Remedy {
    person.write(move |tx, _, _| outbox::rejected(tx, message, &Reject::from(code))).await
}

async fn snapshot(person: &Person, other: &Person) -> Vec<u8> {
    let theirs = other.own.address;
    let sessions = person.write(move |tx, _, _| sessions::load(tx, theirs)).await;
    sessions.to_snapshot().to_vec()
}

/// Alice has said something, and the relay and Bob have it.
async fn said(alice: &Person, chat: ConversationId, bob: &mut Person) {
    let message = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [bob]).await;
    alice.is_told(message, 1).await;
    bob.opens(1, &envelope).await;
}

fn sent(advance: &Advance) -> MessageId {
    let Step::Send(id, _) = &advance.step else { panic!("{:?}", advance.step) };
    *id
}
