//! Appending: gapless, once, and each message on its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chat_core::membership::{ConversationKind, Membership};

use super::people::{NOW, group, message_id, people, stored};
use crate::storage::{AppendError, Appended, Freshness, NewMessage, Storage};

pub(crate) async fn sequences_are_gapless_with_many_writers(store: Arc<dyn Storage>) {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 12;
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chats = three_groups(&store, &alice, &bob).await;

    let writer = |number: usize| {
        let (store, alice, chats) = (store.clone(), alice.clone(), chats.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for round in 0..ROUNDS {
                // Each writer takes the conversations in another order, and sends twice.
                let text = |chat: usize| format!("{number} {round} {chat}");
                let order = (0..chats.len()).map(|place| (place + number) % chats.len());
                let batch: Vec<NewMessage> =
                    order.map(|chat| alice.writes(&chats[chat], &text(chat))).collect();
                for _ in 0..2 {
                    let appended = store.append(&batch, NOW).await.unwrap();
                    let ids = batch.iter().map(|m| (m.header.conversation, m.header.message));
                    answers.extend(ids.zip(appended.into_iter().map(Result::unwrap)));
                }
            }
            answers
        })
    };
    let tasks: Vec<_> = (0..WRITERS).map(writer).collect();
    let mut places: BTreeMap<_, BTreeMap<_, BTreeSet<u64>>> = BTreeMap::new();
    for task in tasks {
        for ((conversation, message), appended) in task.await.unwrap() {
            let messages = places.entry(conversation).or_default();
            messages.entry(message).or_default().insert(appended.sequence);
        }
    }

    let expected = u64::try_from(WRITERS * ROUNDS).unwrap();
    for chat in &chats {
        let messages = &places[&chat.id()];
        assert!(messages.values().all(|sequences| sequences.len() == 1));
        let sequences: BTreeSet<u64> = messages.values().flatten().copied().collect();
        assert_eq!(sequences, (1..=expected).collect());
        assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().last, expected);
    }
}

pub(crate) async fn a_resend_returns_the_first_sequence(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let message = alice.writes(&chat, "hello");
    let first = store.append(std::slice::from_ref(&message), NOW).await.unwrap();
    stored(&store, bob.writes(&chat, "hello yourself")).await;

    let later = NOW.after(Duration::from_secs(5));
    let second = store.append(&[message], later).await.unwrap();

    assert_eq!(first, [Ok(Appended { sequence: 1, at: NOW, freshness: Freshness::New })]);
    assert_eq!(second, [Ok(Appended { sequence: 1, at: NOW, freshness: Freshness::Duplicate })]);
    assert_eq!(stored(&store, alice.writes(&chat, "next")).await, 3);
}

pub(crate) async fn a_resend_is_recognised_when_the_membership_has_moved_on(
    store: Arc<dyn Storage>,
) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    let message = alice.writes(&chat, "hello");
    stored(&store, message.clone()).await;
    let (adding, with_bob) = alice.adds(&chat, &bob);
    store.append_entry(&adding, &with_bob, NOW).await.unwrap();

    let answers = store.append(&[message, alice.writes(&chat, "sealed too early")], NOW).await;

    let answers = answers.unwrap();
    assert_eq!(answers[0].unwrap().freshness, Freshness::Duplicate);
    assert_eq!(answers[1], Err(AppendError::StaleMembership));
}

pub(crate) async fn a_message_twice_in_one_batch_is_stored_once(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let message = alice.writes(&chat, "hello");

    let answers = store.append(&[message.clone(), message], NOW).await.unwrap();

    let new = Appended { sequence: 1, at: NOW, freshness: Freshness::New };
    let duplicate = Appended { freshness: Freshness::Duplicate, ..new };
    assert_eq!(answers, [Ok(new), Ok(duplicate)]);
    assert_eq!(stored(&store, alice.writes(&chat, "next")).await, 2);
}

pub(crate) async fn a_refused_message_does_not_hinder_the_others(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let (_, unknown) = alice.creates(ConversationKind::Group, &[&bob], 2);
    let mut ahead = alice.writes(&chat, "ahead");
    ahead.header.membership_index = 9;
    let mut forked = alice.writes(&chat, "forked");
    forked.header.membership_head = unknown.head();
    let batch = [
        alice.writes(&chat, "one"),
        alice.writes(&unknown, "lost"),
        ahead,
        forked,
        alice.writes(&chat, "two"),
    ];

    let answers = store.append(&batch, NOW).await.unwrap();

    let sequences: Vec<_> = answers.iter().map(|a| a.map(|appended| appended.sequence)).collect();
    let stale = Err(AppendError::StaleMembership);
    assert_eq!(sequences, [Ok(1), Err(AppendError::NotFound), stale, stale, Ok(2)]);
}

pub(crate) async fn another_senders_message_id_is_a_conflict(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "hello")).await;

    let answers = store.append(&[bob.writes(&chat, "hello")], NOW).await.unwrap();

    assert_eq!(answers, [Err(AppendError::Conflict)]);
    let page = store.read_after(bob.address(0), chat.id(), 0, 10, NOW).await.unwrap();
    assert_eq!(page.messages.len(), 1);
    assert_eq!(page.messages[0].message, message_id("hello"));
}

pub(crate) async fn an_empty_batch_is_no_work(store: Arc<dyn Storage>) {
    assert_eq!(store.append(&[], NOW).await, Ok(Vec::new()));
    assert_eq!(store.acknowledge(&[]).await, Ok(()));
    assert_eq!(store.backlog(&[]).await, Ok(Vec::new()));
    assert!(store.take_bundles(&[]).await.unwrap().is_empty());
    assert!(store.active_devices(&[]).await.unwrap().is_empty());
    assert_eq!(store.expire_due(NOW, 0).await, Ok(Vec::new()));
}

pub(crate) async fn batches_that_cross_do_not_block_each_other(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chats = three_groups(&store, &alice, &bob).await;

    // Messages against entries, receipts and sweeps, on the same rows in opposite orders.
    let writer = |number: usize| {
        let (store, alice, mut chats) = (store.clone(), alice.clone(), chats.clone());
        tokio::spawn(async move {
            if number.is_multiple_of(2) {
                chats.reverse();
            }
            for round in 0..10 {
                let text = format!("{number} {round}");
                let batch: Vec<_> = chats.iter().map(|chat| alice.writes(chat, &text)).collect();
                let answers = store.append(&batch, NOW).await.unwrap();
                assert!(answers.iter().all(Result::is_ok));
                let up_to = |chat: &Membership| crate::storage::Acknowledgement {
                    address: alice.address(0),
                    conversation: chat.id(),
                    up_to: round,
                };
                let cursors: Vec<_> = chats.iter().map(up_to).collect();
                store.acknowledge(&cursors).await.unwrap();
                store.expire_due(NOW, 10).await.unwrap();
            }
        })
    };
    let tasks: Vec<_> = (0..6).map(writer).collect();
    for task in tasks {
        task.await.unwrap();
    }

    for chat in &chats {
        assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().last, 60);
    }
}

async fn three_groups(
    store: &Arc<dyn Storage>,
    alice: &super::people::Person,
    bob: &super::people::Person,
) -> Vec<Membership> {
    let mut chats = Vec::new();
    for nonce in 0..3 {
        chats.push(group(store, alice, &[bob], nonce).await);
    }
    chats
}
