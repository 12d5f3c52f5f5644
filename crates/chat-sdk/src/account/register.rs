//! Registration: a new account, with every key of it made on this device.

use std::sync::Arc;

use chat_core::api::account::Keyring as PublishedKeyring;
use chat_core::api::auth::{OpaqueMessage, OpaqueStart, RegistrationFinish};
use chat_core::codec::Bytes;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::limits::{ONE_TIME_PREKEYS_MAX, is_username};
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::Keyring;
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::wrap::EnvelopeSecrets;
use zeroize::Zeroizing;

use super::{Agreed, Setup, check_is_empty, settle};
use crate::access;
use crate::context::{Context, Own};
use crate::credentials;
use crate::devices::list;
use crate::error::{Kind, Result};
use crate::keyring::SharedKeyring;
use crate::password::{ExportKey, Password};
use crate::transport::AccessToken;

/// Registers a new account with this device as its first.
///
/// The recovery phrase exists nowhere else: whoever loses it and the password loses the account.
///
/// # Errors
///
/// [`Kind::NameInvalid`], [`Kind::NameTaken`], [`Kind::RegistrationClosed`], [`Kind::StoreInUse`], [`Kind::ArgumentInvalid`] for
/// an empty password or one that cannot be typed everywhere, [`Kind::RelayUnreachable`].
pub async fn register(
    setup: Setup,
    username: &str,
    password: &str,
) -> Result<(Context, RecoveryPhrase)> {
    register_by(setup, username, password, None).await
}

/// The same by an invitation, if there is one: into its workspace, with its role.
///
/// # Errors
///
/// As [`register`]; [`Kind::InvitationInvalid`].
pub async fn register_by(
    setup: Setup,
    username: &str,
    password: &str,
    invitation: Option<Zeroizing<String>>,
) -> Result<(Context, RecoveryPhrase)> {
    if !is_username(username) {
        return Err(Kind::NameInvalid.into());
    }
    check_is_empty(&setup.store).await?;
    let workspace = setup.api.limits().await?.default_workspace;
    let password = Password::new(password, setup.hardening, setup.randomness.clone())?;
    let (request, registering) = password.register()?;
    let start = OpaqueStart { username: username.to_owned(), request };
    let answer = setup.api.register_start(&start).await?;
    let (record, export_key) = registering.finish(answer.response).await?;
    let new = NewAccount::make(&setup, &export_key)?;
    let finish = new.to_finish(&setup, username, record, invitation.as_ref())?;
    let tokens = match setup.api.register_finish(&finish).await {
        // Perhaps only the answer was lost: then the relay knows this device by now.
        Err(error) if error.is_transient() => {
            access::log_in(&setup.api, new.address, &new.device).await.map_err(|_| error)?
        }
        outcome => outcome?,
    };
    let workspace = match invitation {
        None => workspace,
        // Only the relay knows where the invitation leads.
        Some(_) => {
            let token = AccessToken::new(tokens.access.clone());
            setup.api.own_account(&token).await?.workspace
        }
    };
    let own = Own {
        address: new.address,
        username: username.to_owned(),
        workspace,
        identity_key: new.keyring.identity().key(),
        device: Arc::new(new.device),
        keyring: SharedKeyring::new(new.keyring),
        sessions_a_message_max: setup.sessions_a_message_max,
    };
    let agreed = Agreed {
        own,
        keyring_lock: new.keyring_lock,
        keyring_number: 1,
        devices: finish.devices,
        devices_number: 1,
        prekeys: new.prekeys,
        upload: None,
        tokens,
    };
    let context = settle(setup, agreed).await?;
    match credentials::publish_key(&context, &new.phrase).await {
        // The account is there; the key is published with the first connection.
        Err(error) if !error.is_transient() => Err(error),
        _ => Ok((context, new.phrase)),
    }
}

/// The keys of an account that is about to be.
struct NewAccount {
    address: DeviceAddress,
    device: DeviceSecrets,
    prekeys: PrekeySecrets,
    upload: chat_core::prekey::PrekeyUpload,
    keyring: Keyring,
    sealed: Vec<u8>,
    keyring_lock: chat_crypto::keyring::KeyringLock,
    phrase: RecoveryPhrase,
}

impl NewAccount {
    fn make(setup: &Setup, export_key: &ExportKey) -> Result<Self> {
        let (now, rng) = (setup.clock.now(), &mut setup.randomness.rng());
        let address =
            DeviceAddress { account: AccountId::random(rng), device: DeviceId::random(rng) };
        let device = DeviceSecrets::generate(rng);
        let (prekeys, upload) =
            PrekeySecrets::generate(&device, address, 1, ONE_TIME_PREKEYS_MAX, now, rng);
        let envelope = EnvelopeSecrets::generate(address.account, 1, rng);
        let keyring = Keyring::new(IdentitySecret::generate(rng), envelope, rng);
        let phrase = RecoveryPhrase::generate(rng);
        let (sealed, keyring_lock) = keyring.seal(1, export_key.as_bytes(), &phrase, rng);
        Ok(Self { address, device, prekeys, upload, keyring, sealed, keyring_lock, phrase })
    }

    fn to_finish(
        &self,
        setup: &Setup,
        username: &str,
        record: OpaqueMessage,
        invitation: Option<&Zeroizing<String>>,
    ) -> Result<RegistrationFinish> {
        let DeviceAddress { account, device } = self.address;
        let (now, identity) = (setup.clock.now(), self.keyring.identity());
        let certificate = list::certify(identity, &self.device, self.address, now)?;
        let envelope_keys = self.keyring.current_envelope_secrets().public(now);
        Ok(RegistrationFinish {
            username: username.to_owned(),
            record,
            account,
            devices: list::first(identity, account, certificate, device, now)?,
            envelope_keys: identity.sign_envelope_keys(&envelope_keys),
            prekeys: self.upload.clone(),
            keyring: PublishedKeyring { number: 1, sealed: Bytes::new(self.sealed.clone())? },
            invitation: invitation.map(|token| token.to_string()),
        })
    }
}
