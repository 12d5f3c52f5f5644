//! A relay that is killed, again and again, in the middle of a stream of messages.
//!
//! ```text
//!  attempted ⊇ delivered ⊇ accepted      nothing is lost, nothing is made up
//!  delivered = 0, 1, 2, …                once each to the app, in order
//!  sequences = 1, 2, 3, …                once each at the relay: the app's own dedupe hides nothing
//! ```
//!
//! The moments are seeded: after some accepts, and then a few milliseconds into whatever happens
//! next. SIGKILL leaves the page cache alone, so this says nothing about the disk; for that see
//! [`crate::durability`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::MessageId;
use chat_sdk::{Client, Conversation, Event, Events, Status, SystemClock};
use chat_tests::impatient::Impatient;
use chat_tests::services::with_database;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;

use crate::people::{CHEAP, PASSWORD, within};
use crate::process::RelayProgram;

const PAIRS: usize = 5;
/// Messages of a pair that wait for their accept, at most.
const AHEAD: usize = 12;
/// Accepts between two kills, at most.
const ACCEPTS_MAX: usize = 60;
/// How far into what follows a kill may be, at most.
const LINGER_MAX: Duration = Duration::from_millis(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();

    survive(&RelayProgram::in_folder(folder.path()), kills(20), 0x5EA1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        survive(&RelayProgram::in_folder(folder.path()).database(url), kills(5), 0x5EA2).await;
    })
    .await;
}

/// How often it is killed: so often, or as often as chaos says.
fn kills(usually: usize) -> usize {
    let said = std::env::var("SEALWIRE_CHAOS_KILLS").ok();
    said.map_or(usually, |kills| kills.parse().expect("a number of kills"))
}

/// Streams through `kills` kills at moments of `seed`, and then checks the books.
async fn survive(program: &RelayProgram, kills: usize, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut relay = program.start().await;
    let mut streams = Streams::open(&program.url()).await;
    for kill in 0..kills {
        let wanted = rng.random_range(1..=ACCEPTS_MAX);
        let linger = rng.random_range(Duration::ZERO..LINGER_MAX);
        within(streams.run_until_accepted(wanted)).await;
        // Whatever happens meanwhile happens: that is the moment of the kill.
        let _ = tokio::time::timeout(linger, streams.listen_until(|_| false)).await;
        relay.kill().await;
        relay = program.start().await;
        eprintln!("kill {kill}: back after {:?}", relay.ready_after);
    }
    streams.finish().await;
    relay.kill().await;
    streams.check(seed);
}

/// What an app saw, and whose app.
struct Seen(usize, Event);

/// Pairs of a sender and a receiver, and the books about them.
struct Streams {
    pairs: Vec<Pair>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

struct Pair {
    /// Kept: a client ends with its last handle.
    _receiver: Client,
    _sender: Client,
    chat: Conversation,
    /// What was attempted, by its number.
    attempted: HashMap<MessageId, usize>,
    accepted: BTreeSet<usize>,
    /// Number and sequence of what the receiving app was told, as it came.
    delivered: Vec<(usize, u64)>,
}

impl Streams {
    async fn open(url: &str) -> Self {
        let (report, seen) = mpsc::unbounded_channel();
        let mut pairs = Vec::new();
        for number in 0..PAIRS {
            let sender = register(url, &format!("sender{number}")).await;
            let name = format!("receiver{number}");
            let receiver = register(url, &name).await;
            forward(number, sender.events(), report.clone());
            forward(number, receiver.events(), report.clone());
            within(receiver.sync()).await.unwrap();
            let chat = sender.direct(&name).await.unwrap();
            pairs.push(Pair {
                _receiver: receiver,
                _sender: sender,
                chat,
                attempted: HashMap::new(),
                accepted: BTreeSet::new(),
                delivered: Vec::new(),
            });
        }
        Self { pairs, seen }
    }

    /// Keeps every sender busy until this many more messages are accepted.
    async fn run_until_accepted(&mut self, wanted: usize) {
        let before = self.accepted();
        while self.accepted() - before < wanted {
            for pair in &mut self.pairs {
                while pair.attempted.len() < pair.accepted.len() + AHEAD {
                    pair.attempt().await;
                }
            }
            let seen = self.seen.recv().await.unwrap();
            self.note(seen);
        }
    }

    /// Takes down what is seen; may be dropped at any moment.
    async fn listen_until(&mut self, is_enough: impl Fn(&[Pair]) -> bool) {
        while !is_enough(&self.pairs) {
            let seen = self.seen.recv().await.unwrap();
            self.note(seen);
        }
    }

    /// Waits until everything that was attempted is accepted and delivered, and after it one more:
    /// a message that came twice would have come by then.
    async fn finish(&mut self) {
        let is_done = |pairs: &[Pair]| pairs.iter().all(Pair::is_done);
        within(self.listen_until(is_done)).await;
        for pair in &mut self.pairs {
            pair.attempt().await;
        }
        within(self.listen_until(is_done)).await;
    }

    fn note(&mut self, Seen(number, event): Seen) {
        let pair = &mut self.pairs[number];
        match event {
            Event::Status { message, status, .. } => {
                assert_ne!(status, Status::Failed, "a relay that was away is no reason to give up");
                if status >= Status::Sent {
                    pair.accepted.insert(pair.attempted[&message]);
                }
            }
            Event::Message(message) => {
                let number = message.text().unwrap().parse().unwrap();
                pair.delivered.push((number, message.sequence.unwrap()));
            }
            Event::Warning(warning) => panic!("pair {number}: {warning:?}"),
            Event::Lagged(missed) => panic!("the story is too slow by {missed} events"),
            _ => {}
        }
    }

    fn accepted(&self) -> usize {
        self.pairs.iter().map(|pair| pair.accepted.len()).sum()
    }

    fn check(&self, seed: u64) {
        for pair in &self.pairs {
            let numbers: Vec<usize> = pair.delivered.iter().map(|(number, _)| *number).collect();
            let sequences: Vec<u64> = pair.delivered.iter().map(|(_, at)| *at).collect();
            let all = pair.attempted.len();

            let lost: Vec<_> = pair.accepted.iter().filter(|n| !numbers.contains(n)).collect();
            assert!(lost.is_empty(), "seed {seed:#x}: accepted and lost: {lost:?}");
            assert_eq!(numbers, (0..all).collect::<Vec<_>>(), "seed {seed:#x}: not once in order");
            let contiguous: Vec<u64> = (1..).take(all).collect();
            assert_eq!(sequences, contiguous, "seed {seed:#x}: the relay has one twice");
        }
        eprintln!("seed {seed:#x}: {} messages", self.accepted());
    }
}

impl Pair {
    async fn attempt(&mut self) {
        let number = self.attempted.len();
        let message = self.chat.send(number.to_string()).await.unwrap();
        self.attempted.insert(message, number);
    }

    fn is_done(&self) -> bool {
        self.accepted.len() == self.attempted.len() && self.delivered.len() >= self.attempted.len()
    }
}

async fn register(url: &str, name: &str) -> Client {
    let builder = Client::builder(url)
        .in_memory()
        .clock(Arc::new(Impatient(SystemClock)))
        .password_hardening(CHEAP);
    within(builder.register(name, PASSWORD)).await.unwrap().client
}

fn forward(number: usize, mut events: Events, report: mpsc::UnboundedSender<Seen>) {
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if report.send(Seen(number, event)).is_err() {
                return;
            }
        }
    });
}
