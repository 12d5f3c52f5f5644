//! What brings an account back, and keys that are replaced in time.
//!
//! | a person | what changes |
//! |---|---|
//! | chooses another password | the relay's record, and the keyring's lock, together |
//! | draws another recovery phrase | the keyring's lock, and the key that logs in with it |
//! | removes a device | the keyring's lock, the envelope keys, the backup key |
//! | rotates the account's keys, or 90 days pass | envelope keys of a new epoch; old ones stay, to read |
//!
//! A new lock is one that the account's other devices do not have. They are handed it. One that did
//! not get it yet goes on as before, and asks for the password or the phrase
//! ([`Client::unlock_with_password`]) when it needs what was sealed under it:
//! [`Kind::KeyringLocked`].

mod renewal;

use std::time::Duration;

use chat_core::api::recovery::{PasswordStart, PutRecoveryKey};
use chat_core::time::Timestamp;
use chat_crypto::keyring::Keyring;
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::wrap::EnvelopeSecrets;
use rusqlite::Transaction;

pub(crate) use self::renewal::{remove_device, renewal_is_due};
use crate::client::Client;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::keyring::{self, Held, Publish};
use crate::password::{Password, PasswordHardening};
use crate::random::Rng;
use crate::store::account;
use crate::sync::open_parked;

/// How old the account's envelope keys get before they are replaced, unless an app says otherwise.
pub const ROTATE_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);
/// Nobody rotates more often by the clock: a keyring holds a hundred epochs.
pub const ROTATE_AFTER_MIN: Duration = Duration::from_secs(24 * 3600);

/// The names of the facts that this keeps.
const KEY: &str = "recovery_key_to_publish";
const PERIOD: &str = "envelope_keys_period";
const ROTATED: &str = "envelope_keys_rotated";

impl Client {
    /// Chooses another password. The old one opens nothing from now on; the recovery phrase stays.
    ///
    /// The person has been asked for the old password, or for what unlocks the device, by the app:
    /// to the relay this device is proof enough.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for an empty password or one that cannot be typed everywhere;
    /// [`Kind::KeyringLocked`], [`Kind::RelayUnreachable`].
    pub async fn change_password(&self, new: &str, hardening: PasswordHardening) -> Result<()> {
        let context = &self.hub.context;
        let password = Password::new(new, hardening, context.randomness.clone())?;
        let (request, registering) = password.register()?;
        let answer = context.relay.password_start(&PasswordStart { request }).await?;
        let (record, export_key) = registering.finish(answer.response).await?;
        let lock = |held: &mut Held, rng: &mut Rng| {
            held.lock = held.lock.with_password(export_key.as_bytes(), rng);
            Ok(())
        };
        let held = keyring::change(context, lock, Publish::WithPassword(&record)).await?;
        renewal::hand_over_if_possible(&self.hub, &held.lock).await
    }

    /// Draws another recovery phrase, to be shown once and written down. The old one opens nothing
    /// from now on; the password stays.
    ///
    /// # Errors
    ///
    /// [`Kind::KeyringLocked`], [`Kind::RelayUnreachable`].
    pub async fn renew_recovery_phrase(&self) -> Result<RecoveryPhrase> {
        let context = &self.hub.context;
        let phrase = RecoveryPhrase::generate(&mut context.rng());
        let lock = |held: &mut Held, rng: &mut Rng| {
            held.lock = held.lock.with_phrase(&phrase, rng);
            Ok(())
        };
        let held = keyring::change(context, lock, Publish::Alone).await?;
        renewal::hand_over_if_possible(&self.hub, &held.lock).await?;
        // The keyring opens with the new words by now: they are worth showing even if this waits.
        match publish_key(context, &phrase).await {
            Err(error) if !error.is_transient() => Err(error),
            _ => Ok(phrase),
        }
    }

    /// Replaces the account's envelope keys by those of the next epoch, now. What was said before
    /// stays readable here.
    ///
    /// # Errors
    ///
    /// [`Kind::KeyringLocked`], [`Kind::KeyringInvalid`] after a hundred epochs,
    /// [`Kind::RelayUnreachable`].
    pub async fn rotate_keys(&self) -> Result<u32> {
        rotate(&self.hub.context).await
    }

    /// Has the envelope keys replaced when they are this old, instead of [`ROTATE_AFTER`]; at least
    /// [`ROTATE_AFTER_MIN`]. Looked at with each connection, and kept across restarts.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn rotate_keys_every(&self, period: Duration) -> Result<()> {
        let period = u64::try_from(period.max(ROTATE_AFTER_MIN).as_millis()).unwrap_or(u64::MAX);
        let note = move |tx: &Transaction<'_>| account::set_fact(tx, PERIOD, &period.to_be_bytes());
        self.hub.context.store.write(note).await
    }

    /// Opens the account's keyring with the password, after another device has put it under a new
    /// lock.
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`], [`Kind::KeyringInvalid`], [`Kind::RelayUnreachable`].
    pub async fn unlock_with_password(
        &self,
        password: &str,
        hardening: PasswordHardening,
    ) -> Result<()> {
        let context = &self.hub.context;
        let (api, random) = (context.relay.api(), context.randomness.clone());
        let export_key =
            crate::account::prove(api, &context.own.username, password, hardening, random).await?;
        let account = context.own.account();
        keyring::unlock(context, |sealed| {
            let (bytes, number) = (&sealed.sealed, sealed.number);
            Keyring::open_with_password(bytes, account, number, export_key.as_bytes())
        })
        .await?;
        open_parked(&self.hub).await
    }

    /// The same with the recovery phrase.
    ///
    /// # Errors
    ///
    /// As [`Self::unlock_with_password`].
    pub async fn unlock_with_phrase(&self, phrase: &RecoveryPhrase) -> Result<()> {
        let account = self.hub.context.own.account();
        keyring::unlock(&self.hub.context, |sealed| {
            Keyring::open_with_phrase(&sealed.sealed, account, sealed.number, phrase)
        })
        .await?;
        open_parked(&self.hub).await
    }
}

/// Draws the next epoch, puts it into the keyring, and then publishes it.
async fn rotate(context: &Context) -> Result<u32> {
    let held = keyring::change(context, draw_epoch, Publish::Alone).await?;
    publish_epoch(context, &held).await
}

fn draw_epoch(held: &mut Held, rng: &mut Rng) -> Result<()> {
    let (account, epoch) =
        (held.keyring.account(), held.keyring.current_envelope_secrets().epoch());
    let epoch = epoch.checked_add(1).ok_or(Kind::KeyringInvalid)?;
    let secrets = EnvelopeSecrets::generate(account, epoch, rng);
    held.keyring.add_epoch(secrets).map_err(|error| Kind::KeyringInvalid.because(error))
}

/// Publishes the newest epoch. The keyring holds it by then, here and at the relay: nobody wraps
/// for a key that could be lost.
async fn publish_epoch(context: &Context, held: &Held) -> Result<u32> {
    let now = context.now();
    let newest = held.keyring.current_envelope_secrets().epoch();
    let published = context.relay.account_keys(context.own.account()).await?.envelope_keys;
    let published = published.verify(&context.own.identity_key)?.epoch;
    // The relay takes one after the other; an interrupted change may have left one out.
    for epoch in published.saturating_add(1)..=newest {
        let secrets = held.keyring.epoch(epoch).ok_or(Kind::KeyringInvalid)?;
        let signed = held.keyring.identity().sign_envelope_keys(&secrets.public(now));
        context.relay.put_envelope_keys(&signed).await?;
    }
    let at = now.as_millis().to_be_bytes();
    context.store.write(move |tx| account::set_fact(tx, ROTATED, &at)).await?;
    Ok(newest)
}

/// Publishes the key that logs in with the recovery phrase; noted first, so that a later connection
/// does it if this one cannot.
pub(crate) async fn publish_key(context: &Context, phrase: &RecoveryPhrase) -> Result<()> {
    let key = *phrase.login().key().as_bytes();
    context.store.write(move |tx| account::set_fact(tx, KEY, &key)).await?;
    publish_noted_key(context).await
}

async fn publish_noted_key(context: &Context) -> Result<()> {
    let noted = context.store.read(|tx: &Transaction<'_>| account::fact(tx, KEY)).await?;
    let Some(noted) = noted else { return Ok(()) };
    let key = noted.as_slice().try_into().map_err(|_| Kind::StoreFailed)?;
    context.relay.put_recovery_key(&PutRecoveryKey { key }).await?;
    context.store.write(|tx| account::forget_fact(tx, KEY)).await
}

/// What is due with a connection: a key that waits to be published, a renewal that was interrupted,
/// another device's keyring, and keys that are too old.
pub(crate) async fn tend(hub: &Hub) -> Result<()> {
    let context = &hub.context;
    publish_noted_key(context).await?;
    renewal::make_up(hub).await?;
    let held = keyring::refresh(context).await?;
    let (since, period) = context.store.read(age).await?;
    if context.now().since(since) >= period {
        return rotate(context).await.map(drop);
    }
    // A rotation may have ended between its two halves.
    let published = context.relay.account_keys(context.own.account()).await?.envelope_keys;
    let published = published.verify(&context.own.identity_key)?;
    if published.epoch < held.keyring.current_envelope_secrets().epoch() {
        publish_epoch(context, &held).await?;
    }
    Ok(())
}

/// Since when the newest epoch is there, as far as this device knows, and how long it stays.
fn age(tx: &Transaction<'_>) -> Result<(Timestamp, Duration)> {
    let number = |name| {
        let fact = account::fact(tx, name)?;
        Ok::<_, crate::Error>(fact.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes))
    };
    let since = match number(ROTATED)? {
        Some(at) => Timestamp::from_millis(at),
        None => account::load(tx)?.created_at,
    };
    Ok((since, number(PERIOD)?.map_or(ROTATE_AFTER, Duration::from_millis)))
}
