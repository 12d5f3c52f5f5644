//! The courier: puts wake-ups into the queue, and takes them where they belong.
//!
//! * What comes within a moment is queued together, and a device has one row, whatever came.
//! * A wake-up waits for a few seconds first. A device that is connected, at whichever node, has
//!   acknowledged by then: there is no mail any more, and nobody is woken.
//! * What fails is tried again with rising patience and some chance in it, then is dead until the
//!   next message. A device that the service does not know any more is not woken again.
//! * When a node starts, devices that have mail are queued: what a crash kept from the queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::AccountId;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::Woken;
use crate::audit::{AuditEvent, Note};
use crate::random;
use crate::service::Services;
use crate::storage::{StorageError, WakeUp};

/// How many recipients of messages may wait to be queued; further ones are found at the next start.
const NEWS_MAX: usize = 4_096;
/// How many messages are looked at before their recipients are queued.
const NEWS_A_BATCH: usize = 512;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_millis(250);
/// How long a device has to fetch its mail by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many wake-ups are taken at a time, and how many of them are under way at once.
const LEASED_MAX: usize = 200;
const AT_ONCE: usize = 32;
/// Longer than the slowest attempt of all that were taken.
const LEASE: Duration = Duration::from_secs(180);
/// After so many attempts, over some five hours, a wake-up is dead.
const ATTEMPTS_MAX: u32 = 12;
const FIRST_PATIENCE: Duration = Duration::from_secs(15);
const LONGEST_PATIENCE: Duration = Duration::from_secs(3_600);
/// How many devices are looked at together when a node starts.
const DEVICES_A_LOOK: usize = 200;

/// Tells the courier of recipients; does nothing where nobody is woken.
#[derive(Clone, Debug, Default)]
pub struct News(Option<mpsc::Sender<Arc<[AccountId]>>>);

impl News {
    /// News, and where they arrive.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Arc<[AccountId]>>) {
        let (sender, receiver) = mpsc::channel(NEWS_MAX);
        (Self(Some(sender)), receiver)
    }

    /// There is a message for `recipients`. Never waits.
    pub fn tell(&self, recipients: &Arc<[AccountId]>) {
        if let Some(news) = &self.0
            && news.try_send(recipients.clone()).is_err()
        {
            tracing::debug!("too much news for the courier; the next message wakes them");
        }
    }
}

/// Queues whom news are for; ends when there are none to come.
pub async fn gather(services: Arc<Services>, mut news: mpsc::Receiver<Arc<[AccountId]>>) {
    let mut batch = Vec::new();
    while news.recv_many(&mut batch, NEWS_A_BATCH).await > 0 {
        tokio::time::sleep(GATHER).await;
        while batch.len() < NEWS_A_BATCH {
            let Ok(more) = news.try_recv() else { break };
            batch.push(more);
        }
        let accounts: BTreeSet<_> = batch.drain(..).flat_map(|it| it.to_vec()).collect();
        let accounts: Vec<_> = accounts.into_iter().collect();
        let due_at = services.now().after(GRACE);
        if let Err(error) = services.storage.wake(&accounts, due_at).await {
            tracing::warn!(%error, "wake-ups could not be queued");
        }
    }
}

/// Queues who has mail, then takes what is due again and again; does not return.
pub async fn run(services: Arc<Services>) {
    if let Err(error) = queue_backlog(&services).await {
        tracing::warn!(%error, "who has mail could not be queued");
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = deliver(&services).await {
            tracing::warn!(%error, "wake-ups could not be taken from the queue");
        }
    }
}

/// Queues a wake-up for each device that has mail and can be woken.
///
/// # Errors
///
/// [`StorageError`].
pub async fn queue_backlog(services: &Services) -> Result<(), StorageError> {
    let mut after = None;
    loop {
        let devices = services.storage.push_devices(after, DEVICES_A_LOOK).await?;
        let Some(last) = devices.last() else { return Ok(()) };
        after = Some(*last);
        let backlog = services.storage.backlog(&devices).await?;
        let accounts: BTreeSet<_> = backlog.iter().map(|it| it.address.account).collect();
        let accounts: Vec<_> = accounts.into_iter().collect();
        services.storage.wake(&accounts, services.now().after(GRACE)).await?;
    }
}

/// Takes everything that is due where it belongs; returns how many devices were woken.
///
/// # Errors
///
/// [`StorageError`]; what was not taken is taken later, by whichever node.
pub async fn deliver(services: &Services) -> Result<usize, StorageError> {
    let mut woken = 0;
    loop {
        let now = services.now();
        let leased = services.storage.lease_wake_ups(now, now.after(LEASE), LEASED_MAX).await?;
        let count = leased.len();
        let delivered = stream::iter(leased)
            .map(|wake_up| deliver_one(services, wake_up))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for one in delivered {
            woken += usize::from(one?);
        }
        if count < LEASED_MAX {
            return Ok(woken);
        }
    }
}

async fn deliver_one(services: &Services, wake_up: WakeUp) -> Result<bool, StorageError> {
    let WakeUp { address, target, number, attempts } = wake_up;
    let again_at = services.now().after(GRACE);
    let is_connected = services.registry.is_connected(address);
    if is_connected || services.storage.backlog(&[address]).await?.is_empty() {
        services.storage.wake_up_done(address, number, again_at).await?;
        return Ok(false);
    }
    let outcome = match services.pushers.of(&target) {
        Some(push) => push.wake(&target, services.now()).await,
        // The operator has taken this kind away.
        None => Woken::Refused,
    };
    let metrics = &services.metrics.push;
    match outcome {
        Woken::Delivered => {
            metrics.delivered.add(1);
            services.storage.wake_up_done(address, number, again_at).await?;
        }
        Woken::Gone => {
            metrics.gone.add(1);
            services.storage.drop_push_target(address, &target).await?;
            let note = Note::done(AuditEvent::PushTargetDropped).to_device(address);
            services.audit.note(note);
        }
        Woken::Later(patience) if attempts + 1 < ATTEMPTS_MAX => {
            metrics.failed.add(1);
            let patience = patience.unwrap_or_else(|| self::patience(attempts));
            let due_at = services.now().after(patience);
            services.storage.wake_up_failed(address, Some(due_at)).await?;
        }
        Woken::Later(_) | Woken::Refused => {
            metrics.dead.add(1);
            services.storage.wake_up_failed(address, None).await?;
        }
    }
    Ok(outcome == Woken::Delivered)
}

/// Twice as long each time, and between half of it and all of it, so that not all come at once.
fn patience(attempts: u32) -> Duration {
    let longest = FIRST_PATIENCE.saturating_mul(1 << attempts.min(16)).min(LONGEST_PATIENCE);
    let half = longest / 2;
    let chance = random::below(u64::try_from(half.as_millis()).unwrap_or(u64::MAX));
    half + Duration::from_millis(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_rises_and_has_an_end() {
        for (attempts, longest) in [(0, 15), (1, 30), (4, 240), (9, 3_600), (40, 3_600)] {
            let longest = Duration::from_secs(longest);
            for _ in 0..50 {
                let patience = patience(attempts);
                assert!(patience >= longest / 2 && patience < longest, "{attempts}: {patience:?}");
            }
        }
    }
}
