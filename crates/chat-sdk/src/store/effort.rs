//! What a message costs the store does not grow with what the store holds. Counted in the steps of
//! SQLite's machine, which no other load disturbs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::id::ConversationId;
use rusqlite::{StatementStatus, Transaction};

use super::{
    Store, deletions, outbox, receipts, search, settings, timeline, timers, uploads, window,
};
use crate::clock::Steady;
use crate::message::{Draft, Page, Timer};
use crate::receipts::{count, delivered, seen};
use crate::stage::{NOW, Person, alice_and_bob, later};

const STEADY: Steady = Steady { boot: [1; 16], since: Duration::ZERO };
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_message_costs_the_same_however_many_are_there() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let mut spent = Vec::new();

    for place in 1..=160 {
        let counter = counting(&alice).await;
        exchange(&alice, &mut bob, chat, place).await;
        spent.push(counter.load(Ordering::Relaxed));
    }

    let (few, many) = (median(&mut spent[10..30]), median(&mut spent[140..]));
    assert!(many * 10 <= few * 11, "{few} steps with few messages there, {many} with many");
}

#[tokio::test]
async fn what_is_found_among_frequent_words_costs_the_same_however_many_have_them() {
    let (alice, _, chat) = alice_and_bob().await;
    let mut spent = Vec::new();

    for round in 1..=3 {
        for place in 0..60 {
            alice.says(chat, "red and green").await;
            let now = later(Duration::from_secs(round * 60 + place));
            alice
                .write(move |tx, _, _| {
                    let sql = "UPDATE messages SET sent_at = ?1 WHERE sent_at = ?2";
                    Ok(tx.execute(sql, [now.as_millis(), NOW.as_millis()])?)
                })
                .await;
        }
        let counter = counting(&alice).await;
        let found = alice.write(|tx, _, _| search::find(tx, "green red", None, 10, NOW)).await;
        spent.push(counter.load(Ordering::Relaxed));
        assert_eq!(found.len(), 10);
    }

    assert!(spent[2] * 10 <= spent[0] * 11, "{spent:?} steps");
}

#[tokio::test]
async fn what_is_bound_does_not_have_a_statement_compiled_again() {
    let store = Store::in_memory().await.unwrap();

    let again = store.read(|tx| {
        // The index `settings_pending` holds the rows in which this is 1.
        let mut statement = tx.prepare("SELECT count(*) FROM settings WHERE pending = ?1")?;
        for pending in [1, 2, 1, 3] {
            let _: i64 = statement.query_row([pending], |row| row.get(0))?;
        }
        Ok(statement.get_status(StatementStatus::RePrepare))
    });

    assert_eq!(again.await.unwrap(), 0);
}

/// Alice says something that vanishes, Bob holds and sees it, and both look after what is left.
async fn exchange(alice: &Person, bob: &mut Person, chat: ConversationId, place: u64) {
    let timer = Timer::after_sent(HOUR);
    let message = alice.says_with(chat, Draft::text("of many, one").expiring(timer)).await;
    let (_, envelope) = alice.seals(chat, &mut [bob]).await;
    alice.is_told(message, place).await;
    bob.opens(place, &envelope).await;
    bob.write(move |tx, own, _| {
        delivered(tx, own, chat, place, NOW)?;
        seen(tx, own, chat, NOW)
    })
    .await;
    for receipt in bob.receipts().await {
        alice.write(move |tx, own, _| count(tx, own, receipt, NOW)).await;
    }
    alice
        .write(move |tx, _, _| {
            look_around(tx)?;
            look_at(tx, chat)
        })
        .await;
}

/// What the engine asks the store with everything that happens.
fn look_around(tx: &Transaction<'_>) -> crate::error::Result<()> {
    if timers::are_unsettled(tx, STEADY)? {
        timers::settle(tx, NOW, STEADY)?;
    }
    assert_eq!(timers::next(tx, NOW, STEADY)?, Some(HOUR));
    deletions::pending(tx)?;
    receipts::pending(tx)?;
    settings::refused(tx)?;
    uploads::all(tx)?;
    outbox::waiting(tx)?;
    outbox::is_empty(tx)?;
    Ok(())
}

/// What an app shows of a conversation.
fn look_at(tx: &Transaction<'_>, chat: ConversationId) -> crate::error::Result<()> {
    timeline::page(tx, chat, Page::latest(5), NOW)?;
    let bound = window::newest(tx, chat, 5, NOW)?;
    window::size(tx, chat, bound, NOW)?;
    window::messages(tx, chat, bound, NOW)?;
    Ok(())
}

/// Counts a person's steps from here on.
async fn counting(person: &Person) -> Arc<AtomicU64> {
    let counter = Arc::new(AtomicU64::new(0));
    let steps = Arc::clone(&counter);
    let step = move || {
        steps.fetch_add(1, Ordering::Relaxed);
        false
    };
    person.write(move |tx, _, _| Ok(tx.progress_handler(1, Some(step))?)).await;
    counter
}

fn median(steps: &mut [u64]) -> u64 {
    steps.sort_unstable();
    steps[steps.len() / 2]
}
