//! Workspaces, their members and roles, and the sessions of an account.

use chat_core::api::workspaces::{AccountState, MemberPage, WorkspaceMember, WorkspaceRole};
use chat_core::codec::List;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::limits::PAGE_MAX;
use chat_core::time::Timestamp;
use sqlx::{query, query_as};

use super::row::{fixed, one_more, role, role_number, signed, state, state_number, unsigned};
use super::{Connection, StorageError};
use crate::storage::{FamilyId, SessionRecord, Standing, WorkspaceRecord};

/// What a workspace is called that was given no name.
const DEFAULT_NAME: &str = "default";

pub(super) async fn create(
    connection: &mut Connection,
    workspace: WorkspaceId,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO workspaces (id, is_default, created_at, name) VALUES ($1, 0, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .bind(name)
    .execute(&mut *connection)
    .await?;
    match by_id(connection, workspace).await? {
        Some(stored) if stored.name == name => Ok(()),
        _ => Err(StorageError::AlreadyExists),
    }
}

type WorkspaceRow = (Vec<u8>, Option<String>, i64, i64, i64);

const WORKSPACE_COLUMNS: &str = "SELECT w.id, w.name, w.is_default, w.created_at, \
     (SELECT count(*) FROM workspace_members m WHERE m.workspace = w.id AND m.state <> 3) \
     FROM workspaces w ";

fn workspace(row: WorkspaceRow) -> Result<WorkspaceRecord, StorageError> {
    let (id, name, is_default, created_at, accounts) = row;
    Ok(WorkspaceRecord {
        workspace: fixed(&id)?,
        name: name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        is_default: is_default == 1,
        accounts: unsigned(accounts)?,
        created_at: Timestamp::from_millis(unsigned(created_at)?),
    })
}

pub(super) async fn by_id(
    connection: &mut Connection,
    id: WorkspaceId,
) -> Result<Option<WorkspaceRecord>, StorageError> {
    let sql = sqlx::AssertSqlSafe(format!("{WORKSPACE_COLUMNS} WHERE w.id = $1"));
    let found: Option<WorkspaceRow> =
        query_as(sql).bind(id.as_bytes().as_slice()).fetch_optional(connection).await?;
    found.map(workspace).transpose()
}

pub(super) async fn all(
    connection: &mut Connection,
    after: Option<WorkspaceId>,
    limit: usize,
) -> Result<Vec<WorkspaceRecord>, StorageError> {
    let sql = format!("{WORKSPACE_COLUMNS} WHERE w.id > $1 ORDER BY w.id LIMIT $2");
    let found: Vec<WorkspaceRow> = query_as(sqlx::AssertSqlSafe(sql))
        .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    found.into_iter().map(workspace).collect()
}

pub(super) async fn standing(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Option<Standing>, StorageError> {
    let found: Option<(Vec<u8>, i64, i64)> =
        query_as("SELECT workspace, role, state FROM workspace_members WHERE account = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let standing = |(workspace, of, at): (Vec<u8>, i64, i64)| {
        Ok(Standing { workspace: fixed(&workspace)?, role: role(of)?, state: state(at)? })
    };
    found.map(standing).transpose()
}

pub(super) async fn members(
    connection: &mut Connection,
    workspace: WorkspaceId,
    after: Option<AccountId>,
    limit: usize,
) -> Result<MemberPage, StorageError> {
    let limit = limit.min(PAGE_MAX);
    let mut found: Vec<(Vec<u8>, String, i64, i64, i64)> = query_as(
        "SELECT m.account, a.username, m.role, m.state, m.joined_at \
         FROM workspace_members m JOIN accounts a ON a.id = m.account \
         WHERE m.workspace = $1 AND m.account > $2 AND m.state <> 3 \
         ORDER BY m.account LIMIT $3",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(after.map(|id| id.as_bytes().to_vec()).unwrap_or_default())
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let members = found.into_iter().map(|(account, username, of, at, joined_at)| {
        Ok(WorkspaceMember {
            account: fixed(&account)?,
            username,
            role: role(of)?,
            state: state(at)?,
            joined_at: Timestamp::from_millis(unsigned(joined_at)?),
        })
    });
    let members = List::new(members.collect::<Result<_, StorageError>>()?)?;
    Ok(MemberPage { members, more })
}

pub(super) async fn set_role(
    connection: &mut Connection,
    account: AccountId,
    expected: Standing,
    role: WorkspaceRole,
) -> Result<(), StorageError> {
    set(connection, account, expected, Standing { role, ..expected }).await
}

pub(super) async fn set_state(
    connection: &mut Connection,
    account: AccountId,
    expected: Standing,
    state: AccountState,
) -> Result<(), StorageError> {
    set(connection, account, expected, Standing { state, ..expected }).await?;
    match state {
        AccountState::Active => Ok(()),
        AccountState::Suspended | AccountState::Gone => revoke_account(connection, account).await,
    }
}

/// Lets a member stand as `wanted`, if it stands as `expected` and somebody is left to decide.
pub(super) async fn set(
    connection: &mut Connection,
    account: AccountId,
    expected: Standing,
    wanted: Standing,
) -> Result<(), StorageError> {
    // Two owners who step down at once must not each count the other.
    query(concat!("SELECT created_at FROM workspaces WHERE id = $1", for_update!()))
        .bind(expected.workspace.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
    let updated = query(
        "UPDATE workspace_members SET role = $5, state = $6 \
         WHERE workspace = $1 AND account = $2 AND role = $3 AND state = $4",
    )
    .bind(expected.workspace.as_bytes().as_slice())
    .bind(account.as_bytes().as_slice())
    .bind(role_number(expected.role))
    .bind(state_number(expected.state))
    .bind(role_number(wanted.role))
    .bind(state_number(wanted.state))
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() != 1 {
        return Err(StorageError::Conflict);
    }
    let owned = |standing: Standing| {
        standing.role == WorkspaceRole::Owner && standing.state == AccountState::Active
    };
    if owned(expected) && !owned(wanted) {
        check_owner(connection, expected.workspace).await
    } else {
        Ok(())
    }
}

/// Fails if there are members and none of them is an owner who may act.
async fn check_owner(
    connection: &mut Connection,
    workspace: WorkspaceId,
) -> Result<(), StorageError> {
    let (owners, members): (i64, i64) = query_as(
        "SELECT (SELECT count(*) FROM workspace_members \
                 WHERE workspace = $1 AND role = 4 AND state = 1), \
                (SELECT count(*) FROM workspace_members WHERE workspace = $1 AND state <> 3)",
    )
    .bind(workspace.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    if owners == 0 && members > 0 { Err(StorageError::LastOwner) } else { Ok(()) }
}

pub(super) async fn sessions(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<SessionRecord>, StorageError> {
    let found: Vec<(Vec<u8>, Vec<u8>, i64, i64)> = query_as(
        "SELECT device, id, begun_at, used_at FROM refresh_families \
         WHERE account = $1 AND is_revoked = 0 ORDER BY used_at DESC, id",
    )
    .bind(account.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    let session = |(device, family, begun_at, used_at): (Vec<u8>, Vec<u8>, i64, i64)| {
        Ok(SessionRecord {
            device: fixed(&device)?,
            family: FamilyId::from_bytes(fixed(&family)?),
            begun_at: Timestamp::from_millis(unsigned(begun_at)?),
            used_at: Timestamp::from_millis(unsigned(used_at)?),
        })
    };
    found.into_iter().map(session).collect()
}

pub(super) async fn revoke_account(
    connection: &mut Connection,
    account: AccountId,
) -> Result<(), StorageError> {
    query("UPDATE refresh_families SET is_revoked = 1 WHERE account = $1")
        .bind(account.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}
