//! Log-in by password: the keyring is opened, and this device becomes one of the account's.

use std::sync::Arc;

use chat_core::api::account::{AccountKeys, Keyring as PublishedKeyring};
use chat_core::api::auth::{Enrol, Enrolment, LoginFinish, OpaqueStart, Tokens};
use chat_core::device::AccountDevices;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::limits::{ONE_TIME_PREKEYS_MAX, is_username};
use chat_core::prekey::PrekeyUpload;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::{Keyring, KeyringError, KeyringLock};
use chat_crypto::prekey::PrekeySecrets;

use super::{Agreed, Setup, check_is_empty, settle};
use crate::access;
use crate::api::Api;
use crate::context::{Context, Own};
use crate::devices::list;
use crate::error::{Kind, Result};
use crate::keyring::SharedKeyring;
use crate::password::{ExportKey, Password, PasswordHardening};
use crate::random::Randomness;
use crate::transport::AccessToken;

/// How often the list is extended anew when another device was first.
const ATTEMPTS: usize = 4;

/// Logs in to an account and adds this device to it.
///
/// # Errors
///
/// [`Kind::WrongPassword`], also for a name nobody has; [`Kind::StoreInUse`];
/// [`Kind::TooManyDevices`]; [`Kind::KeyringInvalid`] if what the relay keeps does not fit
/// together; [`Kind::RelayUnreachable`].
pub async fn log_in(setup: Setup, username: &str, password: &str) -> Result<Context> {
    check_is_empty(&setup.store).await?;
    // A name that cannot be is answered like one that nobody has.
    if !is_username(username) {
        return Err(Kind::WrongPassword.into());
    }
    let Setup { api, hardening, randomness, .. } = &setup;
    let proof = authenticate(api, username, password, *hardening, randomness.clone());
    let (enrolment, export_key) = proof.await?;
    join(setup, username, enrolment, |sealed, account| {
        let (bytes, number) = (&sealed.sealed, sealed.number);
        Keyring::open_with_password(bytes, account, number, export_key.as_bytes())
    })
    .await
}

/// What the password gives that opens the keyring, after the relay was convinced of it.
///
/// # Errors
///
/// [`Kind::WrongPassword`], [`Kind::RelayUnreachable`].
pub(crate) async fn prove(
    api: &Api,
    username: &str,
    password: &str,
    hardening: PasswordHardening,
    randomness: Randomness,
) -> Result<ExportKey> {
    Ok(authenticate(api, username, password, hardening, randomness).await?.1)
}

/// Opens the keyring by what a person typed, and makes this device one of the account's.
pub(super) async fn join(
    setup: Setup,
    username: &str,
    enrolment: Enrolment,
    open: impl FnOnce(&PublishedKeyring, AccountId) -> Result<(Keyring, KeyringLock), KeyringError>,
) -> Result<Context> {
    let token = AccessToken::new(enrolment.token);
    let sealed: PublishedKeyring = setup.api.own_keyring(&token).await?;
    let (keyring, keyring_lock) =
        open(&sealed, enrolment.account).map_err(|error| Kind::KeyringInvalid.because(error))?;
    let workspace = setup.api.own_account(&token).await?.workspace;
    let new = NewDevice::make(&setup, &enrolment.account);
    let (devices, tokens) = enrol(&setup, &token, &keyring, &new).await?;
    let own = Own {
        address: new.address,
        username: username.to_owned(),
        workspace,
        identity_key: keyring.identity().key(),
        device: Arc::new(new.device),
        keyring: SharedKeyring::new(keyring),
        sessions_a_message_max: setup.sessions_a_message_max,
    };
    let agreed = Agreed {
        own,
        keyring_lock,
        keyring_number: sealed.number,
        devices_number: devices.number(),
        devices: devices.to_published(),
        prekeys: new.prekeys,
        upload: None,
        tokens,
    };
    settle(setup, agreed).await
}

/// Convinces the relay of the password, without showing it.
async fn authenticate(
    api: &Api,
    username: &str,
    password: &str,
    hardening: PasswordHardening,
    randomness: Randomness,
) -> Result<(Enrolment, ExportKey)> {
    // A password that cannot be is answered like one that nobody has.
    let password =
        Password::new(password, hardening, randomness).map_err(|_| Kind::WrongPassword)?;
    let (request, logging_in) = password.log_in()?;
    let start = OpaqueStart { username: username.to_owned(), request };
    let answer = api.login_start(&start).await?;
    let (finalization, export_key) = logging_in.finish(answer.response).await?;
    let finish = LoginFinish { login: answer.login, finalization };
    Ok((api.login_finish(&finish).await?, export_key))
}

/// The keys of a device that is about to be one of the account's.
struct NewDevice {
    address: DeviceAddress,
    device: DeviceSecrets,
    prekeys: PrekeySecrets,
    upload: PrekeyUpload,
}

impl NewDevice {
    fn make(setup: &Setup, account: &AccountId) -> Self {
        let (now, rng) = (setup.clock.now(), &mut setup.randomness.rng());
        let address = DeviceAddress { account: *account, device: DeviceId::random(rng) };
        let device = DeviceSecrets::generate(rng);
        let (prekeys, upload) =
            PrekeySecrets::generate(&device, address, 1, ONE_TIME_PREKEYS_MAX, now, rng);
        Self { address, device, prekeys, upload }
    }
}

/// Publishes the list with this device in it; on top of another's change if one was faster.
async fn enrol(
    setup: &Setup,
    token: &AccessToken,
    keyring: &Keyring,
    new: &NewDevice,
) -> Result<(AccountDevices, Tokens)> {
    let now = setup.clock.now();
    let certificate = list::certify(keyring.identity(), &new.device, new.address, now)?;
    let mut attempt = 1;
    loop {
        let current = current_list(setup, token, keyring, new.address).await?;
        let published =
            list::with(keyring.identity(), &current, certificate.clone(), new.address.device, now)?;
        let devices = AccountDevices::verify(new.address.account, published.clone())?;
        let enrol = Enrol {
            certificate: certificate.clone(),
            devices: published,
            prekeys: new.upload.clone(),
        };
        match setup.api.enrol(token, &enrol).await {
            Ok(tokens) => return Ok((devices, tokens)),
            Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => attempt += 1,
            // Perhaps only the answer was lost: then the relay knows this device by now.
            Err(error) if error.is_transient() => {
                let tokens = access::log_in(&setup.api, new.address, &new.device).await;
                return Ok((devices, tokens.map_err(|_| error)?));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The account's list as the relay has it, believed because our own identity key signed it.
async fn current_list(
    setup: &Setup,
    token: &AccessToken,
    keyring: &Keyring,
    address: DeviceAddress,
) -> Result<AccountDevices> {
    let keys: AccountKeys = setup.api.account_keys(token, address.account).await?;
    // SECURITY: a relay that gives us another account's list, or one it signed itself, would make
    // us certify beside devices that are not ours.
    if keys.devices.identity_key != keyring.identity().key() {
        return Err(Kind::KeyringInvalid.into());
    }
    Ok(AccountDevices::verify(address.account, keys.devices)?)
}
