//! Timers, receipts, and what is left of a message whose time is over.

use std::sync::Arc;
use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::receipt::ReceiptKind;
use chat_core::time::Timestamp;

use super::people::{NOW, group, message_id, people, stored};
use crate::storage::{Expired, Freshness, ReceiptOutcome, Storage, StorageError};

const AFTER_SENT: Option<Expiry> = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 5_000 });
const AFTER_SEEN: Option<Expiry> = Some(Expiry { mode: ExpiryMode::AfterSeen, after_ms: 5_000 });

pub(crate) async fn what_is_due_is_not_read_before_it_is_erased(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes_with(&chat, "short", AFTER_SENT)).await;
    stored(&store, alice.writes(&chat, "long")).await;

    let has_envelopes = async |now| {
        let page = store.read_after(bob.address(0), chat.id(), 0, 10, now).await.unwrap();
        page.messages.iter().map(|message| message.envelope.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(has_envelopes(at_ms(4_999)).await, [true, true]);
    assert_eq!(has_envelopes(at_ms(5_000)).await, [false, true]);
}

pub(crate) async fn an_erased_message_keeps_its_place_and_its_id(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let message = alice.writes_with(&chat, "short", AFTER_SENT);
    stored(&store, message.clone()).await;
    stored(&store, alice.writes(&chat, "long")).await;

    let expired = store.expire_due(at_ms(5_000), 100).await.unwrap();
    let again = store.expire_due(at_ms(5_000), 100).await.unwrap();

    let conversation = chat.id();
    assert_eq!(expired, [Expired { conversation, sequence: 1, message: message_id("short") }]);
    assert!(again.is_empty());
    let page = store.read_after(bob.address(0), chat.id(), 0, 10, NOW).await.unwrap();
    assert_eq!(page.messages[0].message, message_id("short"));
    assert!(page.messages[0].envelope.is_none());
    assert!(page.messages[1].envelope.is_some());
    let resent = store.append(&[message], at_ms(6_000)).await.unwrap()[0].unwrap();
    assert_eq!((resent.sequence, resent.freshness), (1, Freshness::Duplicate));
}

pub(crate) async fn nothing_is_erased_before_its_time(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    for number in 0..5 {
        stored(&store, alice.writes_with(&chat, &number.to_string(), AFTER_SENT)).await;
    }

    assert_eq!(store.expire_due(at_ms(4_999), 100).await.unwrap().len(), 0);
    assert_eq!(store.expire_due(at_ms(5_000), 3).await.unwrap().len(), 3);
    assert_eq!(store.expire_due(at_ms(5_000), 3).await.unwrap().len(), 2);
}

pub(crate) async fn sweeps_at_once_erase_each_message_once(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    let texts: Vec<_> = (0..40).map(|number: u8| number.to_string()).collect();
    let batch: Vec<_> =
        texts.iter().map(|text| alice.writes_with(&chat, text, AFTER_SENT)).collect();
    store.append(&batch, NOW).await.unwrap();

    let sweep = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut erased = Vec::new();
            for _ in 0..20 {
                erased.extend(store.expire_due(at_ms(5_000), 5).await.unwrap());
            }
            erased
        })
    };
    let tasks: Vec<_> = (0..4).map(sweep).collect();
    let mut sequences = Vec::new();
    for task in tasks {
        sequences.extend(task.await.unwrap().into_iter().map(|expired| expired.sequence));
    }

    sequences.sort_unstable();
    assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
}

pub(crate) async fn a_timer_after_seen_waits_for_everybody(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob, &carol], 1).await;
    stored(&store, alice.writes_with(&chat, "look", AFTER_SEEN)).await;
    let seen = |person: &super::people::Person, kind| person.receipt(0, &chat, kind, 1);
    let later = at_ms(1_000_000);

    for receipt in [
        seen(&bob, ReceiptKind::Delivered),
        seen(&carol, ReceiptKind::Delivered),
        seen(&bob, ReceiptKind::Seen),
        seen(&alice, ReceiptKind::Seen),
    ] {
        store.put_receipt(&receipt, NOW).await.unwrap();
        assert!(store.expire_due(later, 10).await.unwrap().is_empty());
    }
    store.put_receipt(&seen(&carol, ReceiptKind::Seen), at_ms(60_000)).await.unwrap();

    assert!(store.expire_due(at_ms(64_999), 10).await.unwrap().is_empty());
    assert_eq!(store.expire_due(at_ms(65_000), 10).await.unwrap().len(), 1);
}

pub(crate) async fn a_timer_does_not_wait_for_who_has_left(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob, &carol], 1).await;
    stored(&store, alice.writes_with(&chat, "look", AFTER_SEEN)).await;
    let seen = bob.receipt(0, &chat, ReceiptKind::Seen, 1);
    store.put_receipt(&seen, NOW).await.unwrap();

    let (entry, after) = alice.removes(&chat, &carol);
    store.append_entry(&entry, &after, at_ms(1_000)).await.unwrap();

    assert!(store.expire_due(at_ms(5_999), 10).await.unwrap().is_empty());
    assert_eq!(store.expire_due(at_ms(6_000), 10).await.unwrap().len(), 1);
}

pub(crate) async fn two_last_receipts_at_once_start_the_timer(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob, &carol], 1).await;

    for round in 1..=10 {
        let message = alice.writes_with(&chat, &round.to_string(), AFTER_SEEN);
        stored(&store, message).await;
        let put = |person: &super::people::Person| {
            let (store, seen) = (store.clone(), person.receipt(0, &chat, ReceiptKind::Seen, round));
            tokio::spawn(async move { store.put_receipt(&seen, NOW).await })
        };
        for task in [put(&bob), put(&carol)] {
            assert_eq!(task.await.unwrap(), Ok(ReceiptOutcome::Advanced));
        }

        assert_eq!(store.expire_due(at_ms(5_000), 10).await.unwrap().len(), 1);
    }
}

pub(crate) async fn receipts_only_go_forward(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    for text in ["one", "two"] {
        stored(&store, alice.writes(&chat, text)).await;
    }
    let put = async |kind, up_to| {
        store.put_receipt(&bob.receipt(0, &chat, kind, up_to), NOW).await.unwrap()
    };

    assert_eq!(put(ReceiptKind::Delivered, 2).await, ReceiptOutcome::Advanced);
    assert_eq!(put(ReceiptKind::Seen, 1).await, ReceiptOutcome::Advanced);
    assert_eq!(put(ReceiptKind::Seen, 1).await, ReceiptOutcome::Known);
    assert_eq!(put(ReceiptKind::Delivered, 1).await, ReceiptOutcome::Known);

    let mut receipts = store.receipts(chat.id()).await.unwrap();
    let expected = [
        bob.receipt(0, &chat, ReceiptKind::Delivered, 2),
        bob.receipt(0, &chat, ReceiptKind::Seen, 1),
    ];
    assert_eq!(receipts.len(), 2);
    receipts.retain(|receipt| expected.iter().any(|known| &receipt.receipt == known.source()));
    assert_eq!(receipts.len(), 2);
    assert!(receipts.iter().all(|receipt| receipt.signer == bob.address(0)));
}

pub(crate) async fn a_receipt_for_what_is_not_there_is_refused(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    let put = async |receipt| store.put_receipt(&receipt, NOW).await;

    for refused in [
        bob.receipt(0, &chat, ReceiptKind::Seen, 2),
        bob.receipt(0, &chat, ReceiptKind::Seen, u64::MAX),
        bob.receipt(0, &chat, ReceiptKind::Seen, 0),
        carol.receipt(0, &chat, ReceiptKind::Seen, 1),
    ] {
        assert_eq!(put(refused).await, Err(StorageError::NotFound));
    }
    assert!(store.receipts(chat.id()).await.unwrap().is_empty());
}

fn at_ms(ms: u64) -> Timestamp {
    NOW.after(Duration::from_millis(ms))
}
