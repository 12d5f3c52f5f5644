//! What becomes of the store when an app drops what it waits for: nothing that is not whole.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chat_core::id::MessageId;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use crate::context;
use crate::conversation::Conversation;
use crate::hub::Hub;
use crate::message::Page;
use crate::stage::{NOW, Person, alice_and_bob};
use crate::store::conversations;
use crate::{Draft, ManualClock};

#[tokio::test]
async fn a_call_that_is_dropped_has_happened_as_a_whole_or_not_at_all() {
    let (alice, conversation) = alice().await;
    let mut rng = ChaCha20Rng::seed_from_u64(21);

    for round in 0..120 {
        let polls = rng.random_range(0..3);
        match round % 4 {
            0 => drop_after(polls, conversation.send("hello")).await,
            1 => drop_after(polls, conversation.save_draft(format!("draft {round}"))).await,
            2 => drop_after(polls, conversation.schedule(Draft::text("later"), NOW)).await,
            _ => drop_after(polls, conversation.rename(format!("name {round}"))).await,
        }
    }

    // Whatever was queued is in the outbox, with a message to it, and the other way round.
    let (messages, queued, orphans): (i64, i64, i64) = alice
        .write(|tx, _, _| {
            let count = |sql: &str| tx.query_row(sql, [], |row| row.get(0));
            Ok((
                count("SELECT count(*) FROM messages WHERE status = 1")?,
                count("SELECT count(*) FROM outbox")?,
                count(
                    "SELECT count(*) FROM outbox
                     WHERE message NOT IN (SELECT id FROM messages)",
                )?,
            ))
        })
        .await;
    assert!(messages > 0);
    assert_eq!((queued, orphans), (messages, 0));
    let shown = conversation.messages(Page::latest(1_000)).await.unwrap();
    let found: Vec<MessageId> =
        conversation.search("hello", 1_000).await.unwrap().iter().map(|m| m.id).collect();
    assert_eq!(shown.len(), found.len());
}

#[tokio::test]
async fn a_view_whose_wait_is_dropped_tells_the_same_later() {
    let (alice, conversation) = alice().await;
    let mut timeline = conversation.timeline().await.unwrap();
    let mut items = timeline.items().to_vec();
    let mut rng = ChaCha20Rng::seed_from_u64(22);
    let chat = conversation.id();

    for _ in 0..60 {
        alice.says(chat, "hello").await;
        let polls = rng.random_range(0..4);
        if let Some(steps) = poll_up_to(polls, timeline.next()).await {
            steps.unwrap().iter().for_each(|step| step.apply(&mut items));
        }
    }
    timeline.refresh().await.unwrap().iter().for_each(|step| step.apply(&mut items));

    assert_eq!(items.len(), 60);
    assert_eq!(items, timeline.items());
}

async fn alice() -> (Person, Conversation) {
    let (alice, _, chat) = alice_and_bob().await;
    let clock = ManualClock::at(NOW);
    let hub = Hub::new(context::tests::over(alice.own.clone(), alice.store.clone(), clock));
    let row = alice.write(move |tx, _, _| conversations::load(tx, chat)).await.unwrap();
    (alice, Conversation::new(Arc::new(hub), &row))
}

async fn drop_after<T>(polls: usize, call: impl Future<Output = T>) {
    drop(poll_up_to(polls, call).await);
}

/// Polls a future so often, giving the store's thread time in between, and drops it.
async fn poll_up_to<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..polls {
        if let Poll::Ready(value) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(value);
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    None
}
