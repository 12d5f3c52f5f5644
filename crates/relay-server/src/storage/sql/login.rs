//! Single-use state, and families of refresh tokens.
//!
//! ```text
//!  token ──spent for──▶ token ──spent for──▶ token         a second spending of any of them
//!    └──────────────── one family ─────────────┘           revokes all of them
//! ```

use std::time::Duration;

use chat_core::api::workspaces::AccountState;
use chat_core::codec::Digest;
use chat_core::id::DeviceAddress;
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};
use zeroize::Zeroizing;

use super::row::{SessionRow, address as read_address, fixed, signed, state as read_state};
use super::{
    Connection, FamilyId, PendingKind, RefreshOutcome, Session, SessionState, StorageError, batch,
    devices,
};

/// The numbers in column `kind`, never given another meaning.
fn number(kind: PendingKind) -> i64 {
    match kind {
        PendingKind::Login => 1,
        PendingKind::Challenge => 2,
        PendingKind::Ticket => 3,
        PendingKind::Recovery => 4,
    }
}

pub(super) async fn put_pending(
    connection: &mut Connection,
    kind: PendingKind,
    key: &[u8],
    state: &[u8],
    expires_at: Timestamp,
) -> Result<(), StorageError> {
    query("INSERT INTO pending (kind, key, state, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(number(kind))
        .bind(key)
        .bind(state)
        .bind(signed(expires_at.as_millis()))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn take_pending(
    connection: &mut Connection,
    kind: PendingKind,
    key: &[u8],
    now: Timestamp,
) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
    let taken: Option<(Vec<u8>, i64)> =
        query_as("DELETE FROM pending WHERE kind = $1 AND key = $2 RETURNING state, expires_at")
            .bind(number(kind))
            .bind(key)
            .fetch_optional(connection)
            .await?;
    Ok(taken
        .map(|(state, expires_at)| (Zeroizing::new(state), expires_at))
        .filter(|(_, expires_at)| *expires_at > signed(now.as_millis()))
        .map(|(state, _)| state))
}

pub(super) async fn insert_refresh(
    connection: &mut Connection,
    family: FamilyId,
    address: DeviceAddress,
    hash: Digest,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StorageError> {
    devices::hold(connection, address).await?;
    query(
        "INSERT INTO refresh_families (id, account, device, begun_at, used_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(family.as_bytes().as_slice())
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .execute(&mut *connection)
    .await?;
    insert_token(connection, family, hash, expires_at).await
}

async fn insert_token(
    connection: &mut Connection,
    family: FamilyId,
    hash: Digest,
    expires_at: Timestamp,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO refresh_tokens (hash, family, expires_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(hash.as_bytes().as_slice())
    .bind(family.as_bytes().as_slice())
    .bind(signed(expires_at.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn session_states(
    connection: &mut Connection,
    sessions: &[Session],
) -> Result<Vec<SessionState>, StorageError> {
    let rows = batch::session_states(connection, sessions).await?;
    rows.into_iter().map(session_state).collect()
}

fn session_state(row: SessionRow) -> Result<SessionState, StorageError> {
    let (removed_at, is_known, is_revoked, state) = row;
    let account = state.map(read_state).transpose()?;
    Ok(match (is_known, removed_at, account) {
        (false, ..) => SessionState::Unknown,
        (true, Some(_), _) | (true, None, Some(AccountState::Gone)) => SessionState::Removed,
        (true, None, Some(AccountState::Suspended)) => SessionState::Suspended,
        // A family of which nothing is left has ended too.
        (true, None, _) if is_revoked == Some(false) => SessionState::Active,
        (true, None, _) => SessionState::Ended,
    })
}

type TokenRow = (Vec<u8>, Vec<u8>, Vec<u8>, i64, Option<Vec<u8>>, Option<i64>, i64);

pub(super) async fn spend_refresh(
    connection: &mut Connection,
    hash: Digest,
    successor: Digest,
    expires_at: Timestamp,
    forgiven: Duration,
    now: Timestamp,
) -> Result<RefreshOutcome, StorageError> {
    let row: Option<TokenRow> = query_as(concat!(
        "SELECT f.id, f.account, f.device, f.is_revoked, t.successor, t.spent_at, \
             t.expires_at \
         FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family WHERE t.hash = $1",
        for_update!()
    ))
    .bind(hash.as_bytes().as_slice())
    .fetch_optional(&mut *connection)
    .await?;
    let Some((family, account, device, is_revoked, spent_for, spent_at, ends_at)) = row else {
        return Ok(RefreshOutcome::Unknown);
    };
    let address = read_address(&account, &device)?;
    let family = FamilyId::from_bytes(fixed(&family)?);
    if is_revoked != 0 {
        return Ok(RefreshOutcome::Expired);
    }
    if let Some(spent_for) = spent_for {
        let is_the_same_call = fixed::<Digest>(&spent_for)? == successor;
        let since = spent_at.map(|spent_at| signed(now.as_millis()).saturating_sub(spent_at));
        let is_forgiven = since.is_some_and(|since| i128::from(since) <= millis(forgiven));
        if is_the_same_call && is_forgiven && is_unspent(connection, successor).await? {
            return Ok(RefreshOutcome::Repeated { address, family });
        }
        revoke_family(connection, family).await?;
        return Ok(RefreshOutcome::Replayed { address, family });
    }
    if ends_at <= signed(now.as_millis()) {
        return Ok(RefreshOutcome::Expired);
    }
    query("UPDATE refresh_tokens SET successor = $2, spent_at = $3 WHERE hash = $1")
        .bind(hash.as_bytes().as_slice())
        .bind(successor.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    query("UPDATE refresh_families SET used_at = $2 WHERE id = $1")
        .bind(family.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    insert_token(connection, family, successor, expires_at).await?;
    Ok(RefreshOutcome::Spent { address, family })
}

fn millis(duration: Duration) -> i128 {
    i128::try_from(duration.as_millis()).unwrap_or(i128::MAX)
}

async fn is_unspent(connection: &mut Connection, hash: Digest) -> Result<bool, StorageError> {
    let successor: Option<Option<Vec<u8>>> =
        query_scalar("SELECT successor FROM refresh_tokens WHERE hash = $1")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    Ok(successor == Some(None))
}

pub(super) async fn revoke_family(
    connection: &mut Connection,
    family: FamilyId,
) -> Result<(), StorageError> {
    query("UPDATE refresh_families SET is_revoked = 1 WHERE id = $1")
        .bind(family.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn revoke_device(
    connection: &mut Connection,
    address: DeviceAddress,
) -> Result<(), StorageError> {
    query("UPDATE refresh_families SET is_revoked = 1 WHERE account = $1 AND device = $2")
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn forget_expired(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<u64, StorageError> {
    let mut forgotten = 0;
    for sql in [
        "DELETE FROM pending WHERE expires_at <= $1",
        "DELETE FROM refresh_tokens WHERE expires_at <= $1",
        "DELETE FROM invitations WHERE expires_at <= $1",
        "DELETE FROM reserved_names WHERE until <= $1",
        "DELETE FROM reports WHERE expires_at <= $1",
    ] {
        let now = signed(now.as_millis());
        forgotten += query(sql).bind(now).execute(&mut *connection).await?.rows_affected();
    }
    query(
        "DELETE FROM refresh_families WHERE NOT EXISTS \
         (SELECT 1 FROM refresh_tokens t WHERE t.family = refresh_families.id)",
    )
    .execute(connection)
    .await?;
    Ok(forgotten)
}
