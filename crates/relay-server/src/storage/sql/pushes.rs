//! Push targets and the queue of wake-ups.

use async_trait::async_trait;
use chat_core::api::push::PushTarget;
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{address, signed, unsigned};
use super::{Connection, StorageError, Store};
use crate::storage::{PushStorage, WakeUp};

#[async_trait]
impl PushStorage for Store {
    async fn set_push_target(
        &self,
        address: DeviceAddress,
        target: Option<&PushTarget>,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            forget(&mut transaction, address).await?;
            if let Some(target) = target {
                query("INSERT INTO push_targets (account, device, target) VALUES ($1, $2, $3)")
                    .bind(address.account.as_bytes().as_slice())
                    .bind(address.device.as_bytes().as_slice())
                    .bind(written(target))
                    .execute(&mut *transaction)
                    .await?;
            }
            Ok(())
        })
    }

    async fn drop_push_target(
        &self,
        address: DeviceAddress,
        target: &PushTarget,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            let is_it: Option<i64> = query_scalar(
                "SELECT CAST(1 AS BIGINT) FROM push_targets \
                 WHERE account = $1 AND device = $2 AND target = $3",
            )
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .bind(written(target))
            .fetch_optional(&mut *transaction)
            .await?;
            if is_it.is_some() {
                forget(&mut transaction, address).await?;
            }
            Ok(())
        })
    }

    async fn push_devices(
        &self,
        after: Option<DeviceAddress>,
        limit: usize,
    ) -> Result<Vec<DeviceAddress>, StorageError> {
        read!(self, devices(after, limit))
    }

    async fn wake(&self, accounts: &[AccountId], due_at: Timestamp) -> Result<(), StorageError> {
        let mut accounts = accounts.to_vec();
        accounts.sort_unstable();
        accounts.dedup();
        write!(self, wake(&accounts, due_at))
    }

    async fn lease_wake_ups(
        &self,
        now: Timestamp,
        leased_until: Timestamp,
        limit: usize,
    ) -> Result<Vec<WakeUp>, StorageError> {
        write!(self, lease(now, leased_until, limit))
    }

    async fn wake_up_done(
        &self,
        address: DeviceAddress,
        number: u64,
        again_at: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, done(address, number, again_at))
    }

    async fn wake_up_failed(
        &self,
        address: DeviceAddress,
        due_at: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            query(
                "UPDATE push_queue SET attempts = attempts + 1, is_dead = $3, due_at = $4 \
                 WHERE account = $1 AND device = $2",
            )
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .bind(i64::from(due_at.is_none()))
            .bind(signed(due_at.unwrap_or_default().as_millis()))
            .execute(&mut *transaction)
            .await?;
            Ok(())
        })
    }

    async fn wake_ups_waiting(&self) -> Result<(u64, u64), StorageError> {
        read!(self, |connection| {
            let (all, dead): (i64, i64) = query_as(
                "SELECT count(*), CAST(coalesce(sum(is_dead), 0) AS BIGINT) FROM push_queue",
            )
            .fetch_one(&mut *connection)
            .await?;
            Ok((unsigned(all - dead)?, unsigned(dead)?))
        })
    }
}

/// As it is stored, and compared.
fn written(target: &PushTarget) -> String {
    // INVARIANT: nothing in a target is what JSON cannot hold.
    serde_json::to_string(target).unwrap_or_default()
}

/// Forgets where a device is to be woken, and that it is.
pub(super) async fn forget(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<(), StorageError> {
    for sql in [
        "DELETE FROM push_targets WHERE account = $1 AND device = $2",
        "DELETE FROM push_queue WHERE account = $1 AND device = $2",
    ] {
        query(sql)
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn devices(
    connection: &mut Connection,
    after: Option<DeviceAddress>,
    limit: usize,
) -> Result<Vec<DeviceAddress>, StorageError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = query_as(
        "SELECT account, device FROM push_targets WHERE account > $1 \
             OR (account = $1 AND device > $2) \
         ORDER BY account, device LIMIT $3",
    )
    .bind(after.map_or(Vec::new(), |after| after.account.as_bytes().to_vec()))
    .bind(after.map_or(Vec::new(), |after| after.device.as_bytes().to_vec()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|(account, device)| address(account, device)).collect()
}

async fn wake(
    connection: &mut Connection,
    accounts: &[AccountId],
    due_at: Timestamp,
) -> Result<(), StorageError> {
    for account in accounts {
        query(
            "INSERT INTO push_queue (account, device, number, due_at, attempts, is_dead) \
             SELECT account, device, 1, $2, 0, 0 FROM push_targets WHERE account = $1 \
             ORDER BY device \
             ON CONFLICT (account, device) DO UPDATE SET \
                 number = push_queue.number + 1, \
                 due_at = CASE push_queue.is_dead WHEN 1 THEN $2 ELSE push_queue.due_at END, \
                 attempts = CASE push_queue.is_dead WHEN 1 THEN 0 ELSE push_queue.attempts END, \
                 is_dead = 0",
        )
        .bind(account.as_bytes().as_slice())
        .bind(signed(due_at.as_millis()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn lease(
    connection: &mut Connection,
    now: Timestamp,
    leased_until: Timestamp,
    limit: usize,
) -> Result<Vec<WakeUp>, StorageError> {
    let due: Vec<(Vec<u8>, Vec<u8>, i64, i64)> = query_as(concat!(
        "SELECT account, device, number, attempts FROM push_queue \
         WHERE due_at <= $1 AND is_dead = 0 ORDER BY due_at LIMIT $2",
        for_update!(),
        skip_locked!()
    ))
    .bind(signed(now.as_millis()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    let mut leased = Vec::with_capacity(due.len());
    for (account, device, number, attempts) in due {
        let target: Option<String> = query_scalar(
            "SELECT t.target FROM push_targets t JOIN devices d \
                 ON d.account = t.account AND d.device = t.device AND d.removed_at IS NULL \
             WHERE t.account = $1 AND t.device = $2",
        )
        .bind(&account)
        .bind(&device)
        .fetch_optional(&mut *connection)
        .await?;
        let address = address(&account, &device)?;
        // A device that was removed is not woken any more.
        let Some(target) = target else {
            forget(connection, address).await?;
            continue;
        };
        query("UPDATE push_queue SET due_at = $3 WHERE account = $1 AND device = $2")
            .bind(account)
            .bind(device)
            .bind(signed(leased_until.as_millis()))
            .execute(&mut *connection)
            .await?;
        let target = serde_json::from_str(&target).map_err(|_| StorageError::Corrupt)?;
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        leased.push(WakeUp { address, target, number: unsigned(number)?, attempts });
    }
    Ok(leased)
}

async fn done(
    connection: &mut Connection,
    address: DeviceAddress,
    number: u64,
    again_at: Timestamp,
) -> Result<(), StorageError> {
    query("DELETE FROM push_queue WHERE account = $1 AND device = $2 AND number = $3")
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .bind(signed(number))
        .execute(&mut *connection)
        .await?;
    // What is left stands for mail that has come meanwhile.
    query(
        "UPDATE push_queue SET due_at = $4, attempts = 0 \
         WHERE account = $1 AND device = $2 AND number > $3",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .bind(signed(number))
    .bind(signed(again_at.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}
