//! Housekeeping: messages whose time is over, log-ins nobody finished, tokens that ran out.
//!
//! When something is over is the relay's clock's to say; the janitor only looks often enough. Every
//! read filters what is due, so its lateness never shows. One node sweeps for all; two that believe
//! they do get different messages.

pub mod blobs;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::time::Timestamp;

use crate::audit::{AuditEvent, Note};
use crate::bus::BusEvent;
use crate::service::Services;
use crate::storage::{Expired, StorageError};

/// How often it looks for messages that are due.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Every how many sweeps it also looks at log-ins and tokens.
const SWEEPS_A_CLEANING: u32 = 120;
/// What the node that leads does for all.
const CHORE: &str = "sweep";
/// Every how many sweeps a node asks whether it leads.
const SWEEPS_A_LEASE: u32 = 4;
/// How long a node leads that says nothing more.
const LEASE: Duration = Duration::from_secs(6);
/// How many messages one transaction erases: few, since whoever writes waits for it.
const MESSAGES_AT_ONCE: usize = 250;
/// How long it erases before it looks at its other chores, and asks whether it still leads.
const SWEEP_MAX: Duration = Duration::from_secs(1);
/// Every how many sweeps it collects blobs.
const SWEEPS_A_COLLECTION: u32 = 10;

/// Sweeps again and again; does not return.
pub async fn run(services: Arc<Services>) {
    let (mut sweeps, mut leads) = (0_u32, false);
    // Nodes look at different ones, each at all of them in a few hours.
    let [mut shard] = crate::random::bytes();
    let mut key = services.tokens.key_id(services.now());
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if sweeps.is_multiple_of(SWEEPS_A_LEASE) {
            leads = lead(&services).await;
        }
        if leads && let Err(error) = sweep_for(&services, SWEEP_MAX).await {
            tracing::warn!(%error, "what is due could not be erased yet");
        }
        if sweeps.is_multiple_of(SWEEPS_A_COLLECTION)
            && let Err(error) = blobs::collect(&services).await
        {
            tracing::warn!(%error, "blobs that nothing names could not be deleted yet");
        }
        if sweeps.is_multiple_of(SWEEPS_A_CLEANING) {
            if let Err(error) = blobs::sweep_orphans(&services, shard).await {
                tracing::warn!(%error, "objects that no row knows could not be deleted yet");
            }
            shard = shard.wrapping_add(1);
            let forgotten = services.storage.forget_expired(services.now()).await;
            if let Err(error) = forgotten {
                tracing::warn!(%error, "what has run out could not be forgotten yet");
            }
            if let Err(error) = services.storage.forget_mailboxes(services.now()).await {
                tracing::warn!(%error, "mailboxes could not be forgotten yet");
            }
            if let Err(error) = prune_audit(&services).await {
                tracing::warn!(%error, "the audit log could not be shortened yet");
            }
            let newer = services.tokens.key_id(services.now());
            if newer != key {
                let note = Note::done(AuditEvent::TokenKeysRotated).saying(&newer);
                services.audit.note(note);
                key = newer;
            }
        }
        sweeps = sweeps.wrapping_add(1);
    }
}

/// Whether this node sweeps for all of them, for the time being. One that cannot ask does not.
async fn lead(services: &Services) -> bool {
    let now = services.now();
    let led = services.storage.lead(CHORE, services.node, now.after(LEASE), now).await;
    led.unwrap_or(false)
}

/// Lets another node sweep at once.
pub async fn resign(services: &Services) {
    let now = services.now();
    if let Err(error) = services.storage.lead(CHORE, services.node, now, now).await {
        tracing::debug!(%error, "another node sweeps a little later");
    }
}

/// Forgets what the audit log need not keep any longer; returns how many entries.
///
/// # Errors
///
/// [`StorageError`].
pub async fn prune_audit(services: &Services) -> Result<u64, StorageError> {
    let kept = u64::try_from(services.audit_kept.as_millis()).unwrap_or(u64::MAX);
    let before = services.now().as_millis().saturating_sub(kept);
    services.storage.prune_audit(Timestamp::from_millis(before)).await
}

/// Erases everything that is due now and tells connected members; returns how many messages.
///
/// # Errors
///
/// [`StorageError`]; what was erased before it stays so.
pub async fn sweep(services: &Services) -> Result<usize, StorageError> {
    sweep_for(services, Duration::MAX).await
}

/// The same, but for no longer than `most`. After each transaction it rests for as long as that took:
/// however many are due, those who write have the store for half of the time.
async fn sweep_for(services: &Services, most: Duration) -> Result<usize, StorageError> {
    let (mut total, began) = (0, Instant::now());
    loop {
        let started = Instant::now();
        let expired = services.storage.expire_due(services.now(), MESSAGES_AT_ONCE).await?;
        let count = expired.len();
        services.metrics.expired.add(u64::try_from(count).unwrap_or_default());
        total += count;
        for gone in expired {
            tell(services, gone).await?;
        }
        if count < MESSAGES_AT_ONCE || began.elapsed() >= most {
            return Ok(total);
        }
        tokio::time::sleep(started.elapsed()).await;
    }
}

async fn tell(services: &Services, gone: Expired) -> Result<(), StorageError> {
    let Expired { conversation, sequence, message } = gone;
    if let Some(known) = services.directory.conversation(conversation).await? {
        let event = BusEvent::Deleted { conversation, sequence, message, deletion: None };
        services.bus.publish(&known.recipients, event);
    }
    Ok(())
}
