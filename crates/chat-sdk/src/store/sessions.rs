//! `sessions`: the ratchets with each device of somebody, as snapshots.
//!
//! Load, advance and save in one [`Store::write`](super::Store::write), or a ratchet moves twice.

use chat_core::id::{AccountId, DeviceAddress};
use chat_core::time::Timestamp;
use chat_crypto::session::Sessions;
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::columns::{blob, millis};
use super::unreadable;
use crate::error::{Kind, Result};

/// All sessions with `theirs`; none yet, if there are none.
///
/// # Errors
///
/// [`Kind::StoreFailed`], also if the row holds another device's.
pub fn load(tx: &Transaction<'_>, theirs: DeviceAddress) -> Result<Sessions> {
    let snapshot: Option<Vec<u8>> = tx
        .prepare_cached("SELECT snapshot FROM sessions WHERE account = ?1 AND device = ?2")?
        .query_row(params![theirs.account.as_bytes(), theirs.device.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(snapshot) = snapshot.map(Zeroizing::new) else { return Ok(Sessions::new(theirs)) };
    let sessions = Sessions::from_snapshot(&snapshot).map_err(unreadable)?;
    // SECURITY: a row that was moved would have us seal for one device under another's keys.
    if sessions.theirs() == theirs { Ok(sessions) } else { Err(Kind::StoreFailed.into()) }
}

/// The devices whose sessions were last stored before `before`.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn quiet_since(tx: &Transaction<'_>, before: Timestamp) -> Result<Vec<DeviceAddress>> {
    let mut statement =
        tx.prepare_cached("SELECT account, device FROM sessions WHERE updated_at < ?1")?;
    let rows = statement.query_map([millis(before)], |row| {
        Ok(DeviceAddress { account: blob(row, "account")?, device: blob(row, "device")? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores all sessions with a device in place of those before.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn save(tx: &Transaction<'_>, sessions: &Sessions, now: Timestamp) -> Result<()> {
    let theirs = sessions.theirs();
    tx.prepare_cached(
        "INSERT INTO sessions (account, device, snapshot, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, device) DO UPDATE SET
            snapshot = excluded.snapshot, updated_at = excluded.updated_at",
    )?
    .execute(params![
        theirs.account.as_bytes(),
        theirs.device.as_bytes(),
        sessions.to_snapshot().as_slice(),
        millis(now)
    ])?;
    Ok(())
}

/// The devices of `account` that we have sessions with.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn devices(tx: &Transaction<'_>, account: AccountId) -> Result<Vec<DeviceAddress>> {
    let mut statement =
        tx.prepare_cached("SELECT device FROM sessions WHERE account = ?1 ORDER BY device")?;
    let rows = statement.query_map([account.as_bytes()], |row| {
        Ok(DeviceAddress { account, device: blob(row, "device")? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Erases all sessions with `theirs`, when the device was removed.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn forget(tx: &Transaction<'_>, theirs: DeviceAddress) -> Result<()> {
    tx.prepare_cached("DELETE FROM sessions WHERE account = ?1 AND device = ?2")?
        .execute(params![theirs.account.as_bytes(), theirs.device.as_bytes()])?;
    Ok(())
}

/// Erases all sessions with all devices of `account`, when its identity key changed.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn forget_account(tx: &Transaction<'_>, account: AccountId) -> Result<()> {
    tx.prepare_cached("DELETE FROM sessions WHERE account = ?1")?.execute([account.as_bytes()])?;
    Ok(())
}
