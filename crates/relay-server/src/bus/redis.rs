//! The bus over Redis: for several nodes, and only a fast path.
//!
//! ```text
//!  publish ─▶ accounts here ─▶ inbox                                  never leaves the process
//!         └─▶ queue ─▶ publisher ─▶ directory: who is at which node? ─▶ PUBLISH once a node
//!
//!  register ─▶ directory task ─▶ {prefix}a:<account> = sorted set of nodes, each until when
//!                                 renewed every third of its time; all anew after a loss
//!  subscriber ◀─ SUBSCRIBE {p<hash>}n:<node>, {p0}all ─▶ inbox
//! ```
//!
//! Three tasks with a connection each; every one reconnects by itself. While Redis is away,
//! publishes to other nodes are dropped and counted; whoever was cut off is told
//! [`Notice::Missed`](super::Notice::Missed) as soon as it is back: the subscriber by itself, the
//! other nodes by a word to all of them from the publisher that had to drop something.
//!
//! The channels' names carry hash tags, so that a cluster with sharded pub/sub needs other commands
//! but no other names. Absent: that cluster, and streams; the log is in the database.

mod directory;
pub(crate) mod link;
pub mod meter;
#[cfg(test)]
pub(crate) mod proxy;
mod publisher;
mod subscriber;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::id::AccountId;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Bus, BusEvent, BusHealth, Connected, Inbox, NodeId, Outlet, Put, inbox};
use directory::Change;
use meter::RedisMeter;
use publisher::Publish;
use wire::Names;

/// How long a connection may need to be made, and an answer to come.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to connect.
const RETRY_WITHIN: Duration = Duration::from_secs(2);
/// How often the directory looks whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a registration may hold up the connection that asks for it.
const REGISTER_WITHIN: Duration = Duration::from_secs(1);
/// How long leaving may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How many events may wait to be published.
const QUEUE_EVENTS_MAX: usize = 8192;
/// How many commands travel together.
const PIPELINE_MAX: usize = 500;

/// Where Redis is.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port/number`.
    pub url: String,
    /// Stands before every name this bus uses, so that relays can share a Redis.
    pub prefix: String,
    /// How long a node that vanished stays in the directory.
    pub directory_ttl: Duration,
    /// Counts how it does.
    pub meter: RedisMeter,
}

impl RedisConfig {
    /// At `url`, under the prefix `sealwire:`, vanished nodes forgotten after a minute.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        let directory_ttl = Duration::from_secs(60);
        let (url, prefix, meter) = (url.into(), "sealwire:".to_owned(), RedisMeter::default());
        Self { url, prefix, directory_ttl, meter }
    }
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The URL is not one of a Redis server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the Redis URL cannot be read; it looks like redis://host:6379/0")]
pub struct BadRedisUrl;

/// One node's end of the bus.
#[derive(Debug)]
pub struct RedisBus {
    shared: Arc<Shared>,
    publishes: mpsc::Sender<Publish>,
    changes: mpsc::Sender<Change>,
    tasks: Mutex<JoinSet<()>>,
}

/// What the tasks of a node share.
#[derive(Debug)]
struct Shared {
    names: Names,
    directory_ttl: Duration,
    /// How many connections each account has here: the truth that the directory copies.
    here: Mutex<HashMap<AccountId, usize>>,
    outlet: Mutex<Option<Outlet>>,
    /// Whether events for this node arrive.
    is_subscribed: watch::Sender<bool>,
    /// Whether the directory can be written.
    is_listed: watch::Sender<bool>,
    /// Events were dropped, and the other nodes do not know it yet.
    owes_a_word: AtomicBool,
    /// The directory is to be written anew.
    renew: Notify,
    published: AtomicU64,
    lost: AtomicU64,
    stop: CancellationToken,
    meter: RedisMeter,
}

impl RedisBus {
    /// Begins to connect and returns at once, whether Redis is there or not.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BadRedisUrl`].
    pub fn start(config: &RedisConfig, node: NodeId) -> Result<(Self, Inbox), BadRedisUrl> {
        let client = ::redis::Client::open(config.url.as_str()).map_err(|_| BadRedisUrl)?;
        let (outlet, inbox) = inbox();
        let shared = Arc::new(Shared {
            names: Names::new(&config.prefix, node),
            directory_ttl: config.directory_ttl,
            here: Mutex::default(),
            outlet: Mutex::new(Some(outlet)),
            is_subscribed: watch::Sender::new(false),
            is_listed: watch::Sender::new(false),
            owes_a_word: AtomicBool::new(false),
            renew: Notify::new(),
            published: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            stop: CancellationToken::new(),
            meter: config.meter.clone(),
        });
        let (publishes, queue) = mpsc::channel(QUEUE_EVENTS_MAX);
        let (changes, wanted) = mpsc::channel(PIPELINE_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(subscriber::run(shared.clone(), client.clone()));
        tasks.spawn(directory::run(shared.clone(), client.clone(), wanted));
        tasks.spawn(publisher::run(shared.clone(), client, queue));
        Ok((Self { shared, publishes, changes, tasks: Mutex::new(tasks) }, inbox))
    }

    /// Tells every node that has `account` something, as somebody who is no node; tells whether Redis
    /// took it.
    ///
    /// # Errors
    ///
    /// [`BadRedisUrl`].
    pub async fn say_once(
        config: &RedisConfig,
        nobody: NodeId,
        account: AccountId,
        event: BusEvent,
    ) -> Result<bool, BadRedisUrl> {
        let (bus, _inbox) = Self::start(config, nobody)?;
        bus.publish(&[account], event);
        // What was accepted is tried once before this returns.
        bus.close().await;
        Ok(bus.health().lost == 0)
    }

    /// Hands accounts to the directory and waits for them to be listed, but not for long.
    async fn list(&self, accounts: Vec<AccountId>) {
        if accounts.is_empty() {
            return;
        }
        let (done, listed) = oneshot::channel();
        let mut is_subscribed = self.shared.is_subscribed.subscribe();
        let until_listed = async {
            let change = Change { accounts, done };
            if self.changes.send(change).await.is_ok() && listed.await.is_ok() {
                // An error means that the task is gone, and with it the reason to wait.
                let _ = is_subscribed.wait_for(|is| *is).await;
            }
        };
        let waited = tokio::time::timeout(REGISTER_WITHIN, until_listed).await;
        if waited.is_err() {
            tracing::debug!("the directory is slow; it catches up later");
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn register(&self, accounts: &[AccountId]) {
        {
            let mut here = self.shared.here();
            for account in accounts {
                *here.entry(*account).or_default() += 1;
            }
        }
        self.list(accounts.to_vec()).await;
    }

    async fn unregister(&self, accounts: &[AccountId]) {
        let mut gone = Vec::new();
        {
            let mut here = self.shared.here();
            for account in accounts {
                match here.get_mut(account) {
                    Some(count) if *count > 1 => *count -= 1,
                    Some(_) => {
                        here.remove(account);
                        gone.push(*account);
                    }
                    None => {}
                }
            }
        }
        self.list(gone).await;
    }

    fn publish(&self, recipients: &[AccountId], event: BusEvent) {
        if recipients.is_empty() {
            return;
        }
        self.shared.put(recipients.iter().copied(), event.clone());
        let publish = Publish { recipients: recipients.into(), event };
        if self.publishes.try_send(publish).is_err() {
            self.shared.lose(1);
        }
    }

    fn health(&self) -> BusHealth {
        let is_whole = *self.shared.is_subscribed.borrow() && *self.shared.is_listed.borrow();
        BusHealth {
            connected: if is_whole { Connected::Yes } else { Connected::No },
            published: self.shared.published.load(Ordering::Relaxed),
            lost: self.shared.lost.load(Ordering::Relaxed),
            received: self.shared.outlet().as_ref().map_or(0, Outlet::received),
        }
    }

    async fn close(&self) {
        self.shared.stop.cancel();
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = tokio::time::timeout(CLOSE_WITHIN, async {
            while tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            tracing::debug!("Redis is slow; the directory forgets this node by itself");
        }
        self.shared.outlet().take();
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    fn here(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        // What the lock guards is whole between any two statements.
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outlet(&self) -> MutexGuard<'_, Option<Outlet>> {
        self.outlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event into the inbox for those of `recipients` who are here.
    fn put(&self, recipients: impl Iterator<Item = AccountId>, event: BusEvent) {
        let present: Arc<[AccountId]> = {
            let here = self.here();
            recipients.filter(|account| here.contains_key(account)).collect()
        };
        if present.is_empty() {
            return;
        }
        let put = self.outlet().as_ref().map(|outlet| outlet.put(present, event));
        if put == Some(Put::Missed) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells this node that it may have missed something.
    fn miss(&self) {
        if let Some(outlet) = self.outlet().as_ref() {
            outlet.miss();
        }
    }

    /// Counts events that other nodes will not get, and remembers to tell them so.
    fn lose(&self, events: usize) {
        self.lost.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.owes_a_word.store(true, Ordering::SeqCst);
    }
}
