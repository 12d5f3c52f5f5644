//! Our own devices.

use chat_core::codec::to_bytes;
use chat_core::device::{AccountDevices, DeviceCertificate, PublishedDevices};
use chat_core::id::DeviceId;
use chat_core::signed::Unverified;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use super::list;
use super::peers::{forget_removed, read};
use crate::context::{Context, Own};
use crate::error::{Kind, Result};
use crate::store::account::{self, AccountState};

/// How often a list is changed anew when another device was first.
const ATTEMPTS: usize = 4;

/// A device of this account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnDevice {
    /// Which.
    pub device: DeviceId,
    /// When the account certified it.
    pub added_at: Timestamp,
    /// When the account removed it, if it did.
    pub removed_at: Option<Timestamp>,
    /// Whether it is this one.
    pub is_this: bool,
}

/// The account's devices, removed ones too, in the order they came.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub async fn list_own(context: &Context) -> Result<Vec<OwnDevice>> {
    let own = context.own.address;
    let devices = stored(context).await?;
    let listed = devices.list().devices.iter().filter_map(|listed| {
        let certificate = devices.device_at(listed.device, Timestamp::default())?;
        Some(OwnDevice {
            device: listed.device,
            added_at: certificate.created_at,
            removed_at: listed.removed_at,
            is_this: listed.device == own.device,
        })
    });
    Ok(listed.collect())
}

async fn stored(context: &Context) -> Result<AccountDevices> {
    let account = context.own.account();
    let row = context.store.read(account::load).await?;
    read(account, &row.devices)
}

/// Fetches the account's own list, believed because our own identity key signed it.
///
/// # Errors
///
/// [`Kind::DeviceListForged`] if it does not verify or leads back, [`Kind::DeviceRemoved`] if this
/// device is no longer in it, [`Kind::RelayUnreachable`].
pub async fn refresh_own(context: &Context) -> Result<AccountDevices> {
    let own = context.own.clone();
    let published = context.relay.account_keys(own.account()).await?.devices;
    let forged = |error| Kind::DeviceListForged.because(error);
    let devices = AccountDevices::verify(own.account(), published).map_err(forged)?;
    let state = context
        .store
        .write(move |tx| {
            accept(tx, &own, &devices)?;
            let is_active = devices.active_device(own.address.device).is_some();
            if !is_active {
                account::set_state(tx, AccountState::Removed)?;
            }
            Ok(is_active.then_some(devices))
        })
        .await?;
    state.ok_or_else(|| Kind::DeviceRemoved.into())
}

/// Stores a list of our own that continues the one known.
fn accept(tx: &Transaction<'_>, own: &Own, devices: &AccountDevices) -> Result<()> {
    let known = read(own.account(), &account::load(tx)?.devices)?;
    known.check_successor(devices).map_err(|error| Kind::DeviceListForged.because(error))?;
    account::set_devices(tx, &to_bytes(&devices.to_published()), devices.number())?;
    forget_removed(tx, devices)
}

/// Adds a device that was certified to the account's list; on top of another's change if one was
/// faster.
///
/// # Errors
///
/// [`Kind::TooManyDevices`], [`Kind::RelayUnreachable`]; [`Kind::NotVerified`] for a certificate of
/// somebody else.
pub(crate) async fn add_own(
    context: &Context,
    certificate: Unverified<DeviceCertificate>,
) -> Result<DeviceId> {
    let own = context.own.clone();
    let keyring = own.keyring.get();
    let identity = keyring.identity();
    let device = certificate.clone().verify(&own.identity_key)?.address.device;
    let mut current = stored(context).await?;
    for _ in 0..ATTEMPTS {
        let published = list::with(identity, &current, certificate.clone(), device, context.now())?;
        match publish(context, published).await {
            Err(error) if error.kind() == Kind::Conflict => {
                current = refresh_own(context).await?;
            }
            outcome => return outcome.map(|()| device),
        }
    }
    Err(Kind::Conflict.into())
}

/// Puts a list in the place of the one before, at the relay and then here.
async fn publish(context: &Context, published: PublishedDevices) -> Result<()> {
    let own = context.own.clone();
    let next = AccountDevices::verify(own.account(), published.clone())?;
    context.relay.put_devices(&published).await?;
    context.store.write(move |tx| accept(tx, &own, &next)).await
}

/// Removes a device from the account: it can no longer log in, and nobody seals for it any more.
///
/// # Errors
///
/// [`Kind::NotFound`] if it is none of ours or was removed before, [`Kind::RelayUnreachable`].
pub async fn remove_own(context: &Context, device: DeviceId) -> Result<()> {
    let own = context.own.clone();
    let keyring = own.keyring.get();
    let identity = keyring.identity();
    let mut current = stored(context).await?;
    for _ in 0..ATTEMPTS {
        let published = list::without(identity, &current, device, context.now())?;
        match publish(context, published).await {
            Err(error) if error.kind() == Kind::Conflict => {
                current = refresh_own(context).await?;
            }
            outcome => return outcome,
        }
    }
    Err(Kind::Conflict.into())
}
