//! What SQLite does in another way than PostgreSQL: it has no arrays, and a statement costs it no
//! round trip over a network. What comes with every message goes in pieces, the rest row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chat_core::codec::to_bytes;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::prekey::OneTimePrekey;
use chat_core::time::Timestamp;
use sqlx::{QueryBuilder, Sqlite, query, query_as, query_scalar};

use super::super::row::{
    ActiveRow, BacklogRow, PlaceOf, Read, SessionRow, backlog as read_backlog, expired, signed,
};
use super::{Connection, Store};
use crate::storage::{Acknowledgement, Backlog, Expired, Session, StorageError};

pub(super) use super::append::append;
use super::append::pieces;

pub(super) async fn acknowledge(
    connection: &mut Connection,
    acknowledged: &[Acknowledgement],
) -> Result<(), StorageError> {
    for acknowledged in pieces(acknowledged) {
        let mut sql =
            QueryBuilder::<Sqlite>::new("WITH input (account, device, conversation, up_to) AS (");
        sql.push_values(acknowledged, |mut row, acknowledged| {
            let Acknowledgement { address, conversation, up_to } = acknowledged;
            row.push_bind(address.account.as_bytes().as_slice());
            row.push_bind(address.device.as_bytes().as_slice());
            row.push_bind(conversation.as_bytes().as_slice());
            row.push_bind(signed(*up_to));
        });
        sql.push(
            ") INSERT INTO cursors (account, device, conversation, up_to) \
             SELECT d.account, d.device, c.id, min(i.up_to, c.last) \
             FROM input i \
                 CROSS JOIN devices d ON d.account = i.account AND d.device = i.device \
                 CROSS JOIN conversations c ON c.id = i.conversation \
             WHERE d.removed_at IS NULL \
               AND EXISTS (SELECT 1 FROM stays s \
                   WHERE s.conversation = c.id AND s.account = d.account) \
             ON CONFLICT (account, device, conversation) DO UPDATE \
             SET up_to = excluded.up_to WHERE cursors.up_to < excluded.up_to",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn backlog(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<Backlog>, StorageError> {
    let mut backlog = Vec::new();
    for address in devices {
        let rows: Vec<BacklogRow> = query_as(
            "SELECT d.account, d.device, s.conversation, \
                 min(max(coalesce(k.up_to, 0), s.first_sequence - 1)), \
                 max(coalesce(s.last_sequence, c.last)) \
             FROM devices d JOIN stays s ON s.account = d.account \
             JOIN conversations c ON c.id = s.conversation \
             LEFT JOIN cursors k ON k.account = d.account AND k.device = d.device \
                 AND k.conversation = s.conversation \
             WHERE d.account = $1 AND d.device = $2 AND d.removed_at IS NULL \
               AND max(coalesce(k.up_to, 0), s.first_sequence - 1) \
                   < coalesce(s.last_sequence, c.last) \
             GROUP BY d.account, d.device, s.conversation ORDER BY s.conversation",
        )
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            backlog.push(read_backlog(row)?);
        }
    }
    Ok(backlog)
}

pub(super) async fn session_states(
    connection: &mut Connection,
    sessions: &[Session],
) -> Result<Vec<SessionRow>, StorageError> {
    let mut rows = Vec::with_capacity(sessions.len());
    for Session { address, family } in sessions {
        let row: Option<(Option<i64>, Option<bool>, Option<i64>)> = query_as(
            "SELECT d.removed_at, f.is_revoked <> 0, m.state FROM devices d \
             LEFT JOIN refresh_families f ON f.id = $3 AND f.account = d.account \
                 AND f.device = d.device \
             LEFT JOIN workspace_members m ON m.account = d.account \
             WHERE d.account = $1 AND d.device = $2",
        )
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .bind(family.as_bytes().as_slice())
        .fetch_optional(&mut *connection)
        .await?;
        rows.push(match row {
            Some((removed_at, is_revoked, state)) => (removed_at, true, is_revoked, state),
            None => (None, false, None, None),
        });
    }
    Ok(rows)
}

/// Everything stands in one table.
pub(super) const HAS_PARTITIONS: bool = false;

#[expect(clippy::unused_async, reason = "the other backend has something to do")]
pub(super) async fn tend_partitions(
    _: &Store,
    _: Option<Duration>,
    _: Option<&Path>,
    _: Timestamp,
) -> Result<u64, StorageError> {
    Ok(0)
}

/// Whoever has the file is alone.
pub(super) const IS_SHARED: bool = false;

/// There is one connection to write on; what waits for it is better one batch than two.
pub(super) const APPENDERS: usize = 1;

/// Where a message stands, or stood, and whose it is.
pub(super) async fn place_of(
    connection: &mut Connection,
    conversation: ConversationId,
    message: MessageId,
) -> Result<Option<PlaceOf>, StorageError> {
    let found: Option<(i64, i64, Vec<u8>, Vec<u8>)> = query_as(
        "SELECT sequence, received_at, sender_account, sender_device FROM messages \
         WHERE conversation = $1 AND message = $2",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(message.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    found.map(PlaceOf::read).transpose()
}

pub(super) async fn expire_due(
    connection: &mut Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Expired>, StorageError> {
    let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = query_as(
        "UPDATE messages SET header = NULL, commitment = NULL, payload = NULL, wraps = NULL, \
             expires_at = NULL, seen_timer_ms = NULL \
         WHERE rowid IN (SELECT rowid FROM messages WHERE expires_at <= $1 \
             ORDER BY expires_at LIMIT $2) \
         RETURNING conversation, sequence, message",
    )
    .bind(signed(now.as_millis()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    expired(rows)
}

/// Account, number of its list, device, whether it was deleted; one row without a device for an
/// account without any.
pub(super) async fn active_devices(
    connection: &mut Connection,
    accounts: &[AccountId],
) -> Result<Vec<ActiveRow>, StorageError> {
    let mut found = Vec::new();
    for account in accounts {
        let rows: Vec<ActiveRow> = query_as(
            "SELECT a.id, a.device_list_number, d.device, a.deleted_at IS NOT NULL FROM accounts a \
             LEFT JOIN devices d ON d.account = a.id AND d.removed_at IS NULL WHERE a.id = $1",
        )
        .bind(account.as_bytes().as_slice())
        .fetch_all(&mut *connection)
        .await?;
        found.extend(rows);
    }
    Ok(found)
}

pub(super) async fn insert_one_time(
    connection: &mut Connection,
    address: DeviceAddress,
    prekeys: &[OneTimePrekey],
) -> Result<(), StorageError> {
    for prekey in prekeys {
        query(
            "INSERT INTO one_time_prekeys (account, device, place, prekey) VALUES ($1, $2, $3, $4)",
        )
        .bind(address.account.as_bytes().as_slice())
        .bind(address.device.as_bytes().as_slice())
        .bind(i64::from(prekey.index))
        .bind(to_bytes(prekey))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Account, device and signed set.
pub(super) async fn hold_prekey_sets(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, StorageError> {
    let sql = "SELECT account, device, signed FROM prekey_sets WHERE account = $1 AND device = $2";
    for_each_device(connection, devices, sql).await
}

/// Account, device and one-time prekey; each is gone with this.
pub(super) async fn spend_one_time(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, StorageError> {
    let sql = "DELETE FROM one_time_prekeys WHERE account = $1 AND device = $2 AND place = \
                   (SELECT min(place) FROM one_time_prekeys WHERE account = $1 AND device = $2) \
               RETURNING account, device, prekey";
    for_each_device(connection, devices, sql).await
}

async fn for_each_device(
    connection: &mut Connection,
    devices: &[DeviceAddress],
    sql: &'static str,
) -> Result<Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, StorageError> {
    let mut rows = Vec::with_capacity(devices.len());
    for address in devices {
        let found = query_as(sql)
            .bind(address.account.as_bytes().as_slice())
            .bind(address.device.as_bytes().as_slice())
            .fetch_all(&mut *connection)
            .await?;
        rows.extend(found);
    }
    Ok(rows)
}

pub(super) async fn insert_stays(
    connection: &mut Connection,
    conversation: ConversationId,
    accounts: &[AccountId],
    joined_index: u64,
    read: Read,
) -> Result<(), StorageError> {
    for account in accounts {
        // SECURITY: nothing crosses a workspace, whoever has signed that it should.
        let inserted = query(
            "INSERT INTO stays \
                 (conversation, account, joined_index, first_sequence, came_at_sequence) \
             SELECT c.id, a.id, $3, $4, $5 FROM conversations c \
             JOIN accounts a ON a.workspace = c.workspace \
             WHERE c.id = $1 AND a.id = $2 AND a.deleted_at IS NULL",
        )
        .bind(conversation.as_bytes().as_slice())
        .bind(account.as_bytes().as_slice())
        .bind(signed(joined_index))
        .bind(signed(read.from))
        .bind(signed(read.came_at))
        .execute(&mut *connection)
        .await?;
        if inserted.rows_affected() != 1 {
            return Err(StorageError::NotFound);
        }
    }
    Ok(())
}

/// Which of these messages name blobs: conversation and sequence.
pub(super) async fn naming(
    connection: &mut Connection,
    messages: &[Expired],
) -> Result<Vec<(Vec<u8>, i64)>, StorageError> {
    let mut ranges: BTreeMap<ConversationId, BTreeSet<i64>> = BTreeMap::new();
    for message in messages {
        ranges.entry(message.conversation).or_default().insert(signed(message.sequence));
    }
    let mut naming = Vec::new();
    for (conversation, sequences) in ranges {
        let found: Vec<i64> = query_scalar(
            "SELECT DISTINCT number FROM blob_uses \
             WHERE kind = 1 AND owner = $1 AND number >= $2 AND number <= $3",
        )
        .bind(conversation.as_bytes().as_slice())
        .bind(sequences.first().copied().unwrap_or_default())
        .bind(sequences.last().copied().unwrap_or_default())
        .fetch_all(&mut *connection)
        .await?;
        let ours = found.into_iter().filter(|number| sequences.contains(number));
        naming.extend(ours.map(|number| (conversation.as_bytes().to_vec(), number)));
    }
    Ok(naming)
}
