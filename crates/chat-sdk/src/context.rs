//! What a running client shares between its parts: who it is, and its four ports.

use std::fmt;
use std::sync::Arc;

use chat_core::id::{AccountId, DeviceAddress, WorkspaceId};
use chat_core::key::IdentityKey;
use chat_core::time::Timestamp;
use chat_crypto::identity::DeviceSecrets;

use crate::clock::Clock;
use crate::keyring::SharedKeyring;
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
    /// The account's secrets, the newest that are known.
    pub keyring: SharedKeyring,
    /// To how many devices a message goes on sessions; to more, it goes on our sender chain.
    pub sessions_a_message_max: usize,
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

#[cfg(test)]
pub(crate) mod tests {
    use chat_core::id::DeviceId;
    use chat_crypto::identity::IdentitySecret;
    use chat_crypto::keyring::Keyring;
    use chat_crypto::wrap::EnvelopeSecrets;

    use super::*;
    use crate::access::Access;
    use crate::api::Api;
    use crate::clock::ManualClock;
    use crate::store::account::{self, AccountRow, AccountState};
    use crate::transport::{Network, Origin};

    /// Port 9 of loopback: nobody listens there, and nobody may without being root.
    const NOWHERE: &str = "http://127.0.0.1:9";

    /// When tests begin.
    pub(crate) fn start() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    /// Alice's device, with a store in memory and a relay that is not there.
    pub(crate) async fn offline(clock: ManualClock) -> Context {
        let randomness = Randomness::seeded(1);
        let rng = &mut randomness.rng();
        let address =
            DeviceAddress { account: AccountId::random(rng), device: DeviceId::random(rng) };
        let device = Arc::new(DeviceSecrets::generate(rng));
        let envelope = EnvelopeSecrets::generate(address.account, 1, rng);
        let keyring = Keyring::new(IdentitySecret::generate(rng), envelope, rng);
        let own = Own {
            address,
            username: "alice".to_owned(),
            workspace: WorkspaceId::random(rng),
            identity_key: keyring.identity().key(),
            device: Arc::clone(&device),
            keyring: SharedKeyring::new(keyring),
            sessions_a_message_max: chat_core::limits::SESSIONS_A_MESSAGE_MAX,
        };
        let store = Store::in_memory().await.unwrap();
        let row = row(&own);
        store.write(move |tx| account::insert(tx, &row)).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let relay = relay_that_is_not_there(&store, &clock, address, device);
        Context { own, store, relay, clock, randomness }
    }

    /// A context over a store that somebody has, with a relay that is not there.
    pub(crate) fn over(own: Own, store: Store, clock: ManualClock) -> Context {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let device = Arc::clone(&own.device);
        let relay = relay_that_is_not_there(&store, &clock, own.address, device);
        Context { own, store, relay, clock, randomness: Randomness::seeded(5) }
    }

    fn row(own: &Own) -> AccountRow {
        AccountRow {
            relay: NOWHERE.to_owned(),
            address: own.address,
            username: own.username.clone(),
            workspace: own.workspace,
            device_secrets: own.device.to_snapshot().into(),
            keyring: own.keyring.get().to_snapshot().into(),
            keyring_lock: own.keyring.get().to_snapshot().into(),
            keyring_number: 1,
            devices: Vec::new(),
            devices_number: 1,
            state: AccountState::Active,
            created_at: start(),
        }
    }

    fn relay_that_is_not_there(
        store: &Store,
        clock: &Arc<dyn Clock>,
        address: DeviceAddress,
        device: Arc<DeviceSecrets>,
    ) -> Relay {
        let origin = Origin::parse(NOWHERE).unwrap();
        let api = Api::over(Arc::new(Network::to(origin).unwrap()));
        let access = Access::new(api.clone(), store.clone(), Arc::clone(clock), address, device);
        Relay::new(api, Arc::new(access))
    }
}
