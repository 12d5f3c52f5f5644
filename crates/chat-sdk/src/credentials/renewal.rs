//! A device is removed: what it had opens nothing that comes.
//!
//! ```text
//!  noted ─▶ list without it ─▶ keyring: fresh lock, next epoch, next backup key ─▶ relay ─┐
//!                                                                                         │
//!   forgotten ◀─ backup's head ◀─ epoch published ◀─ lock on the sessions of the others ◀─┘
//! ```
//!
//! The lock goes to the devices that stay before anybody wraps for the new epoch, so that they can
//! open what comes then. It goes on their sessions: the envelope keys are what the removed device
//! has. Whatever interrupts this, the next connection makes up for it, with another fresh lock.
//! Normative: `docs/protocol/keyring.md` §3.4.

use chat_core::envelope::WrapScheme;
use chat_core::id::{DeviceId, MessageId};
use chat_crypto::keyring::KeyringLock;
use rusqlite::Transaction;

use super::{draw_epoch, publish_epoch};
use crate::backup;
use crate::content::{Content, HandedLock};
use crate::context::Context;
use crate::devices;
use crate::error::{Error, Kind, Result};
use crate::hub::Hub;
use crate::keyring::{self, Held, Publish};
use crate::message::Draft;
use crate::outbox;
use crate::random::Rng;
use crate::settings;
use crate::store::account;
use crate::sync::is_about_us;

/// The name of the fact that says that this is due.
const DUE: &str = "keyring_renewal_due";

/// Removes a device, and replaces what it has.
///
/// # Errors
///
/// As [`devices::remove_own`]; once the device is out of the list, only what is about this client.
pub(crate) async fn remove_device(hub: &Hub, device: DeviceId) -> Result<()> {
    let context = &hub.context;
    if device == context.own.address.device {
        // Who leaves cannot hand out a lock that it is not to have.
        return devices::remove_own(context, device).await;
    }
    context.store.write(renewal_is_due).await?;
    if let Err(error) = devices::remove_own(context, device).await {
        // Of a request that was lost nobody knows whether it counted.
        if !error.is_transient() {
            context.store.write(|tx| account::forget_fact(tx, DUE)).await?;
        }
        return Err(error);
    }
    renew(hub).await.or_else(pass_over)
}

/// Notes that the keyring is to be renewed with the next connection.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(crate) fn renewal_is_due(tx: &Transaction<'_>) -> Result<()> {
    account::set_fact(tx, DUE, &[])
}

/// Renews what an interrupted removal has left.
///
/// # Errors
///
/// As [`remove_device`].
pub(super) async fn make_up(hub: &Hub) -> Result<()> {
    let is_due = |tx: &Transaction<'_>| Ok(account::fact(tx, DUE)?.is_some());
    if !hub.context.store.read(is_due).await? {
        return Ok(());
    }
    renew(hub).await.or_else(pass_over)
}

/// The device is removed all the same, and the next connection tries again.
fn pass_over(error: Error) -> Result<()> {
    if is_about_us(error.kind()) {
        return Err(error);
    }
    tracing::warn!(code = error.code(), "the keyring was not renewed after a removal");
    Ok(())
}

async fn renew(hub: &Hub) -> Result<()> {
    let context = &hub.context;
    let held = keyring::change(context, fresh, Publish::Alone).await?;
    hand_over(hub, &held.lock).await?;
    publish_epoch(context, &held).await?;
    // The removed device could make heads under the backup key that it has.
    backup::seal_anew(hub).await?;
    context.store.write(|tx| account::forget_fact(tx, DUE)).await
}

fn fresh(held: &mut Held, rng: &mut Rng) -> Result<()> {
    held.lock = held.lock.renew(rng);
    draw_epoch(held, rng)?;
    held.keyring.rotate_backup_key(rng).map_err(|error| Kind::KeyringInvalid.because(error))
}

/// Hands the lock to the account's other devices, so that nobody types anything there. Where that
/// cannot be, they ask for the password or the phrase.
///
/// # Errors
///
/// What is about this client.
pub(super) async fn hand_over_if_possible(hub: &Hub, lock: &KeyringLock) -> Result<()> {
    hand_over(hub, lock).await.or_else(|error| {
        if is_about_us(error.kind()) {
            return Err(error);
        }
        tracing::warn!(code = error.code(), "the new lock was not handed over");
        Ok(())
    })
}

/// Puts the lock into the outbox, for the devices that stay.
async fn hand_over(hub: &Hub, lock: &KeyringLock) -> Result<()> {
    if !has_others(&hub.context).await? {
        return Ok(());
    }
    let id = settings::conversation(hub, WrapScheme::Ratchet).await?;
    let (own, now) = (hub.context.own.clone(), hub.now());
    let message = MessageId::random(&mut hub.context.rng());
    let draft = Draft::of(Content::KeyringLock(HandedLock::new(lock.to_snapshot())));
    let queue =
        move |tx: &Transaction<'_>| outbox::queue(tx, &own, id, message, &draft, now).map(drop);
    hub.context.store.write(queue).await?;
    hub.nudge.notify_one();
    Ok(())
}

async fn has_others(context: &Context) -> Result<bool> {
    let devices = devices::list_own(context).await?;
    Ok(devices.iter().any(|device| !device.is_this && device.removed_at.is_none()))
}

#[cfg(test)]
mod tests;
