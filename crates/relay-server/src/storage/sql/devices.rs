//! Devices: who may act for an account, and what goes when one is removed.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::codec::{Digest, to_bytes};
use chat_core::device::AccountDevices;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{fixed, signed};
use super::{
    ActiveDevices, Connection, DeviceState, DevicesReplaced, NewPrekeys, StorageError, batch,
    prekeys, pushes,
};

pub(super) async fn state(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<DeviceState, StorageError> {
    let removed_at: Option<Option<i64>> =
        query_scalar("SELECT removed_at FROM devices WHERE account = $1 AND device = $2")
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    Ok(match removed_at {
        Some(None) => DeviceState::Active,
        Some(Some(_)) => DeviceState::Removed,
        None => DeviceState::Unknown,
    })
}

pub(super) async fn active(
    connection: &mut Connection,
    accounts: &[AccountId],
) -> Result<Vec<ActiveDevices>, StorageError> {
    let mut found: BTreeMap<AccountId, ActiveDevices> = BTreeMap::new();
    for (account, number, device, is_deleted) in batch::active_devices(connection, accounts).await?
    {
        let account = fixed(&account)?;
        let number = u32::try_from(number).map_err(|_| StorageError::Corrupt)?;
        let entry = found.entry(account);
        let known =
            entry.or_insert(ActiveDevices { account, number, devices: Vec::new(), is_deleted });
        if let Some(device) = device {
            known.devices.push(fixed(&device)?);
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.iter_mut().for_each(|active| active.devices.sort_unstable());
    Ok(found)
}

/// Fails unless the device is active, and keeps it so until the transaction ends.
pub(super) async fn hold(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<(), StorageError> {
    let removed_at: Option<Option<i64>> = query_scalar(concat!(
        "SELECT removed_at FROM devices WHERE account = $1 AND device = $2",
        for_share!()
    ))
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    if removed_at == Some(None) { Ok(()) } else { Err(StorageError::NotFound) }
}

/// Inserts the devices of a new account.
pub(super) async fn insert_all(
    connection: &mut Connection,
    devices: &AccountDevices,
) -> Result<(), StorageError> {
    for listed in &devices.list().devices {
        insert(connection, devices.account(), listed.device, listed.removed_at).await?;
    }
    Ok(())
}

async fn insert(
    connection: &mut Connection,
    account: AccountId,
    device: DeviceId,
    removed_at: Option<Timestamp>,
) -> Result<(), StorageError> {
    query("INSERT INTO devices (account, device, removed_at) VALUES ($1, $2, $3)")
        .bind(account.as_bytes().as_slice())
        .bind(device.as_bytes().as_slice())
        .bind(removed_at.map(|at| signed(at.as_millis())))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn replace(
    connection: &mut Connection,
    devices: &AccountDevices,
    new_prekeys: Option<&NewPrekeys>,
    now: Timestamp,
) -> Result<DevicesReplaced, StorageError> {
    let account = devices.account();
    let stored: Option<Vec<u8>> = query_scalar(concat!(
        "SELECT device_list_digest FROM accounts WHERE id = $1",
        for_update!()
    ))
    .bind(account.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    let stored: Digest = fixed(&stored.ok_or(StorageError::NotFound)?)?;
    if stored == devices.list().digest() {
        return Ok(DevicesReplaced::default());
    }
    if stored != devices.list().previous {
        return Err(StorageError::Conflict);
    }

    store_list(connection, devices).await?;
    let replaced = difference(connection, devices).await?;
    for device in &replaced.removed {
        remove(connection, DeviceAddress { account, device: *device }, now).await?;
    }
    for device in &replaced.added {
        insert(connection, account, *device, None).await?;
        begin_at_the_end(connection, DeviceAddress { account, device: *device }).await?;
    }
    let of_an_added = |new: &&NewPrekeys| {
        new.set.address.account == account && replaced.added.contains(&new.set.address.device)
    };
    if let Some(new) = new_prekeys.filter(of_an_added) {
        prekeys::put(connection, new).await?;
    }
    Ok(replaced)
}

async fn store_list(
    connection: &mut Connection,
    devices: &AccountDevices,
) -> Result<(), StorageError> {
    query(
        "UPDATE accounts SET devices = $2, device_list_number = $3, device_list_digest = $4 \
         WHERE id = $1",
    )
    .bind(devices.account().as_bytes().as_slice())
    .bind(to_bytes(&devices.to_published()))
    .bind(i64::from(devices.number()))
    .bind(devices.list().digest().as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// What the list changes against the stored devices. One that was removed stays removed.
async fn difference(
    connection: &mut Connection,
    devices: &AccountDevices,
) -> Result<DevicesReplaced, StorageError> {
    let rows: Vec<(Vec<u8>, Option<i64>)> =
        query_as("SELECT device, removed_at FROM devices WHERE account = $1 ORDER BY device")
            .bind(devices.account().as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    let active: BTreeSet<_> = devices.active().map(|c| c.address.device).collect();
    let mut known = BTreeSet::new();
    let mut removed = Vec::new();
    for (device, removed_at) in rows {
        let device = fixed(&device)?;
        known.insert(device);
        if removed_at.is_none() && !active.contains(&device) {
            removed.push(device);
        }
    }
    Ok(DevicesReplaced { added: active.difference(&known).copied().collect(), removed })
}

/// Takes from a device everything it could act with.
async fn remove(
    connection: &mut Connection,
    address: DeviceAddress,
    now: Timestamp,
) -> Result<(), StorageError> {
    query("UPDATE devices SET removed_at = $3 WHERE account = $1 AND device = $2")
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    for sql in [
        "DELETE FROM refresh_families WHERE account = $1 AND device = $2",
        "DELETE FROM prekey_sets WHERE account = $1 AND device = $2",
        "DELETE FROM one_time_prekeys WHERE account = $1 AND device = $2",
        "DELETE FROM cursors WHERE account = $1 AND device = $2",
    ] {
        query(sql)
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    pushes::forget(connection, address).await
}

/// Nothing that was sent before a device was there has a wrap for it.
async fn begin_at_the_end(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO cursors (account, device, conversation, up_to) \
         SELECT s.account, $2, s.conversation, c.last \
         FROM stays s JOIN conversations c ON c.id = s.conversation \
         WHERE s.account = $1 AND s.last_sequence IS NULL",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}
