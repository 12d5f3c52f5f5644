//! The directory task: keeps in Redis which accounts are at this node.
//!
//! What it writes is never the change that it was told of, but what is true when it writes; so a
//! change may come twice or late, or be made up for by the next renewal.

use std::sync::Arc;

use ::redis::{Client, Pipeline, RedisResult};
use chat_core::id::AccountId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::link::{Link, Linked};
use super::{HEARTBEAT, PIPELINE_MAX, Shared};

/// Accounts whose entries are to be written.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) accounts: Vec<AccountId>,
    /// Answered when they are; dropped when that is not possible now.
    pub(super) done: oneshot::Sender<()>,
}

struct Directory {
    shared: Arc<Shared>,
    link: Link,
    /// When all entries were written last; nothing when they may not be there.
    renewed_at: Option<Instant>,
}

pub(super) async fn run(shared: Arc<Shared>, client: Client, mut wanted: mpsc::Receiver<Change>) {
    let link = Link::new(client, shared.meter.clone());
    let mut directory = Directory { shared: shared.clone(), link, renewed_at: None };
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut changes = Vec::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = shared.renew.notified() => {
                directory.renewed_at = None;
                directory.keep().await;
            }
            _ = heartbeat.tick() => directory.keep().await,
            count = wanted.recv_many(&mut changes, PIPELINE_MAX) => {
                if count == 0 {
                    break;
                }
                directory.change(&mut changes).await;
            }
        }
    }
    directory.withdraw().await;
}

impl Directory {
    /// Writes all entries if they may not be there, or before they run out.
    async fn keep(&mut self) {
        let Some(linked) = self.link.get().await else { return self.is_renewed(None) };
        match keep(&self.shared, linked, self.renewed_at).await {
            Ok(renewed_at) => {
                self.link.worked();
                self.is_renewed(Some(renewed_at));
            }
            Err(error) => {
                self.link.failed(&error);
                self.is_renewed(None);
            }
        }
    }

    /// Writes the entries of some accounts, and answers those who wait for that.
    async fn change(&mut self, changes: &mut Vec<Change>) {
        if self.renewed_at.is_none() {
            self.keep().await;
        } else if let Some(linked) = self.link.get().await {
            let accounts = changes.iter().flat_map(|change| &change.accounts).copied().collect();
            if let Err(error) = write(&self.shared, linked, accounts).await {
                self.link.failed(&error);
                self.is_renewed(None);
            }
        }
        for change in changes.drain(..) {
            if self.renewed_at.is_some() {
                // Who asked may have stopped waiting.
                let _ = change.done.send(());
            }
        }
    }

    fn is_renewed(&mut self, at: Option<Instant>) {
        self.renewed_at = at;
        self.shared.is_listed.send_replace(at.is_some());
    }

    /// Takes all entries back.
    async fn withdraw(&mut self) {
        self.is_renewed(None);
        let Some(linked) = self.link.get().await else { return };
        let accounts: Vec<AccountId> =
            self.shared.here().drain().map(|(account, _)| account).collect();
        let withdrawn = async {
            write(&self.shared, linked, accounts).await?;
            ::redis::cmd("DEL")
                .arg(self.shared.names.mark())
                .exec_async(&mut linked.connection)
                .await
        };
        if let Err(error) = withdrawn.await {
            tracing::debug!(%error, "the directory forgets this node by itself");
        }
    }
}

/// Returns when all entries were written last, which may be just now.
async fn keep(
    shared: &Shared,
    linked: &mut Linked,
    renewed_at: Option<Instant>,
) -> RedisResult<Instant> {
    let mark_is_there: bool = ::redis::cmd("PEXPIRE")
        .arg(shared.names.mark())
        .arg(ttl_ms(shared))
        .query_async(&mut linked.connection)
        .await?;
    let is_fresh = |at: &Instant| at.elapsed() < shared.directory_ttl / 3;
    if let Some(at) = renewed_at.filter(is_fresh)
        && mark_is_there
        && !linked.is_new
    {
        return Ok(at);
    }
    let accounts: Vec<AccountId> = shared.here().keys().copied().collect();
    write(shared, linked, accounts).await?;
    ::redis::cmd("SET")
        .arg(shared.names.mark())
        .arg(1)
        .arg("PX")
        .arg(ttl_ms(shared))
        .exec_async(&mut linked.connection)
        .await?;
    Ok(Instant::now())
}

/// Writes what is true of `accounts` now.
async fn write(shared: &Shared, linked: &mut Linked, accounts: Vec<AccountId>) -> RedisResult<()> {
    for accounts in accounts.chunks(PIPELINE_MAX) {
        let (now, ttl) = (linked.now_ms(), ttl_ms(shared));
        let mut pipeline = Pipeline::new();
        {
            let here = shared.here();
            for account in accounts {
                let key = shared.names.account(*account);
                let node = shared.names.node.as_bytes().as_slice();
                if here.contains_key(account) {
                    pipeline.cmd("ZADD").arg(&key).arg(now.saturating_add(ttl)).arg(node).ignore();
                    pipeline.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(now).ignore();
                    pipeline.cmd("PEXPIRE").arg(&key).arg(ttl).ignore();
                } else {
                    pipeline.cmd("ZREM").arg(&key).arg(node).ignore();
                }
            }
        }
        pipeline.exec_async(&mut linked.connection).await?;
    }
    Ok(())
}

fn ttl_ms(shared: &Shared) -> u64 {
    u64::try_from(shared.directory_ttl.as_millis()).unwrap_or(u64::MAX)
}
