//! The account of this store: registered, logged in to, or opened again.
//!
//! ```text
//!  register ─ OPAQUE ─▶ all keys are made here ─▶ relay: record, public keys, sealed keyring
//!  log in   ─ OPAQUE ─▶ keyring opened ─▶ device certified, in the next list ─▶ relay: enrol
//!  open     ───────────▶ the store has it all; nothing is sent
//!                                              └─▶ store: ids, secrets, list, prekeys, tokens
//! ```
//!
//! The store is written once the relay has agreed. If the answer was lost on the way, the device
//! logs in with its key: if the relay knows it, it has agreed. The password is needed for the first
//! two only, and the keyring is opened by what OPAQUE derives from it, never by the password.

mod enrol;
mod log_out;
mod recover;
mod register;

use std::fmt;
use std::sync::Arc;

use chat_core::codec::to_bytes;
use chat_core::device::PublishedDevices;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::{Keyring, KeyringLock};
use chat_crypto::prekey::PrekeySecrets;

pub use self::enrol::log_in;
pub(crate) use self::enrol::prove;
pub use self::log_out::log_out;
pub use self::recover::recover;
pub use self::register::{register, register_by};
use crate::access::{self, Access};
use crate::api::Api;
use crate::clock::Clock;
use crate::context::{Context, Own};
use crate::error::{Kind, Result};
use crate::keyring::SharedKeyring;
use crate::password::PasswordHardening;
use crate::random::Randomness;
use crate::relay::Relay;
use crate::store::account::{AccountRow, AccountState};
use crate::store::{self, Store, unreadable};

/// What there is before there is an account.
#[derive(Clone)]
pub struct Setup {
    /// The relay, which does not know us yet.
    pub api: Api,
    /// The store, open.
    pub store: Store,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub randomness: Randomness,
    /// What a guess at the password costs.
    pub hardening: PasswordHardening,
    /// To how many devices a message goes on sessions.
    pub sessions_a_message_max: usize,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("api", &self.api).finish_non_exhaustive()
    }
}

/// Opens the account of a store that has one; works without a network.
///
/// # Errors
///
/// [`Kind::StoreEmpty`] if there is none, [`Kind::DeviceRemoved`] if the account has removed this
/// device, [`Kind::AddressInvalid`] if the account is at another relay.
pub async fn open(setup: Setup) -> Result<Context> {
    let row = setup.store.read(store::account::load).await?;
    if row.state == AccountState::Removed {
        return Err(Kind::DeviceRemoved.into());
    }
    if row.relay != setup.api.origin().as_str() {
        return Err(Kind::AddressInvalid.into());
    }
    let own = own(&row, setup.sessions_a_message_max)?;
    Ok(context(setup, own))
}

/// Who the row says we are.
fn own(row: &AccountRow, sessions_a_message_max: usize) -> Result<Own> {
    let device = DeviceSecrets::from_snapshot(row.device_secrets.as_bytes()).map_err(unreadable)?;
    let keyring = Keyring::from_snapshot(row.keyring.as_bytes()).map_err(unreadable)?;
    Ok(Own {
        address: row.address,
        username: row.username.clone(),
        workspace: row.workspace,
        identity_key: keyring.identity().key(),
        device: Arc::new(device),
        keyring: SharedKeyring::new(keyring),
        sessions_a_message_max,
    })
}

fn context(setup: Setup, own: Own) -> Context {
    let Setup { api, store, clock, randomness, .. } = setup;
    let access = Access::new(
        api.clone(),
        store.clone(),
        Arc::clone(&clock),
        own.address,
        Arc::clone(&own.device),
    );
    Context { own, store, relay: Relay::new(api, Arc::new(access)), clock, randomness }
}

/// An account and a device that the relay has agreed to.
pub(crate) struct Agreed {
    pub(crate) own: Own,
    pub(crate) keyring_lock: KeyringLock,
    pub(crate) keyring_number: u64,
    pub(crate) devices: PublishedDevices,
    pub(crate) devices_number: u32,
    pub(crate) prekeys: PrekeySecrets,
    /// The prekeys' upload, encoded, if the relay does not have it yet.
    pub(crate) upload: Option<Vec<u8>>,
    pub(crate) tokens: chat_core::api::auth::Tokens,
}

/// Writes everything down, in one transaction, and begins.
pub(crate) async fn settle(setup: Setup, agreed: Agreed) -> Result<Context> {
    let now = setup.clock.now();
    let row = AccountRow {
        relay: setup.api.origin().to_string(),
        address: agreed.own.address,
        username: agreed.own.username.clone(),
        workspace: agreed.own.workspace,
        device_secrets: agreed.own.device.to_snapshot().into(),
        keyring: agreed.own.keyring.get().to_snapshot().into(),
        keyring_lock: agreed.keyring_lock.to_snapshot().into(),
        keyring_number: agreed.keyring_number,
        devices: to_bytes(&agreed.devices),
        devices_number: agreed.devices_number,
        state: AccountState::Active,
        created_at: now,
    };
    let (prekeys, upload, tokens) = (agreed.prekeys, agreed.upload, agreed.tokens);
    setup
        .store
        .write(move |tx| {
            store::account::insert(tx, &row)?;
            let (number, secrets) = (prekeys.number(), prekeys.to_snapshot());
            store::prekeys::insert(tx, number, &secrets, upload.as_deref(), now)?;
            access::keep(tx, tokens, now)?;
            Ok(())
        })
        .await?;
    Ok(context(setup, agreed.own))
}

/// Refuses a store that has an account, before anything is asked of the relay.
pub(crate) async fn check_is_empty(store: &Store) -> Result<()> {
    if store.read(store::account::exists).await? { Err(Kind::StoreInUse.into()) } else { Ok(()) }
}
