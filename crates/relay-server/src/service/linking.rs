//! The mailbox of two devices that are being linked: the relay carries what it cannot open.
//!
//! A read waits for its slot. On this node it is woken by the write; a write at another node is
//! found by looking again, once a second. Normative: `docs/protocol/linking.md` §6.5.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::api::linking::{
    LINK_MAILBOX_LIFETIME, LINK_SLOTS, LINK_WAIT_MAX, LinkMessage, LinkSlot, RENDEZVOUS_BYTES,
    ReadLinkSlot, WriteLinkSlot,
};
use chat_core::codec::{Bytes, Digest};
use chat_core::reject::{Reject, RejectCode};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::Services;
use crate::limits::{Class, Subject};
use crate::storage::StorageError;
use crate::storage::linking::MailboxSlot;

/// Most mailboxes at a time: a quarter of a gigabyte, were they all full.
const MAILBOXES_MAX: u64 = 4_096;
/// Most reads that wait at a time, on this node; a further one is answered at once.
const WAITING_MAX: usize = 512;
/// How often a read that waits looks again, for what was written at another node.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who waits at a mailbox on this node. One bell for all: a linking writes eight times.
#[derive(Debug)]
pub struct Mailboxes {
    places: Semaphore,
    bell: Notify,
}

impl Default for Mailboxes {
    fn default() -> Self {
        Self { places: Semaphore::new(WAITING_MAX), bell: Notify::new() }
    }
}

/// Fills a slot.
///
/// # Errors
///
/// [`RejectCode::Conflict`] if another message was there first, [`RejectCode::Malformed`] for a
/// slot that cannot be, [`RejectCode::StorageFull`] while too many devices are being linked,
/// [`RejectCode::RateLimited`].
pub async fn write(services: &Services, from: IpAddr, write: &WriteLinkSlot) -> Result<(), Reject> {
    services.take(Class::Linking, Subject::address(from)).await?;
    let slot = slot(&write.to)?;
    let now = services.now();
    let expires_at = now.after(LINK_MAILBOX_LIFETIME);
    services.storage.write_slot(slot, &write.message, expires_at, MAILBOXES_MAX, now).await?;
    services.mailboxes.bell.notify_waiters();
    Ok(())
}

/// Reads a slot, and waits for it to be filled; not while this node is leaving.
///
/// # Errors
///
/// [`RejectCode::Malformed`] for a slot that cannot be, [`RejectCode::RateLimited`].
pub async fn read(
    services: &Services,
    from: IpAddr,
    read: &ReadLinkSlot,
    ready: &AtomicBool,
) -> Result<LinkMessage, Reject> {
    services.take(Class::Linking, Subject::address(from)).await?;
    let slot = slot(&read.from)?;
    let Mailboxes { places, bell } = &services.mailboxes;
    let place = places.try_acquire();
    let patience = if place.is_ok() { Duration::from_millis(read.wait_ms) } else { Duration::ZERO };
    let deadline = Instant::now() + patience.min(LINK_WAIT_MAX);
    loop {
        // Listening comes before looking, so that no write falls between the two.
        let mut rung = std::pin::pin!(bell.notified());
        rung.as_mut().enable();
        if let Some(message) = services.storage.read_slot(slot, services.now()).await? {
            let message = Bytes::new(message).map_err(|_| StorageError::Corrupt)?;
            return Ok(LinkMessage { message: Some(message) });
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !ready.load(Ordering::SeqCst) {
            return Ok(LinkMessage { message: None });
        }
        let _ = tokio::time::timeout(left.min(LOOK_EVERY), rung).await;
    }
}

fn slot(asked: &LinkSlot) -> Result<MailboxSlot, Reject> {
    if asked.rendezvous.len() != RENDEZVOUS_BYTES || asked.slot >= LINK_SLOTS {
        return Err(Reject::from(RejectCode::Malformed).saying("There is no such slot."));
    }
    // SECURITY: who reads the database cannot go on from there to the mailbox.
    let mailbox = Digest::of(&asked.rendezvous);
    Ok(MailboxSlot { mailbox, row: asked.row, slot: asked.slot })
}
