//! What the SDK costs an app: sending, catching up, searching, opening. Two people, a real relay on
//! SQLite in this process, encrypted stores in files.
//!
//! Relay, sender and receiver share the machine, and here the process; latencies are whole, rates
//! are of all three together. Run with `cargo xtask bench sdk`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use std::time::{Duration, Instant};

use chat_sdk::{Client, Conversation, Event, StoreKey};
use clap::Parser;
use relay_server::testing::TestRelay;

const PASSWORD: &str = "correct horse battery staple";
/// Words that texts are made of; each text has the one that is searched for or not.
const WORDS: [&str; 8] =
    ["tide", "harbour", "lantern", "copper", "meadow", "violin", "ember", "oak"];
/// One text in so many has a word of its own.
const RARE_EVERY: u32 = 1_000;
const SEARCHES: u32 = 200;
const OPENINGS: u32 = 10;

#[derive(Debug, Parser)]
struct Cli {
    /// Messages that wait for somebody who was away.
    #[arg(long, default_value_t = 10_000)]
    queued: u32,
    /// Messages in the store that is searched and opened.
    #[arg(long, default_value_t = 100_000)]
    stored: u32,
}

#[tokio::main]
async fn main() {
    let cli = Cli::parse();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let relay = TestRelay::start().await;
    let started = Instant::now();
    let alice = register(&relay, "alice", &folder.path().join("alice.store")).await;
    let bob = register(&relay, "bob", &path).await;
    println!("{:<56}{:>14}", "the SDK", "measured");
    let chat = alice.direct("bob").await.unwrap();
    let mut heard = bob.events();
    chat.send(text(0)).await.unwrap();
    hear(&mut heard, 1).await;
    row("two registrations and the first message", started.elapsed());

    sending(&chat).await;
    hear(&mut heard, 1_000).await;
    bob.go_offline().await.unwrap();
    say(&alice, &chat, cli.queued).await;
    let began = Instant::now();
    bob.go_online().await.unwrap();
    hear(&mut heard, cli.queued).await;
    rate("messages opened, stored and indexed after being away", cli.queued, began.elapsed());

    let rest = cli.stored.saturating_sub(cli.queued).max(1);
    let began = Instant::now();
    let (_, ()) = tokio::join!(say(&alice, &chat, rest), hear(&mut heard, rest));
    rate("messages from one to the other, both at work", rest, began.elapsed());

    searching(&bob).await;
    bob.close().await.unwrap();
    opening(&relay, &path).await;
}

async fn register(relay: &TestRelay, name: &str, path: &Path) -> Client {
    let builder = Client::builder(relay.url()).store(path, key());
    let client = builder.register(name, PASSWORD).await.unwrap().client;
    client.sync().await.unwrap();
    client
}

fn key() -> StoreKey {
    StoreKey::from_bytes([7; 32])
}

fn text(number: u32) -> String {
    let word = |step: u32| WORDS[(number / step) as usize % WORDS.len()];
    let rare = if number.is_multiple_of(RARE_EVERY) { "quartz" } else { "stone" };
    format!("{number}: the {} by the {} and the {} of {rare}", word(1), word(7), word(31))
}

/// How long the app waits until what it says is safely in the outbox.
async fn sending(chat: &Conversation) {
    let mut taken = Vec::new();
    for number in 0..1_000 {
        let began = Instant::now();
        chat.send(text(number)).await.unwrap();
        taken.push(began.elapsed());
    }
    quantiles("send() until it returns", taken);
}

/// Says so many things, and waits until the relay has them.
async fn say(client: &Client, chat: &Conversation, count: u32) {
    for number in 0..count {
        chat.send(text(number)).await.unwrap();
    }
    client.flush().await.unwrap();
}

/// Waits for the last of so many messages; a listener that falls behind misses some before it.
async fn hear(events: &mut chat_sdk::Events, count: u32) {
    let last = text(count - 1);
    loop {
        let event = events.next().await.expect("the client ended");
        if matches!(event, Event::Message(message) if message.text() == Some(&last)) {
            return;
        }
    }
}

async fn searching(client: &Client) {
    for (what, words, expected) in [
        ("a search for a rare word", "quartz", 50),
        ("a search for three frequent words", "harbour lantern stone", 50),
    ] {
        let mut taken = Vec::new();
        for _ in 0..SEARCHES {
            let began = Instant::now();
            let found = client.search(words, expected).await.unwrap();
            taken.push(began.elapsed());
            assert!(!found.is_empty(), "there is something to find");
        }
        quantiles(what, taken);
    }
}

async fn opening(relay: &TestRelay, path: &Path) {
    let mut taken = Vec::new();
    for _ in 0..OPENINGS {
        let began = Instant::now();
        let client = Client::builder(relay.url()).store(path, key()).open().await.unwrap();
        let [chat] = client.conversations().await.unwrap().try_into().unwrap();
        let newest = chat.messages(chat_sdk::Page::latest(50)).await.unwrap();
        taken.push(began.elapsed());
        assert_eq!(newest.len(), 50);
        client.close().await.unwrap();
    }
    quantiles("opening the store, and the newest fifty messages", taken);
}

fn row(what: &str, taken: Duration) {
    println!("{what:<56}{:>11.2} ms", taken.as_secs_f64() * 1e3);
}

fn rate(what: &str, count: u32, taken: Duration) {
    println!("{what:<56}{:>12.0}/s", f64::from(count) / taken.as_secs_f64());
}

fn quantiles(what: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |hundredths: usize| taken[(taken.len() - 1) * hundredths / 100].as_secs_f64() * 1e3;
    println!("{what:<56}p50 {:.2}  p95 {:.2}  p99 {:.2} ms", at(50), at(95), at(99));
}
