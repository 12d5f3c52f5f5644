//! Others' devices.

use chat_core::api::account::AccountKeys;
use chat_core::codec::{from_bytes, to_bytes};
use chat_core::device::{AccountDevices, PublishedDevices};
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::key::IdentityKey;
use chat_core::signed::{Verified, VerifyError};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use super::memo;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::message::Contact;
use crate::store::peers::{self, PeerRow};
use crate::store::unreadable;
use crate::store::{account, chains, sessions};

/// What came of an answer about somebody's keys.
#[derive(Debug)]
pub enum Learned {
    /// Everything holds, and is stored.
    Known(Box<AccountDevices>),
    /// Another identity key than the pinned one; noted, not used. `first_time` when it is news.
    IdentityChanged {
        /// Whether this very key was not noted before.
        first_time: bool,
    },
    /// Something does not verify, or leads back; nothing was stored.
    Refused(VerifyError),
}

impl Learned {
    /// The devices, or what is wrong as an error.
    ///
    /// # Errors
    ///
    /// [`Kind::IdentityChanged`], [`Kind::DeviceListForged`].
    pub fn into_devices(self) -> Result<AccountDevices> {
        match self {
            Self::Known(devices) => Ok(*devices),
            Self::IdentityChanged { .. } => Err(Kind::IdentityChanged.into()),
            Self::Refused(error) => Err(Kind::DeviceListForged.because(error)),
        }
    }
}

/// Somebody by name: out of the store, or asked for, verified and pinned.
///
/// # Errors
///
/// [`Kind::NotFound`], [`Kind::NameInvalid`], [`Kind::IdentityChanged`],
/// [`Kind::DeviceListForged`], [`Kind::RelayUnreachable`].
pub async fn find(context: &Context, username: &str) -> Result<Contact> {
    if username == context.own.username {
        let username = username.to_owned();
        return Ok(Contact { account: context.own.account(), username });
    }
    let name = username.to_owned();
    if let Some(peer) = context.store.read(move |tx| peers::by_username(tx, &name)).await? {
        return Ok(Contact { account: peer.account, username: peer.username });
    }
    let account = context.relay.account_by_name(username).await?.account;
    // SECURITY: the relay could answer with any account; who it is shows by safety number only,
    // but it may not answer with one that it has called otherwise before.
    match context.store.read(move |tx| peers::load(tx, account)).await? {
        _ if account == context.own.account() => return Err(Kind::NotVerified.into()),
        Some(peer) if peer.username != username => return Err(Kind::NotVerified.into()),
        // The engine has met them while we asked.
        Some(_) => {}
        None => drop(fetch(context, account).await?.into_devices()?),
    }
    // Nor with one that calls itself otherwise.
    if context.store.read(move |tx| peers::username(tx, account)).await?.as_deref()
        != Some(username)
    {
        return Err(Kind::NotVerified.into());
    }
    Ok(Contact { account, username: username.to_owned() })
}

/// Somebody whose devices are known, by id.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn contact(tx: &Transaction<'_>, account: AccountId) -> Result<Contact> {
    Ok(Contact { account, username: name_of(tx, account)? })
}

/// The name of an account; its id while the name is not known.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn name_of(tx: &Transaction<'_>, account: AccountId) -> Result<String> {
    if let Some(name) = peers::username(tx, account)? {
        return Ok(name);
    }
    Ok(account::username_of(tx, account)?.unwrap_or_else(|| account.to_string()))
}

/// Asks the relay about somebody's keys and learns what holds.
///
/// # Errors
///
/// [`Kind::NotFound`], [`Kind::RelayUnreachable`]; what does not verify is in [`Learned`].
pub async fn fetch(context: &Context, account: AccountId) -> Result<Learned> {
    let keys = context.relay.account_keys(account).await?;
    let now = context.now();
    context.store.write(move |tx| learn(tx, account, keys, now)).await
}

/// Verifies what the relay says of `account` and stores it, or notes what is wrong.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn learn(
    tx: &Transaction<'_>,
    account: AccountId,
    keys: AccountKeys,
    now: Timestamp,
) -> Result<Learned> {
    let before = peers::load(tx, account)?;
    if let Some(row) = &before
        && keys.devices.identity_key != row.identity_key
    {
        let first_time = peers::offer_identity(tx, account, keys.devices.identity_key)?;
        return Ok(Learned::IdentityChanged { first_time });
    }
    let (devices, envelope_keys) = match verify(account, keys.clone()) {
        Ok(verified) => verified,
        Err(error) => return Ok(Learned::Refused(error)),
    };
    if let Some(row) = &before
        && let Err(error) = read(account, &row.devices)?.check_successor(&devices)
    {
        return Ok(Learned::Refused(error));
    }
    if let Some(row) = &before
        && envelope_keys.epoch < row.envelope_epoch
    {
        return Ok(Learned::Refused(VerifyError::Discontinuous));
    }
    store(tx, before, keys, &devices, &envelope_keys, now)?;
    Ok(Learned::Known(Box::new(devices)))
}

fn verify(
    account: AccountId,
    keys: AccountKeys,
) -> Result<(AccountDevices, Verified<EnvelopeKeys>), VerifyError> {
    let devices = AccountDevices::verify(account, keys.devices)?;
    let envelope_keys = keys.envelope_keys.verify(&devices.identity_key())?;
    if keys.account != account || envelope_keys.account != account {
        return Err(VerifyError::Misplaced);
    }
    Ok((devices, envelope_keys))
}

fn store(
    tx: &Transaction<'_>,
    before: Option<PeerRow>,
    keys: AccountKeys,
    devices: &AccountDevices,
    envelope_keys: &Verified<EnvelopeKeys>,
    now: Timestamp,
) -> Result<()> {
    let account = devices.account();
    // Who is gone does not come back, whatever the relay says later.
    let gone = before.as_ref().and_then(|row| row.deleted_at).or(keys.deleted_at);
    let row = PeerRow {
        account,
        // A name is the relay's word; the first one stays.
        username: before.as_ref().map_or(keys.username, |row| row.username.clone()),
        identity_key: devices.identity_key(),
        verified_at: before.as_ref().and_then(|row| row.verified_at),
        devices: to_bytes(&devices.to_published()),
        devices_number: devices.number(),
        envelope_keys: to_bytes(envelope_keys.source()),
        envelope_epoch: envelope_keys.epoch,
        fetched_at: now,
        stale: false,
        offered_identity: None,
        deleted_at: gone,
    };
    peers::save(tx, &row)?;
    forget_removed(tx, devices)
}

/// Erases the sessions with devices that their account has removed.
pub(super) fn forget_removed(tx: &Transaction<'_>, devices: &AccountDevices) -> Result<()> {
    let account = devices.account();
    for device in sessions::devices(tx, account)? {
        if devices.active_device(device.device).is_none() {
            let address = DeviceAddress { account, device: device.device };
            sessions::forget(tx, address)?;
            chains::forget(tx, address)?;
        }
    }
    Ok(())
}

/// Whether the relay has said that an account was deleted: nothing is sealed for it any more.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn is_deleted(tx: &Transaction<'_>, account: AccountId) -> Result<bool> {
    Ok(peers::load(tx, account)?.is_some_and(|row| row.deleted_at.is_some()))
}

/// The stored devices of an account, our own included; none if it was never asked about.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn known(tx: &Transaction<'_>, account: AccountId) -> Result<Option<AccountDevices>> {
    if let Some(bytes) = account::devices_of(tx, account)? {
        return read(account, &bytes).map(Some);
    }
    peers::load(tx, account)?.map(|row| read_pinned(&row)).transpose()
}

fn read_pinned(row: &PeerRow) -> Result<AccountDevices> {
    let devices = read(row.account, &row.devices)?;
    if devices.identity_key() == row.identity_key {
        Ok(devices)
    } else {
        Err(Kind::StoreFailed.into())
    }
}

pub(super) fn read(account: AccountId, bytes: &[u8]) -> Result<AccountDevices> {
    memo::verified(account, bytes, || {
        let published: PublishedDevices = from_bytes(bytes).map_err(unreadable)?;
        AccountDevices::verify(account, published).map_err(unreadable)
    })
}

/// The devices of `accounts`, each as new as the relay has said there is; asks where it must.
///
/// # Errors
///
/// [`Kind::IdentityChanged`], [`Kind::DeviceListForged`], [`Kind::NotFound`],
/// [`Kind::RelayUnreachable`].
pub async fn current(context: &Context, accounts: &[AccountId]) -> Result<Vec<AccountDevices>> {
    let mut all = Vec::with_capacity(accounts.len());
    for account in accounts.iter().copied() {
        let stored = context
            .store
            .read(move |tx| {
                if peers::load(tx, account)?.is_some_and(|row| row.stale) {
                    return Ok(None);
                }
                known(tx, account)
            })
            .await?;
        all.push(match stored {
            Some(devices) => devices,
            None => fetch(context, account).await?.into_devices()?,
        });
    }
    Ok(all)
}

/// The identity key that is believed to be an account's.
pub(crate) fn pinned(tx: &Transaction<'_>, account: AccountId) -> Result<IdentityKey> {
    Ok(peers::load(tx, account)?.ok_or(Kind::NotFound)?.identity_key)
}
