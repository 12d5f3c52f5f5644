//! When somebody was last there, and who may know.

use async_trait::async_trait;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::presence::Availability;
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{fixed, signed, unsigned};
use super::{Connection, StorageError, Store};
use crate::presence::circle::Gone;
use crate::storage::presence::{LastSeen, PresenceStorage};

#[async_trait]
impl PresenceStorage for Store {
    async fn acquaintances_in(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
    ) -> Result<Vec<AccountId>, StorageError> {
        read!(self, acquaintances_in(account, workspace))
    }

    async fn put_last_seen(&self, gone: &[Gone]) -> Result<(), StorageError> {
        write!(self, |transaction| {
            // One order on all nodes, so that two never wait for each other.
            let mut gone: Vec<&Gone> = gone.iter().collect();
            gone.sort_by_key(|one| one.account);
            for one in gone {
                put(&mut transaction, one).await?;
            }
            Ok(())
        })
    }

    async fn last_seen(&self, accounts: &[AccountId]) -> Result<Vec<LastSeen>, StorageError> {
        read!(self, |connection| {
            let mut found = Vec::new();
            for account in accounts {
                found.extend(of(&mut connection, *account).await?);
            }
            found.sort_unstable();
            Ok(found)
        })
    }

    async fn forget_last_seen(
        &self,
        account: AccountId,
        workspace: Option<WorkspaceId>,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            query("DELETE FROM last_seen WHERE account = $1 AND ($2 IS NULL OR workspace = $2)")
                .bind(account.as_bytes().as_slice())
                .bind(workspace.map(|workspace| workspace.as_bytes().to_vec()))
                .execute(&mut *transaction)
                .await?;
            Ok(())
        })
    }
}

async fn acquaintances_in(
    connection: &mut Connection,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<Vec<AccountId>, StorageError> {
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT DISTINCT theirs.account FROM stays ours \
         JOIN conversations c ON c.id = ours.conversation AND c.workspace = $2 \
         JOIN stays theirs ON theirs.conversation = ours.conversation \
         WHERE ours.account = $1 AND theirs.account <> $1 \
           AND ours.last_sequence IS NULL AND theirs.last_sequence IS NULL \
         ORDER BY theirs.account",
    )
    .bind(account.as_bytes().as_slice())
    .bind(workspace.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    found.iter().map(|account| fixed(account)).collect()
}

async fn put(connection: &mut Connection, gone: &Gone) -> Result<(), StorageError> {
    // Of whoever was deleted nothing is kept, though its last connection ends after it.
    let workspaces: Vec<Vec<u8>> = query_scalar(
        "SELECT workspace FROM workspace_members WHERE account = $1 AND state <> 3 \
         ORDER BY workspace",
    )
    .bind(gone.account.as_bytes().as_slice())
    .fetch_all(&mut *connection)
    .await?;
    for workspace in workspaces {
        if gone.word.in_workspace(fixed(&workspace)?) == Availability::Hidden {
            continue;
        }
        query(
            "INSERT INTO last_seen (account, workspace, at) VALUES ($1, $2, $3) \
             ON CONFLICT (account, workspace) DO UPDATE SET at = excluded.at \
             WHERE last_seen.at < excluded.at",
        )
        .bind(gone.account.as_bytes().as_slice())
        .bind(workspace)
        .bind(signed(gone.at.as_millis()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn of(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<LastSeen>, StorageError> {
    let rows: Vec<(Vec<u8>, i64)> =
        query_as("SELECT workspace, at FROM last_seen WHERE account = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    rows.into_iter()
        .map(|(workspace, at)| {
            let at = Timestamp::from_millis(unsigned(at)?);
            Ok(LastSeen { account, workspace: fixed(&workspace)?, at })
        })
        .collect()
}
