//! `account`, `tokens`, `facts`: who we are, and what proves it.

use chat_core::id::{AccountId, DeviceAddress, DeviceId, WorkspaceId};
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use zeroize::Zeroizing;

use super::columns::{blob, millis, timestamp};
use crate::error::{Kind, Result};

/// Whether this device may talk to the relay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountState {
    /// It may.
    Active,
    /// Its owner logged it out.
    LoggedOut,
    /// The account removed it.
    Removed,
}

/// The account's row: ids, and secrets as snapshots.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// The relay's origin.
    pub relay: String,
    /// Account and device.
    pub address: DeviceAddress,
    /// The account's name.
    pub username: String,
    /// The account's workspace.
    pub workspace: WorkspaceId,
    /// Snapshot of the device's secrets.
    pub device_secrets: Snapshot,
    /// Snapshot of the keyring.
    pub keyring: Snapshot,
    /// Snapshot of what seals the keyring anew.
    pub keyring_lock: Snapshot,
    /// The highest number of a keyring seen.
    pub keyring_number: u64,
    /// Our own published devices, CBOR.
    pub devices: Vec<u8>,
    /// The number of the list in them.
    pub devices_number: u32,
    /// Whether the device may talk to the relay.
    pub state: AccountState,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// The bytes of a secret state; erased when dropped, never printed.
#[derive(Clone)]
pub struct Snapshot(Zeroizing<Vec<u8>>);

impl Snapshot {
    /// The bytes, for the state's own `from_snapshot`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Zeroizing<Vec<u8>>> for Snapshot {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot(..)")
    }
}

/// The account of this store.
///
/// # Errors
///
/// [`Kind::StoreEmpty`] if there is none yet.
pub fn load(tx: &Transaction<'_>) -> Result<AccountRow> {
    tx.query_row("SELECT * FROM account WHERE only = 1", [], read)
        .optional()?
        .ok_or_else(|| Kind::StoreEmpty.into())
}

/// Tells whether there is an account.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn exists(tx: &Transaction<'_>) -> Result<bool> {
    Ok(tx.query_row("SELECT EXISTS (SELECT 1 FROM account)", [], |row| row.get(0))?)
}

/// Our own published devices, if `account` is ours.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn devices_of(tx: &Transaction<'_>, account: AccountId) -> Result<Option<Vec<u8>>> {
    let devices = tx
        .prepare_cached("SELECT devices FROM account WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(devices)
}

/// Our own name, if `account` is ours.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn username_of(tx: &Transaction<'_>, account: AccountId) -> Result<Option<String>> {
    let name = tx
        .prepare_cached("SELECT username FROM account WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(name)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    let snapshot = |column: &str| row.get(column).map(|bytes| Snapshot(Zeroizing::new(bytes)));
    Ok(AccountRow {
        relay: row.get("relay")?,
        address: DeviceAddress {
            account: blob::<AccountId>(row, "account")?,
            device: blob::<DeviceId>(row, "device")?,
        },
        username: row.get("username")?,
        workspace: blob(row, "workspace")?,
        device_secrets: snapshot("device_secrets")?,
        keyring: snapshot("keyring")?,
        keyring_lock: snapshot("keyring_lock")?,
        keyring_number: row.get("keyring_number")?,
        devices: row.get("devices")?,
        devices_number: row.get("devices_number")?,
        state: match row.get("state")? {
            1 => AccountState::Active,
            2 => AccountState::LoggedOut,
            _ => AccountState::Removed,
        },
        created_at: timestamp(row.get("created_at")?),
    })
}

/// Adds the account; a store has one in its lifetime.
///
/// # Errors
///
/// [`Kind::StoreInUse`] if there is one already.
pub fn insert(tx: &Transaction<'_>, account: &AccountRow) -> Result<()> {
    if exists(tx)? {
        return Err(Kind::StoreInUse.into());
    }
    tx.execute(
        "INSERT INTO account (only, relay, account, device, username, workspace, device_secrets,
            keyring, keyring_lock, keyring_number, devices, devices_number, state, created_at)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            account.relay,
            account.address.account.as_bytes(),
            account.address.device.as_bytes(),
            account.username,
            account.workspace.as_bytes(),
            account.device_secrets.as_bytes(),
            account.keyring.as_bytes(),
            account.keyring_lock.as_bytes(),
            account.keyring_number,
            account.devices,
            account.devices_number,
            state_number(account.state),
            millis(account.created_at),
        ],
    )?;
    Ok(())
}

fn state_number(state: AccountState) -> i64 {
    match state {
        AccountState::Active => 1,
        AccountState::LoggedOut => 2,
        AccountState::Removed => 3,
    }
}

/// Notes whether the device may still talk to the relay.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_state(tx: &Transaction<'_>, state: AccountState) -> Result<()> {
    tx.execute("UPDATE account SET state = ?1", [state_number(state)])?;
    Ok(())
}

/// Replaces our own published devices.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_devices(tx: &Transaction<'_>, devices: &[u8], number: u32) -> Result<()> {
    tx.execute("UPDATE account SET devices = ?1, devices_number = ?2", params![devices, number])?;
    Ok(())
}

/// Replaces the keyring, its lock and its number.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_keyring(
    tx: &Transaction<'_>,
    keyring: &Snapshot,
    lock: &Snapshot,
    number: u64,
) -> Result<()> {
    tx.execute(
        "UPDATE account SET keyring = ?1, keyring_lock = ?2, keyring_number = ?3",
        params![keyring.as_bytes(), lock.as_bytes(), number],
    )?;
    Ok(())
}

/// Erases everything there is, as at log-out; the store is then like new.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn erase_everything(tx: &Transaction<'_>) -> Result<()> {
    // By the schema, so that no table that comes later is forgotten.
    let mut statement = tx.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@'",
    )?;
    let tables = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    for table in tables {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

/// An access token and until when it is used.
#[derive(Clone)]
pub struct AccessRow {
    /// The token.
    pub access: Zeroizing<String>,
    /// When it is to be renewed, by this device's clock.
    pub renew_at: Timestamp,
}

impl std::fmt::Debug for AccessRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessRow").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// The newest access token, if there is one.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn access(tx: &Transaction<'_>) -> Result<Option<AccessRow>> {
    let row = tx.query_row("SELECT access, renew_at FROM tokens", [], |row| {
        Ok(AccessRow {
            access: Zeroizing::new(row.get("access")?),
            renew_at: timestamp(row.get("renew_at")?),
        })
    });
    Ok(row.optional()?)
}

/// Takes the refresh token out of the store: who has taken it may spend it, nobody else.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn take_refresh(tx: &Transaction<'_>) -> Result<Option<Zeroizing<String>>> {
    let refresh: Option<Option<String>> =
        tx.query_row("SELECT refresh FROM tokens", [], |row| row.get(0)).optional()?;
    tx.execute("UPDATE tokens SET refresh = NULL", [])?;
    Ok(refresh.flatten().map(Zeroizing::new))
}

/// Replaces the tokens.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_tokens(tx: &Transaction<'_>, access: &AccessRow, refresh: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO tokens (only, access, renew_at, refresh) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (only) DO UPDATE SET
            access = excluded.access, renew_at = excluded.renew_at, refresh = excluded.refresh",
        params![access.access.as_str(), millis(access.renew_at), refresh],
    )?;
    Ok(())
}

/// Forgets the tokens, at log-out.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn forget_tokens(tx: &Transaction<'_>) -> Result<()> {
    tx.execute("DELETE FROM tokens", [])?;
    Ok(())
}

/// A small fact by its name, for example the relay's epoch.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn fact(tx: &Transaction<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let value = tx.query_row("SELECT value FROM facts WHERE name = ?1", [name], |row| row.get(0));
    Ok(value.optional()?)
}

/// Notes a small fact.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn set_fact(tx: &Transaction<'_>, name: &str, value: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO facts (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}

/// Forgets a small fact.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn forget_fact(tx: &Transaction<'_>, name: &str) -> Result<()> {
    tx.execute("DELETE FROM facts WHERE name = ?1", [name])?;
    Ok(())
}
