//! Limits that hold for all nodes together, counted in Redis.
//!
//! ```text
//!  eager   take ─▶ counted here ─▶ answer            ─▶ queue ─▶ Redis ─▶ learned here
//!  exact   take ─▶ looked up here ─▶ queue ─▶ Redis ─▶ learned here ─▶ answer
//! ```
//!
//! What happens often is decided here and told to Redis in batches; its answer is where the subject
//! stands with all nodes, and raises what this node knows. So a message never waits for Redis, and
//! a subject that spreads over n nodes gains what it can do within a round trip. Log-ins and
//! registrations, which are rare and worth an attack, wait for the answer.
//!
//! While Redis is away each node counts alone, which costs precision and nothing else; only
//! [`Sharing::Strict`] classes are refused then. Moments in Redis are by Redis' clock, so nodes
//! whose clocks differ count alike.

#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ::redis::{Client, Pipeline, RedisResult};
use async_trait::async_trait;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::local::LocalLimits;
use super::{Class, Limits, LimitsHealth, Micros, Sharing, Subject, Wait, micros};
use crate::bus::redis::link::{Link, Linked};
use crate::bus::redis::meter::RedisMeter;
use crate::bus::redis::{BadRedisUrl, RedisConfig};
use crate::config::Rates;

/// How many requests may wait to be counted; further ones are counted here alone.
const QUEUE_MAX: usize = 8192;
/// How many are counted together.
const PIPELINE_MAX: usize = 500;
/// This node's clock was set when it and Redis' have come apart by more.
const CLOCK_JUMP_MICROS: i64 = 1_000_000;
/// How long a refusal for want of Redis asks people to wait.
const RETRY_AFTER_MS: u64 = 1_000;

/// One step of GCRA. Returns the new `due`, or the old one with a minus if it is refused.
///
/// An eager node has answered already, so its request counts whatever the result.
const COUNT: &str = r"
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local following = due + interval
if ARGV[4] == 'ask' and following - now > burst then return -due end
local lasts = math.max(1, math.ceil((following - now) / 1000))
redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', string.format('%.0f', lasts))
return following
";

/// Counts of all nodes that use the same Redis and the same prefix.
#[derive(Debug)]
pub struct RedisLimits {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    rates: Rates,
    known: LocalLimits,
    prefix: String,
    meter: RedisMeter,
    shared: AtomicU64,
    alone: AtomicU64,
}

/// Something that is to be counted.
#[derive(Debug)]
struct Request {
    class: Class,
    subject: Subject,
    count: u32,
    now: Micros,
    /// Where somebody waits for the answer. It is dropped when there is none.
    answer: Option<oneshot::Sender<Result<(), Wait>>>,
}

impl RedisLimits {
    /// Begins to connect and returns at once, whether Redis is there or not.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BadRedisUrl`].
    pub fn start(config: &RedisConfig, rates: Rates) -> Result<Self, BadRedisUrl> {
        let client = Client::open(config.url.as_str()).map_err(|_| BadRedisUrl)?;
        let shared = Arc::new(Shared {
            rates,
            known: LocalLimits::new(rates),
            prefix: config.prefix.clone(),
            meter: config.meter.clone(),
            shared: AtomicU64::new(0),
            alone: AtomicU64::new(0),
        });
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let task = tokio::spawn(run(shared.clone(), client, queue));
        Ok(Self { shared, requests, task: Mutex::new(Some(task)) })
    }

    /// Asks all nodes; nothing if they cannot be asked.
    async fn ask(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Micros,
    ) -> Option<Result<(), Wait>> {
        let (answer, answered) = oneshot::channel();
        let request = Request { class, subject, count, now, answer: Some(answer) };
        if self.requests.try_send(request).is_err() {
            self.shared.alone.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        answered.await.ok()
    }

    /// Tells all nodes.
    fn tell(&self, class: Class, subject: Subject, count: u32, now: Micros) {
        let request = Request { class, subject, count, now, answer: None };
        if self.requests.try_send(request).is_err() {
            self.shared.alone.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take_many(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Timestamp,
    ) -> Result<(), Reject> {
        let (known, now) = (&self.shared.known, micros(now));
        let sharing = class.sharing();
        if sharing == Sharing::Eager {
            known.count(class, subject, count, now)?;
            self.tell(class, subject, count, now);
            return Ok(());
        }
        // Who has had too much here has had too much everywhere.
        known.look(class, subject, count, now)?;
        match self.ask(class, subject, count, now).await {
            Some(answer) => Ok(answer?),
            None if sharing == Sharing::Strict => {
                let mut reject = Reject::from(RejectCode::Unavailable);
                reject.retry_after_ms = Some(RETRY_AFTER_MS);
                Err(reject)
            }
            None => Ok(known.count(class, subject, count, now)?),
        }
    }

    fn health(&self) -> LimitsHealth {
        LimitsHealth {
            shared: self.shared.shared.load(Ordering::Relaxed),
            alone: self.shared.alone.load(Ordering::Relaxed),
        }
    }

    async fn close(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Drop for RedisLimits {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn run(shared: Arc<Shared>, client: Client, mut queue: mpsc::Receiver<Request>) {
    let mut link = Link::new(client, shared.meter.clone());
    let mut offset = 0;
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, PIPELINE_MAX).await > 0 {
        let requests = std::mem::take(&mut batch);
        let count = u64::try_from(requests.len()).unwrap_or_default();
        let counted = match link.get().await {
            None => None,
            Some(linked) => {
                follow_clock(&mut offset, linked);
                match count_all(&shared, linked, offset, &requests).await {
                    Ok(dues) => Some(dues),
                    Err(error) => {
                        link.failed(&error);
                        None
                    }
                }
            }
        };
        // Without an answer the requests are dropped, and with them who waits is told.
        let Some(dues) = counted else {
            shared.alone.fetch_add(count, Ordering::Relaxed);
            continue;
        };
        link.worked();
        for (request, due) in requests.into_iter().zip(dues) {
            shared.learn(request, due, offset);
        }
        shared.shared.fetch_add(count, Ordering::Relaxed);
    }
}

/// Keeps how far Redis' clock is ahead of ours, in microseconds. It is measured with each new
/// connection and when a clock was set, not all the time, so that the measuring itself does not
/// make moments jump.
fn follow_clock(offset: &mut i64, linked: &Linked) {
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let theirs = linked.now_ms().saturating_mul(1_000);
    let signed = |moment: u64| i64::try_from(moment).unwrap_or(i64::MAX);
    let measured = signed(theirs) - signed(u64::try_from(ours).unwrap_or(u64::MAX));
    if linked.is_new || measured.abs_diff(*offset) > CLOCK_JUMP_MICROS.unsigned_abs() {
        *offset = measured;
    }
}

async fn count_all(
    shared: &Shared,
    linked: &mut Linked,
    offset: i64,
    requests: &[Request],
) -> RedisResult<Vec<i64>> {
    let script = ::redis::Script::new(COUNT);
    if linked.is_new {
        // A script is forgotten only when Redis ends, and the connection with it.
        script.prepare_invoke().load_async(&mut linked.connection).await?;
    }
    let mut pipeline = Pipeline::with_capacity(requests.len());
    for Request { class, subject, count, now, answer } in requests {
        let rate = class.rate(&shared.rates);
        pipeline
            .cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(1)
            .arg(format!("{}l:{}:{subject}", shared.prefix, class.name()))
            .arg(now.saturating_add_signed(offset))
            .arg(rate.cost(*count))
            .arg(rate.burst())
            .arg(if answer.is_some() { "ask" } else { "tell" });
    }
    pipeline.query_async(&mut linked.connection).await
}

impl Shared {
    /// Takes note of where a subject stands with all nodes, and answers who waits for it.
    fn learn(&self, request: Request, due: i64, offset: i64) {
        let Request { class, subject, count, now, answer } = request;
        let standing = due.unsigned_abs().saturating_add_signed(offset.saturating_neg());
        self.known.learn(class, subject, standing);
        if let Some(answer) = answer {
            let refused = due < 0;
            let wait = class.rate(&self.rates).take(standing, count, now);
            let outcome = match (refused, wait) {
                (true, Err(wait)) => Err(wait),
                // Redis rounds nothing, so this is a request that would pass a moment later.
                (true, Ok(_)) => Err(Wait(1_000)),
                (false, _) => Ok(()),
            };
            // Who asked may have gone away.
            let _ = answer.send(outcome);
        }
    }
}
