//! The store's own marks, and accounts with everything there is one of.

use chat_core::api::account::{AccountKeys, Keyring, OwnAccount};
use chat_core::api::workspaces::WorkspaceRole;
use chat_core::codec::{Bytes, Digest, from_bytes, to_bytes};
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};
use zeroize::Zeroizing;

use super::row::{fixed, role_number, signed, unsigned};
use super::{
    Connection, LoginRecord, NewAccount, STEPS, StorageError, devices, invitations, prekeys,
};
use crate::storage::{Joins, schema};

pub(super) async fn check(connection: &mut Connection) -> Result<(), StorageError> {
    let found: i64 = query_scalar(schema::FOUND).fetch_one(connection).await?;
    let known = schema::newest(STEPS);
    if found < known { Err(StorageError::TooOld { found, known }) } else { Ok(()) }
}

pub(super) async fn epoch(connection: &mut Connection) -> Result<u64, StorageError> {
    let sql = "SELECT number FROM metadata WHERE name = 'epoch'";
    unsigned(query_scalar(sql).fetch_one(connection).await?)
}

pub(super) async fn secret(
    connection: &mut Connection,
    name: &str,
    candidate: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(candidate)
        .execute(&mut *connection)
        .await?;
    let stored: Vec<u8> = query_scalar("SELECT value FROM secrets WHERE name = $1")
        .bind(name)
        .fetch_one(connection)
        .await?;
    Ok(Zeroizing::new(stored))
}

pub(super) async fn default_workspace(
    connection: &mut Connection,
    candidate: WorkspaceId,
    now: Timestamp,
) -> Result<WorkspaceId, StorageError> {
    query(
        "INSERT INTO workspaces (id, is_default, created_at) VALUES ($1, 1, $2) \
         ON CONFLICT DO NOTHING",
    )
    .bind(candidate.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .execute(&mut *connection)
    .await?;
    let stored: Vec<u8> = query_scalar("SELECT id FROM workspaces WHERE is_default = 1")
        .fetch_one(connection)
        .await?;
    fixed(&stored)
}

pub(super) async fn create(
    connection: &mut Connection,
    new: &NewAccount,
    now: Timestamp,
) -> Result<(), StorageError> {
    let account = new.devices.account();
    let Some((workspace, role)) = admission(connection, new, now).await? else {
        // The same registration may have spent the last use.
        return match why_not(connection, account, new).await {
            Err(StorageError::NameTaken) => Err(StorageError::InvitationInvalid),
            known => known,
        };
    };
    if is_reserved(connection, &new.username, now).await? {
        return Err(StorageError::NameTaken);
    }
    if !insert(connection, account, workspace, new, now).await? {
        why_not(connection, account, new).await?;
        return match new.joins {
            Joins::Invited(hash) => invitations::return_invitation(connection, hash).await,
            Joins::Open(_) => Ok(()),
        };
    }
    query(
        "INSERT INTO workspace_members (workspace, account, joined_at, role) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(account.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .bind(role_number(role))
    .execute(&mut *connection)
    .await?;
    devices::insert_all(connection, &new.devices).await?;
    prekeys::put(connection, &new.prekeys).await
}

/// Where the account comes and as what; nowhere, if its invitation cannot be used.
async fn admission(
    connection: &mut Connection,
    new: &NewAccount,
    now: Timestamp,
) -> Result<Option<(WorkspaceId, WorkspaceRole)>, StorageError> {
    match new.joins {
        Joins::Open(workspace) => Ok(Some((workspace, WorkspaceRole::Member))),
        Joins::Invited(hash) => invitations::spend_invitation(connection, hash, now).await,
    }
}

/// Whether the name is kept for a deleted account, from people who would pass for it.
async fn is_reserved(
    connection: &mut Connection,
    username: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let until: Option<i64> =
        query_scalar("SELECT until FROM reserved_names WHERE name = lower($1) AND until > $2")
            .bind(username)
            .bind(signed(now.as_millis()))
            .fetch_optional(connection)
            .await?;
    Ok(until.is_some())
}

/// Tells whether the row went in; if not, its id or its name was there.
async fn insert(
    connection: &mut Connection,
    account: AccountId,
    workspace: WorkspaceId,
    new: &NewAccount,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let inserted = query(
        "INSERT INTO accounts (id, username, workspace, opaque_record, \
             devices, device_list_number, device_list_digest, \
             envelope_keys, envelope_epoch, envelope_digest, \
             keyring, keyring_number, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
    )
    .bind(account.as_bytes().as_slice())
    .bind(new.username.as_str())
    .bind(workspace.as_bytes().as_slice())
    .bind(new.opaque_record.as_slice())
    .bind(to_bytes(&new.devices.to_published()))
    .bind(i64::from(new.devices.number()))
    .bind(new.devices.list().digest().as_bytes().as_slice())
    .bind(to_bytes(new.envelope_keys.source()))
    .bind(i64::from(new.envelope_keys.epoch))
    .bind(new.envelope_keys.digest().as_bytes().as_slice())
    .bind(&*new.keyring.sealed)
    .bind(signed(new.keyring.number))
    .bind(signed(now.as_millis()))
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The same registration may come again; another with this id or name may not.
async fn why_not(
    connection: &mut Connection,
    account: AccountId,
    new: &NewAccount,
) -> Result<(), StorageError> {
    let stored: Option<(String, Vec<u8>)> =
        query_as("SELECT username, opaque_record FROM accounts WHERE id = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    match stored {
        Some((username, record)) if username == new.username && record == new.opaque_record => {
            Ok(())
        }
        Some(_) => Err(StorageError::AlreadyExists),
        None => Err(StorageError::NameTaken),
    }
}

pub(super) async fn login_record(
    connection: &mut Connection,
    username: &str,
) -> Result<Option<LoginRecord>, StorageError> {
    let found: Option<(Vec<u8>, String, Vec<u8>)> = query_as(
        "SELECT id, username, opaque_record FROM accounts WHERE lower(username) = lower($1) \
         AND deleted_at IS NULL",
    )
    .bind(username)
    .fetch_optional(connection)
    .await?;
    let record = |(id, username, opaque_record): (Vec<u8>, String, Vec<u8>)| {
        Ok(LoginRecord { account: fixed(&id)?, username, opaque_record })
    };
    found.map(record).transpose()
}

pub(super) async fn by_id(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Option<OwnAccount>, StorageError> {
    let found: Option<(String, Vec<u8>)> =
        query_as("SELECT username, workspace FROM accounts WHERE id = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let own = |(username, workspace): (String, Vec<u8>)| {
        Ok(OwnAccount { account, username, workspace: fixed(&workspace)? })
    };
    found.map(own).transpose()
}

/// Name, devices, envelope keys, when it was deleted.
type KeysRow = (String, Vec<u8>, Vec<u8>, Option<i64>);

pub(super) async fn keys(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Option<AccountKeys>, StorageError> {
    let found: Option<KeysRow> =
        query_as("SELECT username, devices, envelope_keys, deleted_at FROM accounts WHERE id = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let Some((username, devices, envelope_keys, deleted_at)) = found else { return Ok(None) };
    let devices = from_bytes(&devices)?;
    let envelope_keys = from_bytes(&envelope_keys)?;
    let deleted_at = deleted_at.map(unsigned).transpose()?.map(Timestamp::from_millis);
    Ok(Some(AccountKeys { account, username, devices, envelope_keys, deleted_at }))
}

pub(super) async fn put_envelope_keys(
    connection: &mut Connection,
    keys: &Verified<EnvelopeKeys>,
) -> Result<(), StorageError> {
    let updated = query(
        "UPDATE accounts SET envelope_keys = $2, envelope_epoch = $3, envelope_digest = $4 \
         WHERE id = $1 AND envelope_epoch = $3 - 1",
    )
    .bind(keys.account.as_bytes().as_slice())
    .bind(to_bytes(keys.source()))
    .bind(i64::from(keys.epoch))
    .bind(keys.digest().as_bytes().as_slice())
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 1 {
        return Ok(());
    }
    let stored: Option<Vec<u8>> =
        query_scalar("SELECT envelope_digest FROM accounts WHERE id = $1")
            .bind(keys.account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    match stored {
        Some(digest) if fixed::<Digest>(&digest)? == keys.digest() => Ok(()),
        Some(_) => Err(StorageError::Conflict),
        None => Err(StorageError::NotFound),
    }
}

pub(super) async fn keyring(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Option<Keyring>, StorageError> {
    let found: Option<(i64, Vec<u8>)> =
        query_as("SELECT keyring_number, keyring FROM accounts WHERE id = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let keyring = |(number, sealed): (i64, Vec<u8>)| {
        Ok(Keyring { number: unsigned(number)?, sealed: Bytes::new(sealed)? })
    };
    found.map(keyring).transpose()
}

pub(super) async fn put_keyring(
    connection: &mut Connection,
    account: AccountId,
    new: &Keyring,
) -> Result<(), StorageError> {
    let updated = query(
        "UPDATE accounts SET keyring = $2, keyring_number = $3 \
         WHERE id = $1 AND keyring_number = $3 - 1",
    )
    .bind(account.as_bytes().as_slice())
    .bind(&*new.sealed)
    .bind(signed(new.number))
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 1 {
        return Ok(());
    }
    match keyring(connection, account).await? {
        Some(stored) if stored.number == new.number && stored.sealed == new.sealed => Ok(()),
        Some(_) => Err(StorageError::Conflict),
        None => Err(StorageError::NotFound),
    }
}
