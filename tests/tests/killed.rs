//! A client that is killed, again and again, while it sends and receives; at times two processes
//! on its one store, and a second device of its account beside it.
//!
//! ```text
//!  promised ⊆ delivered ⊆ attempted     to each reader: once, and each process's in order
//!  what others said                     once in the store, in order, and no event twice
//!  sealed headers on the wire           none twice, but for the very same bytes sent again:
//!                                       a ratchet that went on from an old state would show here
//! ```
//!
//! A session seals the header of a message with a deterministic cipher under the key of its chain,
//! so two messages with one key have one sealed header, see `docs/protocol/ratchet.md` §4; likewise
//! the sealed number of a sender chain. What goes out is written down before the network has it.
//!
//! The moments are seeded: after some traffic, and then a few milliseconds into whatever is next.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod journal;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::ConversationId;
use chat_sdk::{Client, Conversation, Event, StoreKey, SystemClock};
use chat_tests::impatient::Impatient;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use relay_server::testing::TestRelay;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use self::journal::Journal;
use self::wire::Wire;
use crate::people::{CHEAP, PASSWORD, texts_of_all};

/// Built by cargo beside these tests.
const PROGRAM: &str = env!("CARGO_BIN_EXE_client-under-test");
/// Kills of every run of the tests.
const KILLS: usize = 20;
/// Messages that a process has sent or seen when it is killed, at most.
const TRAFFIC_MAX: usize = 10;
/// Longer than anything takes that comes at all.
const AT_MOST: Duration = Duration::from_secs(180);
/// How far into what follows a kill may be, at most.
const LINGER_MAX: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_killed_on_sessions_forks_nothing_and_loses_nothing() {
    Story::begin(0xDEAD, 256).await.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_killed_on_sender_chains_forks_nothing_and_loses_nothing() {
    Story::begin(0xBEEF, 2).await.run().await;
}

struct Story {
    seed: u64,
    relay: TestRelay,
    folder: tempfile::TempDir,
    rng: ChaCha8Rng,
    journals: Vec<PathBuf>,
    /// Those who are not killed: Alice's laptop, Bob, Carol.
    others: Vec<Client>,
    names: Vec<&'static str>,
    seen: mpsc::UnboundedReceiver<(usize, Event)>,
    /// What each of them was told, where, as it came.
    told: BTreeMap<(usize, ConversationId), Vec<String>>,
    /// What they have said themselves.
    said: BTreeMap<ConversationId, Vec<(usize, String)>>,
    places: [ConversationId; 2],
    sessions: usize,
}

impl Story {
    async fn begin(seed: u64, sessions: usize) -> Self {
        let relay = TestRelay::start().await;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("alice.store");
        let builder = || {
            Client::builder(relay.url())
                .clock(Arc::new(Impatient(SystemClock)))
                .sessions_a_message_max(sessions)
                .password_hardening(CHEAP)
        };
        let phone = builder().store(&store, StoreKey::from_bytes([7; 32]));
        let phone = in_time(phone.register("alice", PASSWORD)).await.unwrap().client;
        let bob = in_time(builder().in_memory().register("bob", PASSWORD)).await.unwrap().client;
        let carol =
            in_time(builder().in_memory().register("carol", PASSWORD)).await.unwrap().client;
        let direct = phone.direct("bob").await.unwrap().id();
        let group = phone.create_group("", &["bob", "carol"]).await.unwrap().id();
        in_time(phone.flush()).await.unwrap();
        phone.close().await.unwrap();
        let laptop = in_time(builder().in_memory().login("alice", PASSWORD)).await.unwrap();
        let others = vec![laptop, bob, carol];
        let (report, seen) = mpsc::unbounded_channel();
        for (number, client) in others.iter().enumerate() {
            let (mut events, report) = (client.events(), report.clone());
            in_time(client.sync()).await.unwrap();
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    if report.send((number, event)).is_err() {
                        return;
                    }
                }
            });
        }
        Self {
            seed,
            relay,
            folder,
            rng: ChaCha8Rng::seed_from_u64(seed),
            journals: Vec::new(),
            others,
            names: vec!["laptop", "bob", "carol"],
            seen,
            told: BTreeMap::new(),
            said: BTreeMap::new(),
            places: [direct, group],
            sessions,
        }
    }

    async fn run(mut self) {
        let kills = std::env::var("SEALWIRE_CHAOS_KILLS").ok();
        let kills = kills.map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
        for kill in 0..kills {
            let mut app = self.start().await;
            let mut extension = match self.rng.random_bool(0.3) {
                true => Some(self.start().await),
                false => None,
            };
            let (lines, linger) = (
                self.rng.random_range(1..=TRAFFIC_MAX),
                self.rng.random_range(Duration::ZERO..LINGER_MAX),
            );
            self.others_speak(kill).await;
            in_time(app.writes(lines)).await;
            let _ = tokio::time::timeout(linger, app.writes(usize::MAX)).await;
            app.kill().await;
            if let Some(extension) = &mut extension {
                in_time(extension.writes(1)).await;
                extension.kill().await;
            }
        }
        self.finish().await;
    }

    /// Starts another process on Alice's store.
    async fn start(&mut self) -> Process {
        let number = self.journals.len();
        let journal = self.folder.path().join(format!("journal-{number}"));
        self.journals.push(journal.clone());
        Process::start(
            self.relay.url(),
            &self.store(),
            &journal,
            &format!("p{number}"),
            self.sessions,
        )
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("alice.store")
    }

    /// Bob says something in both places, Carol in the group.
    async fn others_speak(&mut self, kill: usize) {
        for (who, place) in [(1, 0), (1, 1), (2, 1)] {
            let (text, place) = (format!("{}:{kill}", self.names[who]), self.places[place]);
            let conversation = in_time(self.knows(who, place)).await;
            conversation.send(&*text).await.unwrap();
            self.said.entry(place).or_default().push((who, text));
        }
    }

    async fn knows(&mut self, who: usize, place: ConversationId) -> Conversation {
        loop {
            if let Ok(conversation) = self.others[who].conversation(place).await {
                return conversation;
            }
            let (by, event) = self.seen.recv().await.unwrap();
            self.note(by, &event);
        }
    }

    fn note(&mut self, who: usize, event: &Event) {
        match event {
            Event::Message(message) => {
                let text = message.text().unwrap().to_owned();
                self.told.entry((who, message.conversation)).or_default().push(text);
            }
            Event::Warning(warning) => {
                panic!("seed {:#x}: {} was warned: {warning:?}", self.seed, self.names[who]);
            }
            Event::Lagged(missed) => panic!("the story is too slow by {missed} events"),
            _ => {}
        }
    }

    /// Opens the store a last time, lets everything arrive, and checks the books.
    async fn finish(mut self) {
        let phone = Client::builder(self.relay.url())
            .clock(Arc::new(Impatient(SystemClock)))
            .sessions_a_message_max(self.sessions)
            .store(self.store(), StoreKey::from_bytes([7; 32]));
        let phone = in_time(phone.open()).await.unwrap();
        let mut events = phone.events();
        for place in self.places {
            phone.conversation(place).await.unwrap().send("last:0").await.unwrap();
        }
        for other in &self.others {
            in_time(other.flush()).await.unwrap();
        }
        in_time(phone.flush()).await.unwrap();
        in_time(phone.sync()).await.unwrap();
        in_time(self.everybody_has_the_last()).await;
        while let Some(event) = events.try_next() {
            assert!(!matches!(event, Event::Warning(_)), "seed {:#x}: {event:?}", self.seed);
        }
        self.check(&phone).await;
    }

    async fn everybody_has_the_last(&mut self) {
        loop {
            let readers = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)];
            let has_it = |(who, place): &(usize, usize)| {
                let told = self.told.get(&(*who, self.places[*place]));
                told.is_some_and(|told| told.iter().any(|text| text == "last:0"))
            };
            if readers.iter().all(has_it) {
                return;
            }
            let (who, event) = self.seen.recv().await.unwrap();
            self.note(who, &event);
        }
    }

    async fn check(&self, phone: &Client) {
        let seed = self.seed;
        let journals: Vec<Journal> = self.journals.iter().map(|path| Journal::read(path)).collect();
        let mut wire = Wire::default();
        let mut seen = BTreeSet::new();
        for journal in &journals {
            assert_eq!(journal.warnings, [""; 0], "seed {seed:#x}");
            for (place, text) in &journal.seen {
                assert!(seen.insert((*place, text)), "seed {seed:#x}: {text} was told twice");
            }
            journal.wire.iter().for_each(|envelope| wire.take(envelope));
        }
        wire.check().unwrap_or_else(|complaint| panic!("seed {seed:#x}: {complaint}"));
        for ((who, place), told) in &self.told {
            let from_phone: Vec<&String> =
                told.iter().filter(|text| text.starts_with('p') || *text == "last:0").collect();
            journal::check(&journals, *place, &from_phone)
                .unwrap_or_else(|c| panic!("seed {seed:#x}: {}: {c}", self.names[*who]));
        }
        for place in self.places {
            let here = texts_of_all(&phone.conversation(place).await.unwrap()).await;
            for who in [1, 2] {
                let said = self.said[&place].iter().filter(|(by, _)| *by == who);
                let said: Vec<&String> = said.map(|(_, text)| text).collect();
                let name = format!("{}:", self.names[who]);
                let kept: Vec<&String> = here.iter().filter(|t| t.starts_with(&name)).collect();
                assert_eq!(kept, said, "seed {seed:#x}: what the store has of {name}");
            }
        }
        let (messages, again) = wire.count();
        eprintln!("seed {seed:#x}: {messages} messages on the wire, {again} of them again");
        assert!(messages * 2 >= self.journals.len(), "it was killed before it did anything");
    }
}

/// Fails a story that hangs; what has piled up at the end takes a while on a busy machine.
async fn in_time<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(AT_MOST, story).await.expect("the story hangs")
}

/// A process that is to be killed.
struct Process {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(url: &str, store: &Path, journal: &Path, name: &str, sessions: usize) -> Self {
        let mut child = Command::new(PROGRAM)
            .args([url.as_ref(), store.as_os_str(), journal.as_os_str(), name.as_ref()])
            .arg(sessions.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client does not start");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    /// Waits until it has written so many lines more; may be dropped at any moment.
    async fn writes(&mut self, lines: usize) {
        for _ in 0..lines {
            assert!(self.output.next_line().await.unwrap().is_some(), "it ended by itself");
        }
    }

    /// SIGKILL.
    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}
