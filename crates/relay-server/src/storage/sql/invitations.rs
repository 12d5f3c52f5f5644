//! Invitations: kept by the hash of their token, spent one use at a time.

use chat_core::api::workspaces::{Invitation, InvitationPage, WorkspaceRole};
use chat_core::codec::{Digest, List};
use chat_core::id::{InvitationId, WorkspaceId};
use chat_core::limits::PAGE_MAX;
use chat_core::time::Timestamp;
use sqlx::{query, query_as};

use super::row::{fixed, one_more, role, role_number, signed, unsigned};
use super::{Connection, StorageError};
use crate::storage::InvitationRecord;

pub(super) async fn add_invitation(
    connection: &mut Connection,
    record: &InvitationRecord,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Invitation { invitation, role, uses_left, expires_at, issued_by } = record.invitation;
    query(
        "INSERT INTO invitations \
             (id, workspace, hash, role, uses_left, issued_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    )
    .bind(invitation.as_bytes().as_slice())
    .bind(record.workspace.as_bytes().as_slice())
    .bind(record.hash.as_bytes().as_slice())
    .bind(role_number(role))
    .bind(i64::from(uses_left))
    .bind(issued_by.map(|account| account.as_bytes().to_vec()))
    .bind(signed(now.as_millis()))
    .bind(signed(expires_at.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

type InvitationRow = (Vec<u8>, Vec<u8>, i64, i64, i64, Option<Vec<u8>>);

fn read_invitation(row: InvitationRow) -> Result<(WorkspaceId, Invitation), StorageError> {
    let (id, workspace, of, uses_left, expires_at, issued_by) = row;
    let invitation = Invitation {
        invitation: fixed(&id)?,
        role: role(of)?,
        uses_left: u32::try_from(uses_left).map_err(|_| StorageError::Corrupt)?,
        expires_at: Timestamp::from_millis(unsigned(expires_at)?),
        issued_by: issued_by.as_deref().map(fixed).transpose()?,
    };
    Ok((fixed(&workspace)?, invitation))
}

pub(super) async fn invitation(
    connection: &mut Connection,
    hash: Digest,
    now: Timestamp,
) -> Result<Option<(WorkspaceId, Invitation)>, StorageError> {
    let found: Option<InvitationRow> = query_as(
        "SELECT id, workspace, role, uses_left, expires_at, issued_by FROM invitations \
         WHERE hash = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL",
    )
    .bind(hash.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .fetch_optional(connection)
    .await?;
    found.map(read_invitation).transpose()
}

pub(super) async fn invitations(
    connection: &mut Connection,
    workspace: WorkspaceId,
    after: Option<InvitationId>,
    limit: usize,
    now: Timestamp,
) -> Result<InvitationPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    let mut found: Vec<InvitationRow> = query_as(
        "SELECT id, workspace, role, uses_left, expires_at, issued_by FROM invitations \
         WHERE workspace = $1 AND id > $2 AND uses_left > 0 AND expires_at > $3 \
           AND revoked_at IS NULL ORDER BY id LIMIT $4",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
    .bind(signed(now.as_millis()))
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let read = |row| Ok(read_invitation(row)?.1);
    let invitations = found.into_iter().map(read).collect::<Result<_, StorageError>>()?;
    Ok(InvitationPage { invitations: List::new(invitations)?, more })
}

pub(super) async fn revoke_invitation(
    connection: &mut Connection,
    workspace: WorkspaceId,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let updated = query(
        "UPDATE invitations SET revoked_at = coalesce(revoked_at, $3) \
         WHERE workspace = $1 AND id = $2",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(invitation.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .execute(connection)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(StorageError::NotFound) }
}

/// Spends one use; of many who want the last one, one gets it.
pub(super) async fn spend_invitation(
    connection: &mut Connection,
    hash: Digest,
    now: Timestamp,
) -> Result<Option<(WorkspaceId, WorkspaceRole)>, StorageError> {
    let spent: Option<(Vec<u8>, i64)> = query_as(
        "UPDATE invitations SET uses_left = uses_left - 1 \
         WHERE hash = $1 AND uses_left > 0 AND expires_at > $2 AND revoked_at IS NULL \
         RETURNING workspace, role",
    )
    .bind(hash.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .fetch_optional(connection)
    .await?;
    spent.map(|(workspace, of)| Ok((fixed(&workspace)?, role(of)?))).transpose()
}

/// Gives back the use that a repeated registration has spent.
pub(super) async fn return_invitation(
    connection: &mut Connection,
    hash: Digest,
) -> Result<(), StorageError> {
    query("UPDATE invitations SET uses_left = uses_left + 1 WHERE hash = $1")
        .bind(hash.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}
