//! A network with faults, drawn from a seed.
//!
//! ```text
//!  request   lost on the way · its answer lost · sent twice · late
//!  connect   refused · late
//!  frame     doubled · late · behind the next one, where the relay promises no order
//!  link      cut after a while: the last frame has arrived, or it has not, and nobody says which;
//!            or nothing arrives any more for a while, and then it is cut
//! ```
//!
//! It lies at the SDK's transport port. Below it, a real network; what the port hides is not drawn
//! again: a stream has no holes, so a frame is lost only together with all that follow it. Each
//! line draws from a generator of its own, in the order in which things happen on it: a seed gives
//! the same faults to the same traffic, and what the machine does beside that is not repeated.
//!
//! [`Bug`] plants a bug in the seam, so that whoever checks what came of it can be checked.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::id::{ConversationId, MessageId};
use chat_core::time::Timestamp;
use chat_sdk::Kind;
use chat_sdk::transport::{
    AccessToken, Answer, FrameSink, FrameStream, Link, Method, Network, Origin, Request, Transport,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Mutex as AsyncMutex, watch};

/// Most frames, of both directions, that a link lives.
const FRAMES_MAX: u32 = 40;
/// The longest that something is late.
const LATE_MAX: Duration = Duration::from_millis(4);
/// How long nothing arrives before a link is cut for it.
const SILENT_FOR: Duration = Duration::from_millis(15);

/// How long a relay takes to store what was acknowledged, and more.
const UNTIL_NOTED: Duration = Duration::from_millis(400);

/// A bug in the SDK or the relay, as it would look at the seam between them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bug {
    /// A relay says that it has a message before it has it, and then has not.
    AcceptsBeforeItCommits,
    /// A client says that it has a message before it has it, and then has not.
    AcknowledgesBeforeItCommits,
    /// A client shows what comes twice twice.
    ShowsWhatComesTwice,
    /// A relay that delivers a backlog leaves a message out.
    LeavesOneOut,
    /// A relay delivers two messages of a conversation in the other order.
    SwapsTwo,
}

/// The network that several lines are part of.
#[derive(Debug)]
pub struct Weather {
    seed: u64,
    bug: Option<Bug>,
    calm: AtomicBool,
    doubled: Mutex<Vec<MessageId>>,
}

impl Weather {
    /// Calm, until [`Self::rise`].
    #[must_use]
    pub fn of(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let doubled = Mutex::default();
        Arc::new(Self { seed, bug, calm: AtomicBool::new(true), doubled })
    }

    /// From now on there are faults.
    pub fn rise(&self) {
        self.calm.store(false, Ordering::Relaxed);
    }

    /// From now on there are none. Links that are cut stay so.
    pub fn settle(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// The messages that a bug shows twice.
    #[must_use]
    pub fn doubled(&self) -> Vec<MessageId> {
        self.doubled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The way to the relay at `url` for the client with this number.
    ///
    /// # Panics
    ///
    /// If the URL is none.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn line(self: &Arc<Self>, url: &str, number: u64) -> Arc<dyn Transport> {
        let origin = Origin::parse(url).expect("a relay has a URL");
        let network = Network::to(origin).expect("TLS can be set up");
        let dice = Dice::new(self.seed ^ number.rotate_left(32), Arc::clone(self));
        Arc::new(Line { network, dice })
    }
}

/// Draws what happens on a line; clones draw from the same.
#[derive(Clone)]
struct Dice {
    rng: Arc<Mutex<ChaCha8Rng>>,
    weather: Arc<Weather>,
}

impl Dice {
    fn new(seed: u64, weather: Arc<Weather>) -> Self {
        Self { rng: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))), weather }
    }

    /// Whether something happens that does in so many of a hundred cases; never when it is calm.
    fn happens(&self, of_a_hundred: u32) -> bool {
        let drawn = self.draw(|rng| rng.random_range(0..100));
        !self.weather.calm.load(Ordering::Relaxed) && drawn < of_a_hundred
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn delay(&self, of_a_hundred: u32) {
        if self.happens(of_a_hundred) {
            tokio::time::sleep(self.draw(|rng| rng.random_range(Duration::ZERO..LATE_MAX))).await;
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.weather.bug == Some(bug)
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice(..)")
    }
}

#[derive(Debug)]
struct Line {
    network: Network,
    dice: Dice,
}

#[async_trait]
impl Transport for Line {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        self.dice.delay(15).await;
        if self.dice.happens(5) {
            return Err(Kind::RelayUnreachable.into());
        }
        // What a proxy in between may repeat; the others are not repeated by anybody.
        if matches!(request.method, Method::Get | Method::Put) && self.dice.happens(5) {
            let again = Request {
                method: request.method,
                path: request.path.clone(),
                body: request.body.clone(),
                token: request.token.clone(),
            };
            let _ = self.network.request(again).await;
        }
        let answer = self.network.request(request).await?;
        self.dice.delay(15).await;
        if self.dice.happens(5) { Err(Kind::RelayUnreachable.into()) } else { Ok(answer) }
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        self.dice.delay(20).await;
        if self.dice.happens(10) {
            return Err(Kind::RelayUnreachable.into());
        }
        let Link { sink, stream } = self.network.connect(token).await?;
        let left = self.dice.draw(|rng| rng.random_range(2..FRAMES_MAX));
        let life = Life {
            left: Arc::new(Mutex::new(left)),
            silent: Arc::default(),
            over: watch::Sender::new(false),
        };
        let (dice, sink) = (self.dice.clone(), Arc::new(AsyncMutex::new(sink)));
        let (answers, told) = tokio::sync::mpsc::unbounded_channel();
        Ok(Link {
            sink: Box::new(Sink {
                dice: dice.clone(),
                life: life.clone(),
                sink: Arc::clone(&sink),
                answers,
            }),
            stream: Box::new(Stream {
                over: life.over.subscribe(),
                dice,
                life,
                sink,
                stream,
                told,
                held: None,
                ready: VecDeque::new(),
                late: None,
            }),
        })
    }
}

/// How long a link lives, and whether it does.
#[derive(Clone, Debug)]
struct Life {
    left: Arc<Mutex<u32>>,
    silent: Arc<AtomicBool>,
    over: watch::Sender<bool>,
}

impl Life {
    /// Counts a frame; tells whether it is the last.
    fn spend(&self, dice: &Dice) -> bool {
        if dice.weather.calm.load(Ordering::Relaxed) {
            return false;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(1);
        *left == 0
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    fn end(&self) {
        self.over.send_replace(true);
    }

    /// Lets nothing more arrive, and ends it after a while.
    fn fall_silent(&self, after: Duration) {
        self.silent.store(true, Ordering::Relaxed);
        let over = self.over.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            over.send_replace(true);
        });
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }
}

type SharedSink = Arc<AsyncMutex<Box<dyn FrameSink>>>;

#[derive(Debug)]
struct Sink {
    dice: Dice,
    life: Life,
    sink: SharedSink,
    answers: tokio::sync::mpsc::UnboundedSender<RelayFrame>,
}

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: &ClientFrame) -> chat_sdk::Result<()> {
        if self.life.is_over() {
            return Err(Kind::Offline.into());
        }
        if self.life.is_silent() {
            return Ok(());
        }
        if self.dice.has(Bug::AcceptsBeforeItCommits)
            && let ClientFrame::Send { request, .. } = frame
            && self.dice.happens(20)
        {
            let (sequence, at) = (1_000_000, Timestamp::default());
            let _ = self.answers.send(RelayFrame::Accepted { request: *request, sequence, at });
            return Ok(());
        }
        if self.life.spend(&self.dice) {
            if self.dice.happens(50) {
                self.sink.lock().await.send(frame).await?;
                self.life.end();
            } else {
                self.life.fall_silent(SILENT_FOR);
            }
            return Ok(());
        }
        self.dice.delay(10).await;
        let times = if self.dice.happens(5) { 2 } else { 1 };
        for _ in 0..times {
            self.sink.lock().await.send(frame).await?;
        }
        Ok(())
    }

    async fn close(&mut self) {
        self.sink.lock().await.close().await;
    }
}

struct Stream {
    dice: Dice,
    life: Life,
    over: watch::Receiver<bool>,
    sink: SharedSink,
    stream: Box<dyn FrameStream>,
    told: tokio::sync::mpsc::UnboundedReceiver<RelayFrame>,
    /// A frame that the next one overtakes.
    held: Option<RelayFrame>,
    ready: VecDeque<RelayFrame>,
    late: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

#[async_trait]
impl FrameStream for Stream {
    async fn next(&mut self) -> chat_sdk::Result<Option<RelayFrame>> {
        loop {
            if let Some(late) = &mut self.late {
                late.await;
                self.late = None;
            }
            if self.life.is_over() {
                return Err(Kind::Offline.into());
            }
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            tokio::select! {
                _ = self.over.changed() => {}
                Some(frame) = self.told.recv() => self.ready.push_back(frame),
                frame = self.stream.next() => match frame? {
                    Some(frame) => self.take(frame).await?,
                    None => return Ok(None),
                },
            }
        }
    }
}

impl Stream {
    /// Decides what becomes of a frame; what it does is done before it is waited for anything.
    async fn take(&mut self, frame: RelayFrame) -> chat_sdk::Result<()> {
        if self.life.is_silent() {
            return Ok(());
        }
        if self.life.spend(&self.dice) {
            self.life.end();
            return Ok(());
        }
        if self.dice.happens(10) {
            let late = self.dice.draw(|rng| rng.random_range(Duration::ZERO..LATE_MAX));
            self.late = Some(Box::pin(tokio::time::sleep(late)));
        }
        if self.misbehaves(&frame).await? {
            return Ok(());
        }
        match self.held.take() {
            Some(held) => self.ready.extend([frame, held]),
            None if self.may_wait(&frame) && self.dice.happens(10) => self.held = Some(frame),
            None if self.dice.happens(5) => {
                self.note_doubled(&frame);
                self.ready.extend([frame.clone(), frame]);
            }
            None => self.ready.push_back(frame),
        }
        Ok(())
    }

    /// A relay promises the order of a conversation's messages, and of nothing else; here only what
    /// is made up for by whatever comes next is overtaken, since nothing else may come for long.
    fn may_wait(&self, frame: &RelayFrame) -> bool {
        matches!(frame, RelayFrame::Receipt { .. } | RelayFrame::Membership { .. })
            || (self.dice.has(Bug::SwapsTwo) && matches!(frame, RelayFrame::Deliver { .. }))
    }

    /// Does what a bug would do to a delivery; tells whether it is gone by that.
    async fn misbehaves(&mut self, frame: &RelayFrame) -> chat_sdk::Result<bool> {
        let RelayFrame::Deliver { sequence, envelope, .. } = frame else { return Ok(false) };
        let Ok(header) = envelope.read_header() else { return Ok(false) };
        if self.dice.has(Bug::AcknowledgesBeforeItCommits) {
            self.acknowledge(header.conversation, *sequence).await?;
            if self.dice.happens(20) {
                self.life.fall_silent(UNTIL_NOTED);
                return Ok(true);
            }
        }
        Ok(self.dice.has(Bug::LeavesOneOut) && self.dice.happens(5))
    }

    async fn acknowledge(
        &mut self,
        conversation: ConversationId,
        up_to: u64,
    ) -> chat_sdk::Result<()> {
        self.sink.lock().await.send(&ClientFrame::Acknowledge { conversation, up_to }).await
    }

    fn note_doubled(&self, frame: &RelayFrame) {
        if let RelayFrame::Deliver { envelope, .. } = frame
            && self.dice.has(Bug::ShowsWhatComesTwice)
            && let Ok(header) = envelope.read_header()
        {
            let doubled = &self.dice.weather.doubled;
            doubled.lock().unwrap_or_else(PoisonError::into_inner).push(header.message);
        }
    }
}
