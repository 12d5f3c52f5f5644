//! The engine: one loop that owns the connection and decides what happens next.
//!
//! ```text
//!  orders (app) ─┐                        ┌─▶ frames to the relay
//!  nudges ───────┤                        │
//!  reports ──────┼──▶ one match ──────────┼─▶ jobs: seal, apply, fetch, sweep   (store, REST)
//!  jobs done ────┤    over inputs         │          │
//!  timers ───────┘                        └─▶ state  └─▶ events, then back as an input
//! ```
//!
//! The loop itself waits for nothing but its next input and short reads of the store; whatever asks
//! the relay runs as a job beside it. One job at a time applies what came; one at a time prepares
//! a conversation's next message, and the next is not taken before the relay has answered: that
//! keeps the order. All it knows beyond the store may be lost at any moment.

mod inbound;
mod link;
mod outbound;
mod timers;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chat_core::frame::ClientFrame;
use chat_core::id::{AccountId, ConversationId, MessageId};
use chat_core::limits::DELIVERY_WINDOW_MESSAGES;
use chat_core::receipt::{ReceiptKind, Sequence};
use chat_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use self::timers::{Timer, Timers};
use crate::connection::{Backoff, Report, Wire};
use crate::error::{Kind, Result};
use crate::event::ConnectionState;
use crate::expiry;
use crate::hub::Hub;
use crate::learning::learn;
use crate::live::fetch_newest;
use crate::profile;
use crate::rewrapping;
use crate::scheduled;
use crate::sealing::Step;
use crate::settings;
use crate::store::scheduled as stored;
use crate::sync::{Inbound, Received, is_about_us, pass_over};
use crate::tasks::{Crashed, Instant, Jobs};
use crate::transport::Link;

/// How many reports wait before the link is read no further: the relay's window, twice.
const REPORTS_MAX: usize = 2 * DELIVERY_WINDOW_MESSAGES;

/// What an app wants of the engine.
#[derive(Debug)]
pub(crate) enum Order {
    /// A connection.
    GoOnline,
    /// None; answered when it is closed.
    GoOffline(oneshot::Sender<()>),
    /// The end; answered when the store is closed.
    Close(oneshot::Sender<()>),
}

/// A job's result.
#[derive(Debug)]
enum Done {
    Linked(Result<Link>),
    Resumed(u64, Result<Vec<ClientFrame>>),
    Received(Result<Received>),
    Prepared(ConversationId, Result<Step>),
    Settled(ConversationId, Result<()>),
    Published(Result<()>),
    Rewrapped(Result<Option<Timestamp>>),
    Aside(Result<()>),
}

/// What the loop waits for.
#[derive(Debug)]
enum Input {
    Order(Option<Order>),
    Nudged,
    /// A job has panicked; its transaction has left no trace.
    Crashed(Crashed),
    Report(u64, Report),
    Done(Done),
    Timer(Timer),
}

/// How far the way to the relay is.
#[derive(Debug)]
enum Phase {
    /// The app wants none.
    Offline,
    /// The last attempt failed; the next is set.
    Waiting,
    /// An attempt is under way.
    Connecting,
    /// There is a link; the relay has not greeted yet.
    Linked(Wire),
    /// The relay knows us.
    Up(Wire),
    /// The device may not log in.
    LoggedOut,
}

/// A message on its way to the relay.
#[derive(Debug)]
struct InFlight {
    conversation: ConversationId,
    message: MessageId,
    since: Instant,
}

/// A receipt that was sent over this link.
type Told = (ConversationId, ReceiptKind, Sequence);

/// The engine.
#[derive(Debug)]
pub(crate) struct Engine {
    hub: Arc<Hub>,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Receiver<(u64, Report)>,
    reporter: mpsc::Sender<(u64, Report)>,
    jobs: Jobs<Done>,
    timers: Timers,
    backoff: Backoff,

    phase: Phase,
    /// An attempt is under way: there is never a second, which would displace the first.
    connecting: bool,
    /// The number of the newest link.
    link: u64,
    failures: u32,
    /// When the relay asked us to come back, as it left.
    return_after: Option<Duration>,
    heard_at: Instant,
    resumed: bool,
    drained: bool,

    next_request: u32,
    in_flight: HashMap<u32, InFlight>,
    /// Conversations with a message that is being prepared, on its way, or being settled.
    busy: HashSet<ConversationId>,
    inbox: Vec<Inbound>,
    receiving: bool,
    /// What was settled is being told; there is never a second job for that.
    publishing: bool,
    /// The past is being wrapped for somebody; there is never a second job for that.
    rewrapping: bool,
    told: HashMap<(ConversationId, ReceiptKind), Sequence>,
    unconfirmed: Vec<Told>,
    /// The ping whose answer says that these receipts were read.
    confirming: Option<(u32, Vec<Told>)>,
    /// The version of the app's wishes that this link has carried.
    wished: Option<u64>,
}

impl Engine {
    pub(crate) fn new(hub: Arc<Hub>, orders: mpsc::Receiver<Order>) -> Self {
        let (reporter, reports) = mpsc::channel(REPORTS_MAX);
        Self {
            hub,
            orders,
            reports,
            reporter,
            jobs: Jobs::new(),
            timers: Timers::default(),
            backoff: Backoff::default(),
            phase: Phase::Offline,
            connecting: false,
            link: 0,
            failures: 0,
            return_after: None,
            heard_at: Instant::now(),
            resumed: false,
            drained: false,
            next_request: 0,
            in_flight: HashMap::new(),
            busy: HashSet::new(),
            inbox: Vec::new(),
            receiving: false,
            publishing: false,
            rewrapping: false,
            told: HashMap::new(),
            unconfirmed: Vec::new(),
            confirming: None,
            wished: None,
        }
    }

    /// Runs until the app closes the client or lets go of it.
    pub(crate) async fn run(mut self) {
        self.connect();
        self.arm_expiry().await;
        self.arm_scheduled().await;
        loop {
            let input = self.next_input().await;
            match self.handle(input).await {
                Ok(Next::Continue) => {}
                Ok(Next::Stop) => return,
                Err(error) => self.trouble(error),
            }
        }
    }

    async fn next_input(&mut self) -> Input {
        let hub = Arc::clone(&self.hub);
        tokio::select! {
            order = self.orders.recv() => Input::Order(order),
            Some((link, report)) = self.reports.recv() => Input::Report(link, report),
            Some(done) = self.jobs.join_next(), if !self.jobs.is_empty() => match done {
                Ok(done) => Input::Done(done),
                Err(error) => Input::Crashed(error),
            },
            () = hub.nudge.notified() => Input::Nudged,
            timer = self.timers.next() => Input::Timer(timer),
        }
    }

    async fn handle(&mut self, input: Input) -> Result<Next> {
        match input {
            Input::Order(order) => return Ok(self.obey(order).await),
            Input::Nudged => self.look_around().await?,
            Input::Crashed(error) => {
                // Which job it was is not known, so nothing is taken to be under way any more.
                self.busy.clear();
                self.receiving = false;
                self.publishing = false;
                self.rewrapping = false;
                self.connecting = false;
                return Err(Kind::Internal.because(error));
            }
            Input::Report(link, report) if link == self.link => self.on_report(report)?,
            Input::Report(..) => {}
            Input::Done(Done::Linked(outcome)) => self.on_linked(outcome),
            Input::Done(Done::Resumed(link, outcome)) => self.on_resumed(link, outcome).await?,
            Input::Done(Done::Received(outcome)) => self.on_received(outcome).await?,
            Input::Done(Done::Prepared(conversation, outcome)) => {
                self.on_prepared(conversation, outcome).await?;
            }
            Input::Done(Done::Settled(conversation, outcome)) => {
                self.busy.remove(&conversation);
                outcome?;
                self.look_around().await?;
            }
            Input::Done(Done::Published(outcome)) => {
                self.publishing = false;
                pass_over(outcome)?;
                // Something may have been settled meanwhile.
                self.publish();
            }
            Input::Done(Done::Rewrapped(outcome)) => {
                self.rewrapping = false;
                let clock = &self.hub.context.clock;
                self.timers.rewrap = outcome?.map(|at| clock.wait_until(at));
                // Somebody may have come meanwhile.
                self.rewrap();
            }
            Input::Done(Done::Aside(outcome)) => {
                outcome?;
                self.arm_expiry().await;
            }
            Input::Timer(Timer::Reconnect) => self.connect(),
            Input::Timer(Timer::Heartbeat) => self.beat()?,
            Input::Timer(Timer::Expiry) => self.spawn_sweep(),
            Input::Timer(Timer::Scheduled) => self.spawn_release(),
            Input::Timer(Timer::Rewrap) => self.hub.rewrap(),
        }
        Ok(Next::Continue)
    }

    // ── orders ──────────────────────────────────────────────────────────────────────────────────

    async fn obey(&mut self, order: Option<Order>) -> Next {
        match order {
            Some(Order::GoOnline) => {
                if matches!(self.phase, Phase::Offline | Phase::Waiting | Phase::LoggedOut) {
                    self.failures = 0;
                    self.connect();
                }
            }
            Some(Order::GoOffline(done)) => {
                self.drop_link();
                self.enter(Phase::Offline, ConnectionState::Offline);
                let _ = done.send(());
            }
            Some(Order::Close(done)) => {
                self.stop().await;
                self.hub.context.store.close().await;
                let _ = done.send(());
                return Next::Stop;
            }
            None => {
                self.stop().await;
                return Next::Stop;
            }
        }
        Next::Continue
    }

    async fn stop(&mut self) {
        self.drop_link();
        self.enter(Phase::Offline, ConnectionState::Offline);
        self.jobs.shutdown().await;
        self.hub.end();
    }

    // ── what the store wants ────────────────────────────────────────────────────────────────────

    /// Looks at everything that a caller or a job may have left in the store.
    async fn look_around(&mut self) -> Result<()> {
        self.arm_expiry().await;
        self.arm_scheduled().await;
        self.tell_wishes().await?;
        self.tell_receipts().await?;
        for frame in self.hub.typing.take() {
            self.write(frame)?;
        }
        self.publish();
        self.rewrap();
        self.tell_deletions().await?;
        self.send_waiting().await
    }

    /// Tells our own devices what was settled here, and others who we are.
    fn publish(&mut self) {
        if !self.resumed || self.publishing || !self.hub.take_settled() {
            return;
        }
        self.publishing = true;
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let told = settings::publish(&hub).await;
            Done::Published(told.and(profile::publish(&hub).await))
        });
    }

    /// Wraps the past for those who came later.
    fn rewrap(&mut self) {
        if !self.resumed || self.rewrapping || !self.hub.take_rewraps() {
            return;
        }
        self.rewrapping = true;
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Rewrapped(rewrapping::work(&hub).await) });
    }

    /// Reads what was before, where somebody has just let us.
    fn spawn_fetch(&mut self, conversations: BTreeSet<ConversationId>) {
        for conversation in conversations {
            let hub = Arc::clone(&self.hub);
            self.jobs.spawn(async move {
                let outcome = fetch_newest(&hub, conversation).await;
                // What may pass is no reason to lose the connection: it is fetched when looked for.
                Done::Aside(
                    outcome.or_else(|e| if is_about_us(e.kind()) { Err(e) } else { Ok(()) }),
                )
            });
        }
    }

    async fn arm_expiry(&mut self) {
        self.timers.expiry = match expiry::next(&self.hub).await {
            Ok(next) => next.map(|(at, steady)| self.hub.context.clock.wait_for_either(at, steady)),
            Err(error) => {
                tracing::debug!(code = error.code(), "the next deadline is not known");
                return;
            }
        };
    }

    fn spawn_sweep(&mut self) {
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Aside(expiry::sweep(&hub).await) });
    }

    async fn arm_scheduled(&mut self) {
        if !self.hub.take_rescheduled() {
            return;
        }
        match self.hub.context.store.read(stored::next).await {
            Ok(next) => {
                let clock = &self.hub.context.clock;
                self.timers.scheduled = next.map(|at| clock.wait_until(at));
            }
            Err(error) => tracing::debug!(code = error.code(), "what is due is not known"),
        }
    }

    fn spawn_release(&mut self) {
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Aside(scheduled::release(&hub).await) });
    }

    fn spawn_learn(&mut self, accounts: BTreeSet<AccountId>) {
        for account in accounts {
            let hub = Arc::clone(&self.hub);
            self.jobs.spawn(async move {
                let outcome = learn(&hub, account).await;
                // What may pass is learned with the next connection, or when it is needed.
                Done::Aside(outcome.or_else(|e| if e.is_transient() { Ok(()) } else { Err(e) }))
            });
        }
    }
}

/// Whether the loop goes on.
enum Next {
    Continue,
    Stop,
}
