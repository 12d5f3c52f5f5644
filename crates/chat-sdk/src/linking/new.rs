//! The new device: it says which keys it has, is given the keyring's lock, and becomes a client.
//!
//! ```text
//!  Comparison ─confirm─▶ introduction ─▶ admission ─▶ stored ─▶ receipt ─▶ log-in by key
//!                                                       │                     │ once it is listed
//!                                           open ───────┘                     ▼
//!                                                        keyring, list checked ─▶ Client
//! ```

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::auth::Tokens;
use chat_core::codec::{List, to_bytes};
use chat_core::device::AccountDevices;
use chat_core::id::DeviceId;
use chat_core::limits::ONE_TIME_PREKEYS_MAX;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::linking::Admission;
use chat_crypto::prekey::PrekeySecrets;
use rusqlite::Transaction;

use super::code::LinkCode;
use super::pairing::{Comparison, ShownCode, scan, show};
use crate::access;
use crate::account::{Agreed, Setup, check_is_empty, settle};
use crate::builder::ClientBuilder;
use crate::client::Client;
use crate::context::{Context, Own};
use crate::devices::list::SCHEMES;
use crate::error::{Kind, Result};
use crate::keyring::SharedKeyring;
use crate::store::{account, unreadable};
use crate::transport::AccessToken;

/// The names of the facts that hold an admission until there is an account.
const ADMISSION: &str = "link_admission";
const DEVICE: &str = "link_device";

/// How often a device that was admitted asks whether it is listed, and how long it waits between.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A device that is to be linked.
#[derive(Debug)]
pub struct Newcomer {
    setup: Setup,
}

impl ClientBuilder {
    /// Shows a code that a device of an account scans, to become one of that account's devices.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreInUse`], [`Kind::RelayUnreachable`], or that the store does not open.
    pub async fn link(self) -> Result<ShownCode<Newcomer>> {
        let setup = self.setup().await?;
        check_is_empty(&setup.store).await?;
        let (api, clock) = (setup.api.clone(), Arc::clone(&setup.clock));
        let randomness = setup.randomness.clone();
        show(Newcomer { setup }, api, clock, &randomness).await
    }

    /// Answers a code that a device of an account shows, to become one of that account's devices:
    /// for a new device that has a camera, or somebody who types.
    ///
    /// # Errors
    ///
    /// As [`Self::link`]; [`Kind::LinkCodeInvalid`], also for a code of another new device;
    /// [`Kind::LinkExpired`].
    pub async fn link_by(self, code: &LinkCode) -> Result<Comparison<Newcomer>> {
        let setup = self.setup().await?;
        check_is_empty(&setup.store).await?;
        let (api, clock) = (setup.api.clone(), Arc::clone(&setup.clock));
        let randomness = setup.randomness.clone();
        scan(Newcomer { setup }, code, api, clock, &randomness).await
    }
}

impl Comparison<Newcomer> {
    /// Goes on, because the person at this device says that the emoji are the same, and waits for
    /// the other one's word; then this device is one of the account's.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkCancelled`], [`Kind::LinkExpired`], [`Kind::LinkNotAuthentic`];
    /// [`Kind::KeyringInvalid`] or [`Kind::DeviceListForged`] if what the relay serves is not what
    /// the other device knows; [`Kind::RelayUnreachable`] once the other device has agreed: then
    /// [`ClientBuilder::open`] goes on.
    pub async fn confirm(self) -> Result<Client> {
        let Self { device: Newcomer { setup }, comparing, mut mailbox } = self;
        let (id, secrets) = {
            let rng = &mut setup.randomness.rng();
            (DeviceId::random(rng), DeviceSecrets::generate(rng))
        };
        let schemes = List::new(SCHEMES.to_vec())?;
        let (introduced, introduction) = comparing.confirm(id, &secrets, schemes);
        mailbox.put(introduction).await?;
        let message = mailbox.take().await?;
        let (admission, receipt) = introduced.admitted(&message, &secrets, mailbox.now())?;
        let kept = (admission.to_snapshot(), secrets.to_snapshot());
        setup
            .store
            .write(move |tx| {
                account::set_fact(tx, ADMISSION, &kept.0)?;
                account::set_fact(tx, DEVICE, &kept.1)
            })
            .await?;
        mailbox.put(receipt).await?;
        Client::start(finish(setup, admission, secrets).await?).await
    }
}

/// Goes on with a linking that was interrupted after the admission; nothing if there is none.
///
/// # Errors
///
/// As [`Comparison::confirm`].
pub(crate) async fn resume(setup: &Setup) -> Result<Option<Context>> {
    let read = |tx: &Transaction<'_>| {
        if account::exists(tx)? {
            return Ok(None);
        }
        Ok(account::fact(tx, ADMISSION)?.zip(account::fact(tx, DEVICE)?))
    };
    let Some((admission, secrets)) = setup.store.read(read).await? else { return Ok(None) };
    let admission = Admission::from_snapshot(&admission).map_err(unreadable)?;
    let secrets = DeviceSecrets::from_snapshot(&secrets).map_err(unreadable)?;
    finish(setup.clone(), admission, secrets).await.map(Some)
}

/// Logs in, takes keyring and list only if they fit the admission, and settles.
async fn finish(setup: Setup, admission: Admission, device: DeviceSecrets) -> Result<Context> {
    let address = admission.certificate().address;
    let tokens = listed(&setup, &admission, &device).await?;
    let token = AccessToken::new(tokens.access.clone());
    let published = setup.api.account_keys(&token, address.account).await?.devices;
    let devices = AccountDevices::verify(address.account, published)?;
    admission.check_devices(&devices)?;
    let sealed = setup.api.own_keyring(&token).await?;
    let (keyring, keyring_lock) = admission
        .open_keyring(&sealed.sealed, sealed.number)
        .map_err(|error| Kind::KeyringInvalid.because(error))?;
    let known = setup.api.own_account(&token).await?;
    let (prekeys, upload) = {
        let (now, rng) = (setup.clock.now(), &mut setup.randomness.rng());
        PrekeySecrets::generate(&device, address, 1, ONE_TIME_PREKEYS_MAX, now, rng)
    };
    let own = Own {
        address,
        username: known.username,
        workspace: known.workspace,
        identity_key: keyring.identity().key(),
        device: Arc::new(device),
        keyring: SharedKeyring::new(keyring),
        sessions_a_message_max: setup.sessions_a_message_max,
    };
    let agreed = Agreed {
        own,
        keyring_lock,
        keyring_number: sealed.number,
        devices_number: devices.number(),
        devices: devices.to_published(),
        prekeys,
        // The relay has none yet: they are uploaded with the first connection.
        upload: Some(to_bytes(&upload)),
        tokens,
    };
    let context = settle(setup, agreed).await?;
    let forget = |tx: &Transaction<'_>| {
        account::forget_fact(tx, ADMISSION)?;
        account::forget_fact(tx, DEVICE)
    };
    context.store.write(forget).await?;
    context.store.scrub().await?;
    Ok(context)
}

/// Waits until the existing device has listed this one, which shows in that it can log in.
async fn listed(setup: &Setup, admission: &Admission, device: &DeviceSecrets) -> Result<Tokens> {
    let address = admission.certificate().address;
    let mut pause = PAUSE;
    for _ in 0..ATTEMPTS {
        match access::log_in(&setup.api, address, device).await {
            Ok(tokens) => return Ok(tokens),
            Err(error) if error.is_transient() => {
                setup.clock.pause(error.retry_after().unwrap_or(pause)).await;
            }
            Err(error) if error.kind() == Kind::WrongPassword => setup.clock.pause(pause).await,
            Err(error) => return Err(error),
        }
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
    Err(Kind::LinkExpired.into())
}
