//! Group commit: what arrived while the last commit was on its way is the next one.
//!
//! ```text
//!  connections ──▶ lane hash(conversation) mod n ──▶ one Storage::append ──▶ accepted
//!                                                            └──▶ publisher ──▶ bus
//! ```
//!
//! There is no timer: an idle lane commits a message at once, a busy one commits many together.
//! Nobody hears `accepted` before the commit has returned. Connections wait for room in a lane;
//! lanes wait for nobody but the store.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Instant;

use chat_core::codec::to_bytes;
use chat_core::envelope::{Envelope, Wrap};
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::bus::{Bus, BusEvent, INLINE_BYTES_MAX, Record};
use crate::clock::Clock;
use crate::failpoint::{Point, may_fail, pass};
use crate::metrics::Metrics;
use crate::push::courier::News;
use crate::retention::ledger::Ledger;
use crate::storage::{AppendError, Appended, Freshness, NewMessage, Storage, StorageError};

/// Messages that may wait in a lane.
const LANE_JOBS_MAX: usize = 1_024;
/// Messages and bytes of one commit.
const BATCH_MESSAGES_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Where the answer to one message goes.
pub type Answer = oneshot::Sender<Result<Appended, Reject>>;

/// A message to write, and who waits for it.
#[derive(Debug)]
pub struct Job {
    /// The message.
    pub message: NewMessage,
    /// Where it counts.
    pub workspace: WorkspaceId,
    /// Whom to tell of it.
    pub recipients: Arc<[AccountId]>,
    /// Where the answer goes.
    pub answer: Answer,
}

/// The lanes.
#[derive(Debug)]
pub struct Writers {
    lanes: std::sync::RwLock<Vec<mpsc::Sender<Job>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// A message as it travels over the bus.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct LiveRecord {
    /// When it was accepted.
    #[n(0)]
    pub(crate) at: Timestamp,
    /// The message with everybody's wraps.
    #[n(1)]
    pub(crate) envelope: Envelope,
}

/// Where a message counts, and whom to tell of it.
struct Target {
    workspace: WorkspaceId,
    recipients: Arc<[AccountId]>,
}

struct Committed {
    message: NewMessage,
    recipients: Arc<[AccountId]>,
    appended: Appended,
}

impl Writers {
    /// Starts the lanes.
    #[must_use]
    pub fn start(
        storage: &Arc<dyn Storage>,
        bus: &Arc<dyn Bus>,
        clock: &Arc<dyn Clock>,
        metrics: &Arc<Metrics>,
        news: &News,
        ledger: &Arc<Ledger>,
    ) -> Self {
        let mut lanes = Vec::new();
        let mut tasks = Vec::new();
        for _ in 0..storage.appenders().max(1) {
            let (lane, jobs) = mpsc::channel(LANE_JOBS_MAX);
            let (publish, committed) = mpsc::channel(LANE_JOBS_MAX);
            let writer = Lane {
                storage: storage.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                ledger: ledger.clone(),
                publish,
            };
            tasks.push(tokio::spawn(writer.run(jobs)));
            tasks.push(tokio::spawn(publisher(bus.clone(), news.clone(), committed)));
            lanes.push(lane);
        }
        Self { lanes: std::sync::RwLock::new(lanes), tasks: Mutex::new(tasks) }
    }

    /// Puts a message into its lane; waits while the lane is full.
    ///
    /// # Errors
    ///
    /// [`RejectCode::Draining`] when the lanes were closed.
    pub async fn submit(&self, job: Job) -> Result<(), Reject> {
        let lane = self.lane(&job).ok_or(RejectCode::Draining)?;
        lane.send(job).await.map_err(|_| RejectCode::Draining.into())
    }

    fn lane(&self, job: &Job) -> Option<mpsc::Sender<Job>> {
        let conversation = job.message.header.conversation;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(conversation);
        let lanes = self.lanes.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // No lane is left when they were closed.
        let place = hash.checked_rem(u64::try_from(lanes.len()).ok()?)?;
        lanes.get(usize::try_from(place).ok()?).cloned()
    }

    /// Takes no more messages, and returns when all that were taken are written and published.
    pub async fn close(&self) {
        self.lanes.write().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        let tasks = std::mem::take(&mut *self.tasks.lock().await);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a writer did not end well");
            }
        }
    }
}

struct Lane {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    ledger: Arc<Ledger>,
    publish: mpsc::Sender<Committed>,
}

impl Lane {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.recv().await {
            let mut batch = Batch::default();
            batch.push(first);
            while batch.has_room() {
                let Ok(job) = jobs.try_recv() else { break };
                batch.push(job);
            }
            self.write(batch).await;
        }
    }

    async fn write(&self, batch: Batch) {
        let started = Instant::now();
        let outcome = self.append(&batch.messages).await;
        self.metrics.commit_seconds.observe_duration(started.elapsed());
        self.metrics.commit_messages.observe_count(batch.messages.len());
        let outcomes = match outcome {
            Ok(outcomes) => outcomes,
            // One row that the store does not take must not be the end of its neighbours.
            Err(StorageError::Unstorable) if batch.messages.len() > 1 => {
                return self.write_one_by_one(batch).await;
            }
            Err(error) => return batch.fail(error),
        };
        let jobs = batch.messages.into_iter().zip(batch.waiting);
        for ((message, (target, answer)), outcome) in jobs.zip(outcomes) {
            self.answer(message, target, answer, outcome).await;
        }
    }

    async fn append(
        &self,
        messages: &[NewMessage],
    ) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
        may_fail(Point::Queued)?;
        let outcomes = self.storage.append(messages, self.clock.now()).await?;
        may_fail(Point::Committed)?;
        Ok(outcomes)
    }

    /// Each message in a transaction of its own. What was stored before is recognised, so this may
    /// follow an attempt of which nobody knows how far it came.
    async fn write_one_by_one(&self, batch: Batch) {
        self.metrics.batches_split.add(1);
        for (message, (target, answer)) in batch.messages.into_iter().zip(batch.waiting) {
            let alone = std::slice::from_ref(&message);
            match self.append(alone).await {
                Ok(outcomes) => {
                    // INVARIANT: there is an answer for each message.
                    let Some(outcome) = outcomes.into_iter().next() else { continue };
                    self.answer(message, target, answer, outcome).await;
                }
                Err(error) => {
                    let _ = answer.send(Err(error.into()));
                }
            }
        }
    }

    async fn answer(
        &self,
        message: NewMessage,
        target: Target,
        answer: Answer,
        outcome: Result<Appended, AppendError>,
    ) {
        if matches!(outcome, Ok(Appended { freshness: Freshness::New, .. })) {
            let bytes = u64::try_from(size(&message.envelope)).unwrap_or(u64::MAX);
            self.ledger.count(target.workspace, message.header.sender.account, bytes);
        }
        // Who has hung up meanwhile asks again and is told then.
        let _ = answer.send(outcome.map_err(Reject::from));
        pass(Point::Answered);
        match outcome {
            Ok(appended) if appended.freshness == Freshness::New => {
                self.metrics.accepted.add(1);
                let recipients = target.recipients;
                // The publisher only ends after this lane.
                let _ = self.publish.send(Committed { message, recipients, appended }).await;
            }
            Ok(_) => self.metrics.duplicates.add(1),
            Err(_) => {}
        }
    }
}

#[derive(Default)]
struct Batch {
    messages: Vec<NewMessage>,
    waiting: Vec<(Target, Answer)>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, job: Job) {
        self.bytes = self.bytes.saturating_add(size(&job.message.envelope));
        self.messages.push(job.message);
        let target = Target { workspace: job.workspace, recipients: job.recipients };
        self.waiting.push((target, job.answer));
    }

    fn has_room(&self) -> bool {
        self.messages.len() < BATCH_MESSAGES_MAX && self.bytes < BATCH_BYTES_MAX
    }

    fn fail(self, error: StorageError) {
        for (_, answer) in self.waiting {
            let _ = answer.send(Err(error.into()));
        }
    }
}

/// About how many bytes an envelope takes.
pub(crate) fn size(envelope: &Envelope) -> usize {
    let wraps: usize = envelope.wraps.iter().map(wrap_size).sum();
    envelope.payload.len() + envelope.header.len() + wraps + 64
}

/// About how many of them are a wrap's.
pub(crate) fn wrap_size(wrap: &Wrap) -> usize {
    wrap.bytes.len() + 64
}

async fn publisher(bus: Arc<dyn Bus>, news: News, mut committed: mpsc::Receiver<Committed>) {
    while let Some(Committed { message, recipients, appended }) = committed.recv().await {
        let conversation = message.header.conversation;
        let record = (size(&message.envelope) <= INLINE_BYTES_MAX).then(|| {
            let live = LiveRecord { at: appended.at, envelope: message.envelope };
            Record(to_bytes(&live).into())
        });
        let event = BusEvent::Message { conversation, sequence: appended.sequence, record };
        bus.publish(&recipients, event);
        pass(Point::Published);
        news.tell(&recipients);
    }
}
