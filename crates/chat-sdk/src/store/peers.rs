//! `peers`: other people, the identity key first seen, and their newest devices.
//!
//! Rows hold published bytes that were verified before they came here; [`crate::devices`] verifies
//! them again when it reads them, so that a row is never more believed than a relay.

use chat_core::id::AccountId;
use chat_core::key::IdentityKey;
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::{blob, millis, timestamp};
use crate::error::Result;

/// Somebody else.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// Who.
    pub account: AccountId,
    /// Their name, as the relay has it.
    pub username: String,
    /// The identity key that is believed.
    pub identity_key: IdentityKey,
    /// When safety numbers were compared.
    pub verified_at: Option<Timestamp>,
    /// Their published devices, CBOR.
    pub devices: Vec<u8>,
    /// The number of the list in them.
    pub devices_number: u32,
    /// Their newest signed envelope keys, CBOR.
    pub envelope_keys: Vec<u8>,
    /// The epoch of those.
    pub envelope_epoch: u32,
    /// When all this was fetched.
    pub fetched_at: Timestamp,
    /// Whether the relay has said that there is a newer list.
    pub stale: bool,
    /// Another identity key that came up and was not accepted.
    pub offered_identity: Option<IdentityKey>,
    /// When the relay says that the account was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Somebody by id.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load(tx: &Transaction<'_>, account: AccountId) -> Result<Option<PeerRow>> {
    let row = tx
        .prepare_cached("SELECT * FROM peers WHERE account = ?1")?
        .query_row([account.as_bytes()], read)
        .optional()?;
    Ok(row)
}

/// Somebody by name.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn by_username(tx: &Transaction<'_>, username: &str) -> Result<Option<PeerRow>> {
    let row = tx
        .query_row(
            "SELECT * FROM peers WHERE username = ?1 ORDER BY fetched_at DESC LIMIT 1",
            [username],
            read,
        )
        .optional()?;
    Ok(row)
}

/// Somebody's name.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn username(tx: &Transaction<'_>, account: AccountId) -> Result<Option<String>> {
    let name = tx
        .prepare_cached("SELECT username FROM peers WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(name)
}

/// Erases what is known of somebody.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget(tx: &Transaction<'_>, account: AccountId) -> Result<()> {
    tx.execute("DELETE FROM peers WHERE account = ?1", [account.as_bytes()])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<PeerRow> {
    let verified_at: Option<i64> = row.get("verified_at")?;
    let offered: Option<Vec<u8>> = row.get("offered_identity")?;
    let deleted_at: Option<i64> = row.get("deleted_at")?;
    Ok(PeerRow {
        account: blob(row, "account")?,
        username: row.get("username")?,
        identity_key: blob(row, "identity_key")?,
        verified_at: verified_at.map(timestamp),
        devices: row.get("devices")?,
        devices_number: row.get("devices_number")?,
        envelope_keys: row.get("envelope_keys")?,
        envelope_epoch: row.get("envelope_epoch")?,
        fetched_at: timestamp(row.get("fetched_at")?),
        stale: row.get("stale")?,
        offered_identity: match offered {
            None => None,
            Some(_) => Some(blob(row, "offered_identity")?),
        },
        deleted_at: deleted_at.map(timestamp),
    })
}

/// Adds or replaces somebody.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn save(tx: &Transaction<'_>, peer: &PeerRow) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO peers (account, username, identity_key, verified_at, devices, devices_number,
            envelope_keys, envelope_epoch, fetched_at, stale, offered_identity, deleted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (account) DO UPDATE SET username = excluded.username,
            identity_key = excluded.identity_key, verified_at = excluded.verified_at,
            devices = excluded.devices, devices_number = excluded.devices_number,
            envelope_keys = excluded.envelope_keys, envelope_epoch = excluded.envelope_epoch,
            fetched_at = excluded.fetched_at, stale = excluded.stale,
            offered_identity = excluded.offered_identity, deleted_at = excluded.deleted_at",
    )?
    .execute(params![
        peer.account.as_bytes(),
        peer.username,
        peer.identity_key.as_bytes(),
        peer.verified_at.map(millis),
        peer.devices,
        peer.devices_number,
        peer.envelope_keys,
        peer.envelope_epoch,
        millis(peer.fetched_at),
        peer.stale,
        peer.offered_identity.as_ref().map(IdentityKey::as_bytes),
        peer.deleted_at.map(millis),
    ])?;
    Ok(())
}

/// Notes that somebody's list is no longer the newest; tells whether it was thought to be.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn mark_stale(tx: &Transaction<'_>, account: AccountId) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE peers SET stale = 1 WHERE account = ?1 AND stale = 0",
        [account.as_bytes()],
    )?;
    Ok(changed == 1)
}

/// Notes when safety numbers were compared, or that they no longer count.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn set_verified(
    tx: &Transaction<'_>,
    account: AccountId,
    verified_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE peers SET verified_at = ?2 WHERE account = ?1",
        params![account.as_bytes(), verified_at.map(millis)],
    )?;
    Ok(changed == 1)
}

/// Notes an identity key that came up instead of the believed one; tells whether it is news.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn offer_identity(tx: &Transaction<'_>, account: AccountId, key: IdentityKey) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE peers SET offered_identity = ?2
         WHERE account = ?1 AND offered_identity IS NOT ?2",
        params![account.as_bytes(), key.as_bytes()],
    )?;
    Ok(changed == 1)
}
