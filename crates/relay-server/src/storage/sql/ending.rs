//! What goes when an account is deleted, and what stays.
//!
//! ```text
//!  goes    password record, recovery key, keyring, backup, prekeys, sessions, cursors, receipts,
//!          push targets, when it was last there, the name (after a time)
//!  ends    blobs (nothing names them any more), devices (removed), stays (as if it had left),
//!          messages where a policy says so (due)
//!  stays   identity key, device list, envelope keys: public, and what its signatures are checked by
//! ```

use std::collections::BTreeSet;

use chat_core::api::workspaces::AccountState;
use chat_core::codec::from_bytes;
use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::{Departed, Membership};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::naming::{self, Namer};
use super::row::{fixed, signed};
use super::{Connection, StorageError, blobs, conversations, receipts, workspaces};
use crate::storage::{AccountErased, Standing};

/// What is taken from a deleted account in one statement each; `$1` is the account.
const TAKEN: [&str; 11] = [
    "DELETE FROM refresh_tokens WHERE family IN \
         (SELECT id FROM refresh_families WHERE account = $1)",
    "DELETE FROM refresh_families WHERE account = $1",
    "DELETE FROM prekey_sets WHERE account = $1",
    "DELETE FROM one_time_prekeys WHERE account = $1",
    "DELETE FROM cursors WHERE account = $1",
    "DELETE FROM receipts WHERE account = $1",
    "DELETE FROM backup_heads WHERE account = $1",
    "DELETE FROM push_targets WHERE account = $1",
    "DELETE FROM push_queue WHERE account = $1",
    "DELETE FROM last_seen WHERE account = $1",
    "DELETE FROM recovery_keys WHERE account = $1",
];

pub(super) async fn delete(
    connection: &mut Connection,
    account: AccountId,
    expected: Standing,
    name_free_at: Timestamp,
    now: Timestamp,
) -> Result<AccountErased, StorageError> {
    // Whoever adds somebody holds the conversation and asks for the account: so do we.
    for conversation in conversations_of(connection, account).await? {
        receipts::lock(connection, conversation).await?;
    }
    let row: Option<(String, Option<i64>)> =
        query_as(concat!("SELECT username, deleted_at FROM accounts WHERE id = $1", for_update!()))
            .bind(account.as_bytes().as_slice())
            .fetch_optional(&mut *connection)
            .await?;
    let (username, deleted_at) = row.ok_or(StorageError::NotFound)?;
    if deleted_at.is_some() {
        return Ok(AccountErased::default());
    }
    let gone = Standing { state: AccountState::Gone, ..expected };
    workspaces::set(connection, account, expected, gone).await?;
    let acquaintances = conversations::acquaintances(connection, account).await?;
    reserve(connection, &username, name_free_at).await?;
    leave_a_tombstone(connection, account, now).await?;
    for sql in TAKEN {
        query(sql).bind(account.as_bytes().as_slice()).execute(&mut *connection).await?;
    }
    for namer in [Namer::Segment, Namer::Account] {
        naming::let_go(connection, namer, account.as_bytes(), (0, u64::MAX), now).await?;
    }
    blobs::abandon(connection, account, now).await?;
    let conversations = conversations_of(connection, account).await?;
    for conversation in &conversations {
        end_stay(connection, account, *conversation, now).await?;
    }
    Ok(AccountErased { conversations, acquaintances })
}

async fn reserve(
    connection: &mut Connection,
    username: &str,
    until: Timestamp,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO reserved_names (name, until) VALUES (lower($1), $2) \
         ON CONFLICT (name) DO UPDATE SET until = excluded.until",
    )
    .bind(username)
    .bind(signed(until.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

/// A name that is none takes the place of the name, so that it can be given again.
async fn leave_a_tombstone(
    connection: &mut Connection,
    account: AccountId,
    now: Timestamp,
) -> Result<(), StorageError> {
    query(
        "UPDATE accounts SET username = $2, opaque_record = $3, keyring = $3, deleted_at = $4 \
         WHERE id = $1",
    )
    .bind(account.as_bytes().as_slice())
    .bind(format!("~{account}"))
    .bind(Vec::<u8>::new())
    .bind(signed(now.as_millis()))
    .execute(&mut *connection)
    .await?;
    query("UPDATE devices SET removed_at = $2 WHERE account = $1 AND removed_at IS NULL")
        .bind(account.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(connection)
        .await?;
    Ok(())
}

/// The conversations it is or was in, in the order of their ids, as everybody locks them.
async fn conversations_of(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<ConversationId>, StorageError> {
    let found: Vec<Vec<u8>> =
        query_scalar("SELECT DISTINCT conversation FROM stays WHERE account = $1")
            .bind(account.as_bytes().as_slice())
            .fetch_all(&mut *connection)
            .await?;
    let all: BTreeSet<_> = found.iter().map(|id| fixed(id)).collect::<Result<_, StorageError>>()?;
    Ok(all.into_iter().collect())
}

async fn end_stay(
    connection: &mut Connection,
    account: AccountId,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let (index, last): (i64, i64) = query_as(concat!(
        "SELECT head_index, last FROM conversations WHERE id = $1",
        for_update!()
    ))
    .bind(conversation.as_bytes().as_slice())
    .fetch_one(&mut *connection)
    .await?;
    query(
        "UPDATE stays SET left_index = $3, last_sequence = $4 \
         WHERE conversation = $1 AND account = $2 AND last_sequence IS NULL",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(account.as_bytes().as_slice())
    .bind(index)
    .bind(last)
    .execute(&mut *connection)
    .await?;
    let state: Vec<u8> = query_scalar("SELECT state FROM memberships WHERE conversation = $1")
        .bind(conversation.as_bytes().as_slice())
        .fetch_one(&mut *connection)
        .await?;
    let membership: Membership = from_bytes(&state)?;
    if membership.policy().departed == Departed::Erase {
        query(
            "UPDATE messages SET expires_at = $3 WHERE conversation = $1 AND sender_account = $2 \
             AND header IS NOT NULL AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(conversation.as_bytes().as_slice())
        .bind(account.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    }
    receipts::start_timers(connection, conversation, now).await
}
