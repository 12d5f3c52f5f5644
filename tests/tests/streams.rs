//! Pairs of people who talk while something goes wrong, and the books about them.
//!
//! ```text
//!  attempted ⊇ delivered ⊇ accepted      nothing is lost, nothing is made up
//!  delivered = 0, 1, 2, …                once each to the app, in order
//!  sequences = 1, 2, 3, …                once each at the relay: the app's own dedupe hides nothing
//! ```
//!
//! The receiver of the last pair comes and goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::id::MessageId;
use chat_sdk::{Client, Conversation, Event, Events, Status, SystemClock};
use chat_tests::impatient::Impatient;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::people::{CHEAP, PASSWORD, within};

/// Messages of a pair that wait for their accept, at most.
const AHEAD: usize = 12;

/// A count that chaos raises, by the name of its variable.
pub(crate) fn count(variable: &str, usually: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(usually, |count| count.parse().expect("a number"))
}

/// How long something may take: so long where nothing else runs, as in chaos, and four times as long
/// beside all other tests.
pub(crate) fn at_most(alone: Duration) -> Duration {
    let is_alone = std::env::var_os("SEALWIRE_CHAOS_KILLS").is_some();
    if is_alone { alone } else { alone * 4 }
}

/// What an app saw, and whose app.
struct Seen(usize, Event);

/// Pairs of a sender and a receiver, and the books about them.
pub(crate) struct Streams {
    pairs: Vec<Pair>,
    seen: mpsc::UnboundedReceiver<Seen>,
    began: Instant,
    /// The longest that a message took from its accept to a receiver who is always there.
    worst: Duration,
    /// Who comes and goes is away.
    is_away: bool,
}

struct Pair {
    receiver: Client,
    sender: Client,
    chat: Conversation,
    /// What was attempted, by its number.
    attempted: HashMap<MessageId, usize>,
    accepted: BTreeMap<usize, Instant>,
    /// Number and sequence of what the receiving app was told, as it came.
    delivered: Vec<(usize, u64)>,
}

impl Streams {
    pub(crate) async fn open(url: &str) -> Self {
        Self::open_between(url, url).await
    }

    /// Senders at one node, receivers at another.
    pub(crate) async fn open_between(senders: &str, receivers: &str) -> Self {
        let (report, seen) = mpsc::unbounded_channel();
        let mut pairs = Vec::new();
        for number in 0..count("SEALWIRE_CHAOS_PAIRS", 5) {
            let sender = register(senders, &format!("sender{number}")).await;
            let name = format!("receiver{number}");
            let receiver = register(receivers, &name).await;
            forward(number, sender.events(), report.clone());
            forward(number, receiver.events(), report.clone());
            within(receiver.sync()).await.unwrap();
            let chat = sender.direct(&name).await.unwrap();
            pairs.push(Pair {
                receiver,
                sender,
                chat,
                attempted: HashMap::new(),
                accepted: BTreeMap::new(),
                delivered: Vec::new(),
            });
        }
        let (began, worst) = (Instant::now(), Duration::ZERO);
        Self { pairs, seen, began, worst, is_away: false }
    }

    /// Keeps every sender busy until this many more messages are accepted.
    pub(crate) async fn run_until_accepted(&mut self, wanted: usize) {
        let before = self.accepted();
        while self.accepted() - before < wanted {
            self.attempt().await;
            let seen = self.seen.recv().await.unwrap();
            self.note(seen);
        }
    }

    /// Keeps every sender busy while something else happens.
    pub(crate) async fn run_while<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        loop {
            // Not cut off by what else happens: a message that is sent is in the books.
            self.attempt().await;
            tokio::select! {
                done = &mut other => return done,
                seen = self.seen.recv() => self.note(seen.unwrap()),
            }
        }
    }

    /// Keeps every sender busy for so long.
    pub(crate) async fn run_for(&mut self, duration: Duration) {
        self.run_while(tokio::time::sleep(duration)).await;
    }

    async fn attempt(&mut self) {
        for pair in &mut self.pairs {
            while pair.attempted.len() < pair.accepted.len() + AHEAD {
                pair.attempt().await;
            }
        }
    }

    /// Takes down what is seen; may be dropped at any moment.
    async fn listen_until(&mut self, is_enough: impl Fn(&[Pair]) -> bool) {
        while !is_enough(&self.pairs) {
            let seen = self.seen.recv().await.unwrap();
            self.note(seen);
        }
    }

    /// Waits until receivers who are there have everything that is accepted.
    pub(crate) async fn catch_up(&mut self) {
        // The last may be away, or on its way back.
        let has_all = |pair: &Pair| pair.delivered.len() >= pair.accepted.len();
        self.listen_until(|pairs| pairs.iter().rev().skip(1).all(has_all)).await;
    }

    /// Takes down what is seen for so long.
    pub(crate) async fn listen_for(&mut self, duration: Duration) {
        let _ = timeout(duration, self.listen_until(|_| false)).await;
    }

    /// The receiver of the last pair goes, or comes back.
    pub(crate) async fn come_or_go(&mut self) {
        let Some(pair) = self.pairs.last() else { return };
        match self.is_away {
            true => pair.receiver.go_online().await.unwrap(),
            false => pair.receiver.go_offline().await.unwrap(),
        }
        self.is_away = !self.is_away;
    }

    /// Waits until everything that was attempted is accepted and delivered, and after it one more:
    /// a message that came twice would have come by then.
    pub(crate) async fn finish(&mut self) {
        if self.is_away {
            self.come_or_go().await;
        }
        let is_done = |pairs: &[Pair]| pairs.iter().all(Pair::is_done);
        within(self.listen_until(is_done)).await;
        for pair in &mut self.pairs {
            pair.attempt().await;
        }
        within(self.listen_until(is_done)).await;
    }

    fn note(&mut self, Seen(number, event): Seen) {
        let last = self.pairs.len() - 1;
        let pair = &mut self.pairs[number];
        match event {
            Event::Status { message, status, .. } => {
                assert_ne!(status, Status::Failed, "a relay that was away is no reason to give up");
                if status >= Status::Sent {
                    let now = Instant::now();
                    pair.accepted.entry(pair.attempted[&message]).or_insert(now);
                }
            }
            Event::Message(message) => {
                let text = message.text().unwrap().parse().unwrap();
                pair.delivered.push((text, message.sequence.unwrap()));
                if let Some(at) = pair.accepted.get(&text).filter(|_| number != last) {
                    self.worst = self.worst.max(at.elapsed());
                }
            }
            Event::Warning(warning) => panic!("pair {number}: {warning:?}"),
            Event::Lagged(missed) => panic!("the story is too slow by {missed} events"),
            _ => {}
        }
    }

    /// How many messages were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.pairs.iter().map(|pair| pair.accepted.len()).sum()
    }

    /// The longest that a message took from its accept to a receiver who was there, since this was
    /// asked last.
    pub(crate) fn take_worst(&mut self) -> Duration {
        std::mem::take(&mut self.worst)
    }

    /// Somebody who sends.
    pub(crate) fn sender(&self) -> &Client {
        &self.pairs[0].sender
    }

    /// Compares the books of all pairs.
    pub(crate) fn check(&self, seed: u64) {
        for pair in &self.pairs {
            let accepted: Vec<usize> = pair.accepted.keys().copied().collect();
            let complaint = complaint(pair.attempted.len(), &accepted, &pair.delivered);
            assert_eq!(complaint, None, "seed {seed:#x}");
        }
        let took = self.began.elapsed();
        eprintln!("seed {seed:#x}: {} messages in {took:.0?}", self.accepted());
    }
}

/// What is wrong with the books of a pair, where everything that was attempted got through.
fn complaint(attempted: usize, accepted: &[usize], delivered: &[(usize, u64)]) -> Option<String> {
    let numbers: Vec<usize> = delivered.iter().map(|(number, _)| *number).collect();
    let sequences: Vec<u64> = delivered.iter().map(|(_, at)| *at).collect();
    let lost: Vec<_> = accepted.iter().filter(|number| !numbers.contains(number)).collect();
    if !lost.is_empty() {
        return Some(format!("accepted and lost: {lost:?}"));
    }
    if numbers != (0..attempted).collect::<Vec<_>>() {
        return Some(format!("not once in order: {numbers:?}"));
    }
    if sequences != (1..).take(attempted).collect::<Vec<u64>>() {
        return Some(format!("the relay has one twice, or a gap: {sequences:?}"));
    }
    None
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

/// Books as a bug would write them.
#[test]
fn whatever_is_wrong_with_the_books_is_noticed() {
    let sound = [(0, 1), (1, 2), (2, 3)];
    assert_eq!(complaint(3, &[0, 1, 2], &sound), None);

    for (bug, attempted, accepted, delivered) in [
        ("accepted before it was stored", 3, vec![0, 1, 2], vec![(0, 1), (1, 2)]),
        ("deleted before it was delivered", 2, vec![0, 1], vec![(1, 2)]),
        ("shown twice", 2, vec![0, 1], vec![(0, 1), (1, 2), (1, 2)]),
        ("stored twice", 2, vec![0, 1], vec![(0, 1), (1, 3)]),
        ("overtaken", 2, vec![0, 1], vec![(1, 2), (0, 1)]),
        ("made up", 1, vec![0], vec![(0, 1), (7, 2)]),
    ] {
        assert!(complaint(attempted, &accepted, &delivered).is_some(), "{bug}");
    }
}
