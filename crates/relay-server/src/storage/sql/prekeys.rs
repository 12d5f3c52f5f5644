//! Prekeys: a set for each device, and one-time prekeys that go out once.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::api::prekeys::PrekeyCount;
use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::id::DeviceAddress;
use chat_core::prekey::{OneTimePrekey, PrekeyBundle};
use sqlx::{query, query_as, query_scalar};

use super::row::{fixed, unsigned};
use super::{Connection, NewPrekeys, StorageError, batch, devices};

pub(super) async fn put(connection: &mut Connection, new: &NewPrekeys) -> Result<(), StorageError> {
    let address = new.set.address;
    devices::hold(connection, address).await?;
    let written = query(
        "INSERT INTO prekey_sets (account, device, number, digest, signed) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, device) DO UPDATE \
         SET number = excluded.number, digest = excluded.digest, signed = excluded.signed \
         WHERE prekey_sets.number < excluded.number",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .bind(i64::from(new.set.number))
    .bind(new.set.digest().as_bytes().as_slice())
    .bind(to_bytes(new.set.source()))
    .execute(&mut *connection)
    .await?;
    if written.rows_affected() == 0 {
        return check_same(connection, new).await;
    }
    query("DELETE FROM one_time_prekeys WHERE account = $1 AND device = $2")
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    batch::insert_one_time(connection, address, &new.one_time).await
}

/// The same upload again changes nothing: keys that went out since do not come back.
async fn check_same(connection: &mut Connection, new: &NewPrekeys) -> Result<(), StorageError> {
    let stored: Vec<u8> =
        query_scalar("SELECT digest FROM prekey_sets WHERE account = $1 AND device = $2")
            .bind(new.set.address.account.as_bytes().as_slice())
            .bind(new.set.address.device.as_bytes().as_slice())
            .fetch_one(connection)
            .await?;
    let is_same = fixed::<Digest>(&stored)? == new.set.digest();
    if is_same { Ok(()) } else { Err(StorageError::Conflict) }
}

pub(super) async fn take(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<PrekeyBundle>, StorageError> {
    let devices: BTreeSet<DeviceAddress> = devices.iter().copied().collect();
    let devices: Vec<_> = devices.into_iter().collect();
    let sets = batch::hold_prekey_sets(connection, &devices).await?;
    let mut one_time: BTreeMap<DeviceAddress, OneTimePrekey> = BTreeMap::new();
    for (account, device, prekey) in batch::spend_one_time(connection, &devices).await? {
        one_time.insert(super::row::address(&account, &device)?, from_bytes(&prekey)?);
    }
    let bundle = |(account, device, set): (Vec<u8>, Vec<u8>, Vec<u8>)| {
        let address = super::row::address(&account, &device)?;
        Ok(PrekeyBundle { address, set: from_bytes(&set)?, one_time: one_time.remove(&address) })
    };
    sets.into_iter().map(bundle).collect()
}

pub(super) async fn count(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<PrekeyCount, StorageError> {
    let found: Option<(i64, i64)> = query_as(
        "SELECT s.number, (SELECT count(*) FROM one_time_prekeys o \
             WHERE o.account = s.account AND o.device = s.device) \
         FROM prekey_sets s WHERE s.account = $1 AND s.device = $2",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    let small = |column| u32::try_from(unsigned(column)?).map_err(|_| StorageError::Corrupt);
    let Some((number, remaining)) = found else {
        return Ok(PrekeyCount { number: 0, remaining: 0 });
    };
    Ok(PrekeyCount { number: small(number)?, remaining: small(remaining)? })
}
