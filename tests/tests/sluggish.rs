//! Consumers that take nothing off the wire: they cost the relay little, and others nothing.
//!
//! ```text
//!  pusher ──── messages for each ────▶ relay ─▶│ a window of each, then nothing: the rest waits in the log
//!  chatter ──▶ relay ─▶ hearer                 │ links that nobody reads; half of them ask all the time
//! ```
//!
//! Memory is the process's as the kernel counts it, so this is told on Linux.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_core::frame::ClientFrame;
use chat_sdk::transport::{AccessToken, Answer, Link, Method, Network, Origin, Request, Transport};
use chat_sdk::{Client, Conversation, Event, SystemClock};
use chat_tests::impatient::Impatient;
use tokio::task::JoinSet;

use crate::people::{CHEAP, PASSWORD, within};
use crate::process::RelayProgram;
use crate::streams::{at_most, count};

const MEBIBYTE: u64 = 1024 * 1024;
/// How much more memory the relay may take.
const GROWS_MAX: u64 = 100 * MEBIBYTE;
/// Of one message.
const TEXT_BYTES: usize = 24 * 1024;
/// A stalled write is given up after ten seconds; who is cut off may be told why for five.
const GONE_WITHIN: Duration = Duration::from_secs(17);
/// Below this a p99 says more of the machine than of the relay.
const NOISE: Duration = Duration::from_millis(100);
/// Messages of those who have nothing to do with it, in each half.
const WORDS: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_costs_the_relay_little_and_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = RelayProgram::in_folder(folder.path());
    let (relay, url) = (program.start().await, program.url());
    let consumers = count("SEALWIRE_CHAOS_SLUGGISH", 10);
    let messages = count("SEALWIRE_CHAOS_PUSHED_MIB", 20) * 1024 * 1024 / TEXT_BYTES / 2;
    let mut tokens = Vec::new();
    for number in 0..consumers {
        tokens.push(token_of(&url, &format!("consumer{number}")).await);
    }
    let pusher = register(&url, "pusher").await;
    let mut chats = Vec::new();
    for number in 0..consumers {
        chats.push(pusher.direct(&format!("consumer{number}")).await.unwrap());
    }
    let (chatter, hearer) = (register(&url, "chatter").await, register(&url, "hearer").await);
    within(hearer.sync()).await.unwrap();

    let (usual, ()) = tokio::join!(talk(&chatter, &hearer), push(&pusher, &chats, messages));
    let (before, others) = (relay.resident_bytes(), connections(&url).await);
    let mut links = Vec::new();
    for token in &tokens {
        let network = Network::to(Origin::parse(&url).unwrap()).unwrap();
        links.push(network.connect(token).await.unwrap());
    }
    let (while_stalled, ()) =
        tokio::join!(talk(&chatter, &hearer), push(&pusher, &chats, messages));
    let grown = relay.resident_bytes().saturating_sub(before);
    let gone_after = ask_and_never_listen(&url, others, links).await;

    eprintln!(
        "{consumers} consumers, {messages} messages: {} KiB more, p99 {usual:?} then \
         {while_stalled:?}, cut off after {gone_after:?}",
        grown / 1024
    );
    assert!(grown < GROWS_MAX, "{grown}");
    assert!(while_stalled < at_most(usual * 2 + NOISE), "{while_stalled:?} instead of {usual:?}");
    assert!(gone_after < at_most(GONE_WITHIN), "{gone_after:?}");
    assert!(relay.resident_bytes().saturating_sub(before) < GROWS_MAX);
    relay.kill().await;
}

/// Says things to somebody who listens; returns how long they take, but for the slowest of a hundred.
async fn talk(chatter: &Client, hearer: &Client) -> Duration {
    let chat = chatter.direct("hearer").await.unwrap();
    let mut events = hearer.events();
    let mut took = Vec::new();
    for _ in 0..WORDS {
        let said = Instant::now();
        let message = chat.send("a word").await.unwrap();
        within(async {
            while !matches!(events.next().await, Some(Event::Message(it)) if it.id == message) {}
        })
        .await;
        took.push(said.elapsed());
    }
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// Sends so many messages, to each in turn.
async fn push(pusher: &Client, chats: &[Conversation], messages: usize) {
    let text = "x".repeat(TEXT_BYTES);
    for number in 0..messages {
        chats[number % chats.len()].send(&*text).await.unwrap();
        if number % 64 == 63 {
            within(pusher.flush()).await.unwrap();
        }
    }
    within(pusher.flush()).await.unwrap();
}

/// Half of the links ask all the time and never listen; returns how long it takes, from the last
/// question that the relay took, until it has cut all of them off. The other half may be cut off
/// before, if all of it takes longer than a relay waits for a sign of life.
async fn ask_and_never_listen(url: &str, others: u64, mut links: Vec<Link>) -> Duration {
    let asking = links.split_off(links.len() / 2);
    let mut set = JoinSet::new();
    for mut link in asking {
        set.spawn(async move {
            let mut last = Instant::now();
            while link.sink.send(&ClientFrame::Ping { request: 7 }).await.is_ok() {
                last = Instant::now();
            }
            (last, link)
        });
    }
    // Kept open: it is the relay that hangs up.
    let stalled = set.join_all().await;
    let mut look = tokio::time::interval(Duration::from_millis(100));
    within(async {
        while connections(url).await > others + links.len() as u64 {
            look.tick().await;
        }
    })
    .await;
    stalled.iter().map(|(last, _)| last.elapsed()).min().unwrap()
}

/// How many connections the relay says that it has.
async fn connections(url: &str) -> u64 {
    let network = Network::to(Origin::parse(url).unwrap()).unwrap();
    let path = "/metrics".to_owned();
    let request = Request { method: Method::Get, path, body: None, token: None };
    let answer = network.request(request).await.unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("sealwire_connections "));
    line.unwrap().trim().parse().unwrap()
}

async fn register(url: &str, name: &str) -> Client {
    let builder = Client::builder(url)
        .in_memory()
        .clock(Arc::new(Impatient(SystemClock)))
        .password_hardening(CHEAP);
    within(builder.register(name, PASSWORD)).await.unwrap().client
}

/// Registers somebody, and keeps nothing but the access token.
async fn token_of(url: &str, name: &str) -> AccessToken {
    let network = Network::to(Origin::parse(url).unwrap()).unwrap();
    let listening = Arc::new(Listening { network, token: Mutex::default() });
    let builder =
        Client::builder(url).transport(listening.clone()).in_memory().password_hardening(CHEAP);
    let client = within(builder.register(name, PASSWORD)).await.unwrap().client;
    within(client.sync()).await.unwrap();
    client.close().await.unwrap();
    let token = listening.token.lock().unwrap().take();
    token.unwrap()
}

/// The network, with a look at the token.
#[derive(Debug)]
struct Listening {
    network: Network,
    token: Mutex<Option<AccessToken>>,
}

#[async_trait]
impl Transport for Listening {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        self.network.request(request).await
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        *self.token.lock().unwrap() = Some(token.clone());
        self.network.connect(token).await
    }
}
