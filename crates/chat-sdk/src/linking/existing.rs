//! The existing device: it certifies the new one, hands over the keyring's lock, and lists it.
//!
//! ```text
//!  Comparison ─confirm─▶ waits for the introduction ─▶ admission ─▶ receipt ─▶ device list + 1
//! ```

use std::fmt;
use std::sync::Arc;

use chat_core::id::DeviceId;

use super::code::LinkCode;
use super::pairing::{Comparison, ShownCode, scan, show};
use crate::client::Client;
use crate::devices;
use crate::error::Result;
use crate::hub::Hub;
use crate::keyring::{self, Held};

/// A device that links another one to its account.
pub struct Linker {
    hub: Arc<Hub>,
}

impl Client {
    /// Answers the code that a new device shows, to make it one of this account's devices.
    ///
    /// An app asks for whatever unlocks it first: a device that is linked reads everything, and
    /// somebody who sends a code by mail is not to get in by the press of a button.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkCodeInvalid`](crate::Kind::LinkCodeInvalid), also for the code of a device that
    /// has an account; [`Kind::LinkExpired`](crate::Kind::LinkExpired),
    /// [`Kind::LinkNotAuthentic`](crate::Kind::LinkNotAuthentic),
    /// [`Kind::RelayUnreachable`](crate::Kind::RelayUnreachable).
    pub async fn link_device(&self, code: &LinkCode) -> Result<Comparison<Linker>> {
        let context = &self.hub.context;
        let (api, clock) = (context.relay.api().clone(), Arc::clone(&context.clock));
        scan(Linker { hub: Arc::clone(&self.hub) }, code, api, clock, &context.randomness).await
    }

    /// Shows a code for a new device to scan: for when this one has no camera, or the other one no
    /// screen that can be scanned.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`](crate::Kind::RelayUnreachable).
    pub async fn show_link_code(&self) -> Result<ShownCode<Linker>> {
        let context = &self.hub.context;
        let (api, clock) = (context.relay.api().clone(), Arc::clone(&context.clock));
        show(Linker { hub: Arc::clone(&self.hub) }, api, clock, &context.randomness).await
    }
}

impl Comparison<Linker> {
    /// Goes on, because the person at this device says that the emoji are the same, and waits for
    /// the other one's word; then the new device is one of the account's.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkCancelled`](crate::Kind::LinkCancelled),
    /// [`Kind::LinkExpired`](crate::Kind::LinkExpired),
    /// [`Kind::LinkNotAuthentic`](crate::Kind::LinkNotAuthentic),
    /// [`Kind::TooManyDevices`](crate::Kind::TooManyDevices),
    /// [`Kind::RelayUnreachable`](crate::Kind::RelayUnreachable).
    pub async fn confirm(self) -> Result<DeviceId> {
        let Self { device: Linker { hub }, comparing, mut mailbox } = self;
        let introduction = mailbox.take().await?;
        let candidate = comparing.confirm().introduced(&introduction, mailbox.now())?;
        let current = devices::refresh_own(&hub.context).await?;
        // The newest, so that the lock opens what the relay serves to the new device.
        let Held { keyring, lock } = keyring::refresh(&hub.context).await?;
        let (admitted, admission) = {
            let (now, rng) = (mailbox.now(), &mut hub.context.rng());
            candidate.admit(&keyring, &lock, &current, now, rng)?
        };
        mailbox.put(admission).await?;
        let receipt = mailbox.take().await?;
        let certificate = admitted.received(&receipt, mailbox.now())?;
        let device = devices::add_own(&hub.context, certificate).await?;
        hub.nudge.notify_one();
        Ok(device)
    }
}

impl fmt::Debug for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Linker(..)")
    }
}
