//! Access: the tokens of a device that is logged in, renewed before anybody notices.
//!
//! ```text
//!  token() ── young enough ──────────────────────────────▶ access token
//!     └─ old, or refused ─▶ refresh token, taken from the store ─▶ refresh ─▶ new pair
//!                             └─ none, spent, revoked ─▶ device challenge ─▶ new pair
//! ```
//!
//! A refresh token is good once, and using it twice ends the whole family. So whoever wants to
//! spend it first takes it out of the store in a transaction; of two processes the second finds
//! none and logs in with the device's key instead. The password is never needed again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chat_core::api::auth::{
    DeviceLoginFinish, DeviceLoginStart, Refresh, Tokens, device_login_input, refresh_input,
};
use chat_core::id::DeviceAddress;
use chat_core::label;
use chat_core::limits::ACCESS_TOKEN_LIFETIME;
use chat_core::reject::RejectCode;
use chat_core::time::Timestamp;
use chat_crypto::identity::DeviceSecrets;
use rusqlite::Transaction;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::api::Api;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use crate::store::account::{self, AccessRow, AccountState};
use crate::transport::AccessToken;

/// How long before its end a token is renewed.
const AHEAD: Duration = Duration::from_secs(60);

/// What proves to the relay who this device is.
pub struct Access {
    api: Api,
    store: Store,
    clock: Arc<dyn Clock>,
    address: DeviceAddress,
    device: Arc<DeviceSecrets>,
    /// Held while renewing, so that ten requests renew once.
    newest: Mutex<Option<AccessRow>>,
}

impl Access {
    /// The access of the device at `address`, whose tokens are in `store`.
    #[must_use]
    pub fn new(
        api: Api,
        store: Store,
        clock: Arc<dyn Clock>,
        address: DeviceAddress,
        device: Arc<DeviceSecrets>,
    ) -> Self {
        Self { api, store, clock, address, device, newest: Mutex::new(None) }
    }

    /// A token that should be good.
    ///
    /// # Errors
    ///
    /// [`Kind::LoggedOut`], [`Kind::DeviceRemoved`], [`Kind::RelayUnreachable`].
    pub async fn token(&self) -> Result<AccessToken> {
        let mut newest = self.newest.lock().await;
        if newest.is_none() {
            *newest = self.store.read(account::access).await?;
        }
        match &*newest {
            Some(row) if self.clock.now() < row.renew_at => Ok(row.access.clone()),
            _ => self.renew(&mut newest).await,
        }
    }

    /// Another token than `refused`, which the relay did not take.
    ///
    /// # Errors
    ///
    /// As [`Self::token`].
    pub async fn instead_of(&self, refused: &AccessToken) -> Result<AccessToken> {
        let mut newest = self.newest.lock().await;
        match &*newest {
            Some(row) if row.access != *refused => Ok(row.access.clone()),
            _ => self.renew(&mut newest).await,
        }
    }

    async fn renew(&self, newest: &mut Option<AccessRow>) -> Result<AccessToken> {
        let before = newest.as_ref().map(|row| row.access.clone());
        let now = self.clock.now();
        let (stored, refresh) = self
            .store
            .write(move |tx| {
                check_state(account::load(tx)?.state)?;
                let stored = account::access(tx)?
                    .filter(|row| Some(&row.access) != before.as_ref() && now < row.renew_at);
                // Another process was here first: its token will do.
                let refresh = if stored.is_some() { None } else { account::take_refresh(tx)? };
                Ok((stored, refresh))
            })
            .await?;
        if let Some(row) = stored {
            return Ok(newest.insert(row).access.clone());
        }
        let tokens = match self.refreshed(refresh).await? {
            Some(tokens) => tokens,
            None => self.logged_in().await?,
        };
        let row = self.store.write(move |tx| keep(tx, tokens, now)).await?;
        Ok(newest.insert(row).access.clone())
    }

    /// New tokens for a refresh token; none if the relay does not take it.
    async fn refreshed(&self, refresh: Option<Zeroizing<String>>) -> Result<Option<Tokens>> {
        let Some(refresh) = refresh else { return Ok(None) };
        let input = refresh_input(self.api.origin().as_str(), &refresh);
        let signature = Some(self.device.sign(label::REFRESH, &input));
        let request = Refresh { refresh: refresh.to_string(), signature };
        let mut answer = self.api.refresh(&request).await;
        if answer.as_ref().is_err_and(|error| error.kind() == Kind::RelayUnreachable) {
            // Only the answer may have been lost: the relay gives it again to who can sign.
            answer = self.api.refresh(&request).await;
        }
        match answer {
            Ok(tokens) => Ok(Some(tokens)),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// New tokens for the device's signature.
    ///
    /// That the device was removed is the relay's word, so it is returned and not written down;
    /// what counts is the account's signed list.
    async fn logged_in(&self) -> Result<Tokens> {
        match log_in(&self.api, self.address, &self.device).await {
            Err(error) if error.kind() == Kind::WrongPassword => {
                Err(Kind::LoggedOut.because(error))
            }
            outcome => outcome,
        }
    }
}

/// Logs a device in with its key.
///
/// # Errors
///
/// [`Kind::DeviceRemoved`]; [`Kind::WrongPassword`] if the relay does not know the device.
pub(crate) async fn log_in(
    api: &Api,
    address: DeviceAddress,
    device: &DeviceSecrets,
) -> Result<Tokens> {
    let challenge = api.device_start(&DeviceLoginStart { address }).await?;
    let input = device_login_input(api.origin().as_str(), &challenge.nonce, address);
    let signature = device.sign(label::DEVICE_LOGIN, &input);
    let finish = DeviceLoginFinish { address, nonce: challenge.nonce, signature };
    api.device_finish(&finish).await
}

/// Writes new tokens down.
///
/// Their age counts from now, by our own clock: a clock that is an hour ahead of the relay's would
/// otherwise renew before every request.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(crate) fn keep(tx: &Transaction<'_>, tokens: Tokens, now: Timestamp) -> Result<AccessRow> {
    let row = AccessRow {
        access: Zeroizing::new(tokens.access),
        renew_at: now.after(ACCESS_TOKEN_LIFETIME.saturating_sub(AHEAD)),
    };
    account::set_tokens(tx, &row, &Zeroizing::new(tokens.refresh))?;
    Ok(row)
}

fn check_state(state: AccountState) -> Result<()> {
    match state {
        AccountState::Active => Ok(()),
        AccountState::LoggedOut => Err(Kind::LoggedOut.into()),
        AccountState::Removed => Err(Kind::DeviceRemoved.into()),
    }
}

/// Tells whether another token may help.
#[must_use]
pub(crate) fn asks_for_another_token(error: &Error) -> bool {
    error.reject().is_some_and(|reject| {
        matches!(
            reject.code,
            RejectCode::TokenExpired | RejectCode::TokenInvalid | RejectCode::Unauthenticated
        )
    })
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("address", &self.address).finish_non_exhaustive()
    }
}
