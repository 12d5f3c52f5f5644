//! What a running client shares between its parts: who it is, and its four ports.

use std::fmt;
use std::sync::Arc;

use chat_core::id::{AccountId, DeviceAddress, WorkspaceId};
use chat_core::key::IdentityKey;
use chat_core::time::Timestamp;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::Keyring;

use crate::clock::Clock;
use crate::random::{Randomness, Rng};
use crate::relay::Relay;
use crate::store::Store;

/// Everything the parts of a client need of each other; behind one `Arc`.
#[derive(Debug)]
pub struct Context {
    /// Who we are.
    pub own: Own,
    /// What we remember.
    pub store: Store,
    /// The relay, with our log-in.
    pub relay: Relay,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub randomness: Randomness,
}

impl Context {
    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A generator for one caller.
    #[must_use]
    pub fn rng(&self) -> Rng {
        self.randomness.rng()
    }
}

/// This account and this device, with their secrets.
#[derive(Clone)]
pub struct Own {
    /// Account and device.
    pub address: DeviceAddress,
    /// The account's name.
    pub username: String,
    /// The account's workspace.
    pub workspace: WorkspaceId,
    /// The account's identity key.
    pub identity_key: IdentityKey,
    /// The device's secrets.
    pub device: Arc<DeviceSecrets>,
    /// The account's secrets, as they were when the client was opened.
    pub keyring: Arc<Keyring>,
}

impl Own {
    /// The account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.address.account
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("address", &self.address).finish_non_exhaustive()
    }
}
