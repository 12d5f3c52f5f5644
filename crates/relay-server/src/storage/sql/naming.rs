//! What names a blob keeps it: messages, segments of backups, and accounts themselves.
//!
//! Who names a blob shares its row; who lets go of one, or collects, holds it. So a blob is never
//! collected under the hands of somebody who has just named it. Rows are locked in the order of
//! their ids.

use std::collections::BTreeSet;

use chat_core::codec::Digest;
use chat_core::id::{AccountId, BlobId};
use chat_core::time::Timestamp;
use sqlx::{query, query_scalar};

use super::row::{fixed, signed, unsigned};
use super::{Connection, StorageError, batch};
use crate::storage::{AppendError, Appended, Expired, Freshness, NewMessage};

/// What names a blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Namer {
    /// A message: its conversation, its sequence.
    Message = 1,
    /// A segment of a backup: its account, its number.
    Segment = 2,
    /// An account: itself, a place in its list.
    Account = 3,
}

impl Namer {
    const fn column(self) -> i64 {
        self as i64
    }
}

/// Appends messages, and names the blobs that they name.
///
/// One whose blobs are not all there is not stored; if it was stored before, that is found out by
/// trying under a head that no conversation has.
pub(super) async fn append(
    connection: &mut Connection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
    if messages.iter().all(|message| message.blobs.is_empty()) {
        return batch::append(connection, messages, now).await;
    }
    let wanted: BTreeSet<_> = messages.iter().flat_map(|message| &message.blobs).copied().collect();
    let mut there = BTreeSet::new();
    for blob in wanted {
        if let Some(workspace) = share(connection, blob).await? {
            there.insert((blob, workspace));
        }
    }
    let mut tried = messages.to_vec();
    let mut is_complete = Vec::with_capacity(tried.len());
    for message in &mut tried {
        if message.blobs.is_empty() {
            is_complete.push(true);
            continue;
        }
        let workspace = workspace_of(connection, message).await?;
        let has = |blob: &BlobId| there.contains(&(*blob, workspace.clone()));
        let complete = message.blobs.iter().all(has);
        if !complete {
            message.header.membership_index = u64::MAX;
            message.header.membership_head = Digest::ZERO;
        }
        is_complete.push(complete);
    }
    let mut outcomes = batch::append(connection, &tried, now).await?;
    for ((message, outcome), complete) in messages.iter().zip(&mut outcomes).zip(is_complete) {
        match outcome {
            Ok(appended) if appended.freshness == Freshness::New => {
                let owner = message.header.conversation;
                for blob in message.blobs.iter().collect::<BTreeSet<_>>() {
                    let (namer, owner) = (Namer::Message, owner.as_bytes());
                    name(connection, namer, owner, appended.sequence, *blob).await?;
                }
            }
            Err(AppendError::StaleMembership) if !complete => {
                *outcome = Err(AppendError::BlobMissing);
            }
            _ => {}
        }
    }
    Ok(outcomes)
}

/// Shares the row of a blob that is complete; returns its workspace.
pub(super) async fn share(
    connection: &mut Connection,
    blob: BlobId,
) -> Result<Option<Vec<u8>>, StorageError> {
    let sql = concat!("SELECT workspace FROM blobs WHERE id = $1 AND stored = bytes", for_share!());
    Ok(query_scalar(sql).bind(blob.as_bytes().as_slice()).fetch_optional(connection).await?)
}

async fn workspace_of(
    connection: &mut Connection,
    message: &NewMessage,
) -> Result<Vec<u8>, StorageError> {
    let found: Option<Vec<u8>> = query_scalar("SELECT workspace FROM conversations WHERE id = $1")
        .bind(message.header.conversation.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(found.unwrap_or_default())
}

/// Names a blob whose row is shared.
pub(super) async fn name(
    connection: &mut Connection,
    namer: Namer,
    owner: &[u8; 16],
    number: u64,
    blob: BlobId,
) -> Result<(), StorageError> {
    query(
        "INSERT INTO blob_uses (kind, owner, number, blob) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(namer.column())
    .bind(owner.as_slice())
    .bind(signed(number))
    .bind(blob.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets go of what `owner` names under the numbers from `first` to `last`; what nothing names then
/// is due at once.
pub(super) async fn let_go(
    connection: &mut Connection,
    namer: Namer,
    owner: &[u8],
    (first, last): (u64, u64),
    now: Timestamp,
) -> Result<(), StorageError> {
    let named: Vec<Vec<u8>> = query_scalar(
        "SELECT DISTINCT blob FROM blob_uses \
         WHERE kind = $1 AND owner = $2 AND number >= $3 AND number <= $4 ORDER BY blob",
    )
    .bind(namer.column())
    .bind(owner)
    .bind(signed(first))
    .bind(signed(last))
    .fetch_all(&mut *connection)
    .await?;
    for blob in &named {
        // Held, so that of two who let go at once the second sees what the first did.
        let _: Option<i64> =
            query_scalar(concat!("SELECT stored FROM blobs WHERE id = $1", for_update!()))
                .bind(blob)
                .fetch_optional(&mut *connection)
                .await?;
    }
    query("DELETE FROM blob_uses WHERE kind = $1 AND owner = $2 AND number >= $3 AND number <= $4")
        .bind(namer.column())
        .bind(owner)
        .bind(signed(first))
        .bind(signed(last))
        .execute(&mut *connection)
        .await?;
    for blob in named {
        query(
            "UPDATE blobs SET collect_at = $2 WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE blob = $1)",
        )
        .bind(blob)
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Erases messages that are due, and lets go of their blobs.
pub(super) async fn expire_due(
    connection: &mut Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Expired>, StorageError> {
    let expired = batch::expire_due(connection, now, limit).await?;
    messages_gone(connection, &expired, now).await?;
    Ok(expired)
}

/// Lets go of what messages named that are gone. Whoever erases messages calls this in the same
/// transaction.
pub(super) async fn messages_gone(
    connection: &mut Connection,
    gone: &[Expired],
    now: Timestamp,
) -> Result<(), StorageError> {
    for (conversation, sequence) in batch::naming(connection, gone).await? {
        let number = unsigned(sequence)?;
        let (namer, numbers) = (Namer::Message, (number, number));
        let_go(connection, namer, &conversation, numbers, now).await?;
    }
    Ok(())
}

/// Replaces the list of blobs that an account keeps by itself.
pub(super) async fn keep(
    connection: &mut Connection,
    account: AccountId,
    blobs: &[BlobId],
    now: Timestamp,
) -> Result<(), StorageError> {
    let (namer, owner) = (Namer::Account, account.as_bytes());
    // Devices that replace the list at once do so one after the other.
    let _: Option<i64> =
        query_scalar(concat!("SELECT created_at FROM accounts WHERE id = $1", for_update!()))
            .bind(owner.as_slice())
            .fetch_optional(&mut *connection)
            .await?;
    let_go(connection, namer, owner, (0, u64::MAX), now).await?;
    for (place, blob) in (0..).zip(blobs) {
        share_own(connection, account, *blob).await?;
        name(connection, namer, owner, place, *blob).await?;
    }
    Ok(())
}

/// Shares the row of a complete blob of the account's own.
pub(super) async fn share_own(
    connection: &mut Connection,
    account: AccountId,
    blob: BlobId,
) -> Result<(), StorageError> {
    let found: Option<i64> = query_scalar(concat!(
        "SELECT bytes FROM blobs WHERE id = $1 AND uploader = $2 AND stored = bytes",
        for_share!()
    ))
    .bind(blob.as_bytes().as_slice())
    .bind(account.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    found.map(|_| ()).ok_or(StorageError::BlobMissing)
}

/// The list of blobs that an account keeps by itself.
pub(super) async fn kept(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<BlobId>, StorageError> {
    let rows: Vec<Vec<u8>> =
        query_scalar("SELECT blob FROM blob_uses WHERE kind = $1 AND owner = $2 ORDER BY number")
            .bind(Namer::Account.column())
            .bind(account.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    rows.iter().map(|blob| fixed(blob)).collect()
}
