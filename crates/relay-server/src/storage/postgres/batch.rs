//! What PostgreSQL does in one statement for many rows: a statement costs it a round trip.

use std::path::Path;
use std::time::Duration;

use chat_core::codec::to_bytes;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::prekey::OneTimePrekey;
use chat_core::time::Timestamp;
use sqlx::{query, query_as};

use super::super::row::{
    ActiveRow, BacklogRow, PlaceOf, Read, SessionRow, backlog as read_backlog, expired, signed,
};
use super::{Connection, Store, partitions};
use crate::storage::{Acknowledgement, Backlog, Expired, Session, StorageError};

pub(super) use super::append::append;

pub(super) async fn acknowledge(
    connection: &mut Connection,
    acknowledged: &[Acknowledgement],
) -> Result<(), StorageError> {
    let addresses: Vec<_> = acknowledged.iter().map(|one| one.address).collect();
    let conversations: Vec<&[u8]> =
        acknowledged.iter().map(|one| one.conversation.as_bytes().as_slice()).collect();
    let up_to: Vec<i64> = acknowledged.iter().map(|one| signed(one.up_to)).collect();
    // One row for each cursor, in one order on all nodes.
    query(
        "INSERT INTO cursors (account, device, conversation, up_to) \
         SELECT d.account, d.device, c.id, least(max(n.up_to), max(c.last)) \
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[]) \
             AS n (account, device, conversation, up_to) \
         JOIN devices d ON d.account = n.account AND d.device = n.device AND d.removed_at IS NULL \
         JOIN conversations c ON c.id = n.conversation \
         WHERE EXISTS (SELECT 1 FROM stays s \
             WHERE s.conversation = c.id AND s.account = d.account) \
         GROUP BY d.account, d.device, c.id ORDER BY d.account, d.device, c.id \
         ON CONFLICT (account, device, conversation) DO UPDATE \
         SET up_to = excluded.up_to WHERE cursors.up_to < excluded.up_to",
    )
    .bind(accounts_of(&addresses))
    .bind(devices_of(&addresses))
    .bind(conversations)
    .bind(up_to)
    .execute(connection)
    .await?;
    Ok(())
}

fn accounts_of(addresses: &[DeviceAddress]) -> Vec<&[u8]> {
    addresses.iter().map(|address| address.account.as_bytes().as_slice()).collect()
}

fn devices_of(addresses: &[DeviceAddress]) -> Vec<&[u8]> {
    addresses.iter().map(|address| address.device.as_bytes().as_slice()).collect()
}

pub(super) async fn backlog(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<Backlog>, StorageError> {
    let rows: Vec<BacklogRow> = query_as(
        "SELECT d.account, d.device, s.conversation, \
             min(greatest(coalesce(k.up_to, 0), s.first_sequence - 1)), \
             max(coalesce(s.last_sequence, c.last)) \
         FROM (SELECT DISTINCT * FROM UNNEST($1::bytea[], $2::bytea[]) AS u (account, device)) n \
         JOIN devices d ON d.account = n.account AND d.device = n.device AND d.removed_at IS NULL \
         JOIN stays s ON s.account = d.account \
         JOIN conversations c ON c.id = s.conversation \
         LEFT JOIN cursors k ON k.account = d.account AND k.device = d.device \
             AND k.conversation = s.conversation \
         WHERE greatest(coalesce(k.up_to, 0), s.first_sequence - 1) \
             < coalesce(s.last_sequence, c.last) \
         GROUP BY d.account, d.device, s.conversation \
         ORDER BY d.account, d.device, s.conversation",
    )
    .bind(accounts_of(devices))
    .bind(devices_of(devices))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(read_backlog).collect()
}

pub(super) async fn session_states(
    connection: &mut Connection,
    sessions: &[Session],
) -> Result<Vec<SessionRow>, StorageError> {
    let devices: Vec<DeviceAddress> = sessions.iter().map(|session| session.address).collect();
    let families: Vec<&[u8]> =
        sessions.iter().map(|session| session.family.as_bytes().as_slice()).collect();
    let rows = query_as(
        "SELECT d.removed_at, d.device IS NOT NULL, f.is_revoked <> 0, m.state \
         FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[]) \
             WITH ORDINALITY AS n (account, device, family, place) \
         LEFT JOIN devices d ON d.account = n.account AND d.device = n.device \
         LEFT JOIN refresh_families f ON f.id = n.family AND f.account = n.account \
             AND f.device = n.device \
         LEFT JOIN workspace_members m ON m.account = d.account \
         ORDER BY n.place",
    )
    .bind(accounts_of(&devices))
    .bind(devices_of(&devices))
    .bind(families)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Whole months of messages go at once.
pub(super) const HAS_PARTITIONS: bool = true;

pub(super) async fn tend_partitions(
    store: &Store,
    keep: Option<Duration>,
    archive: Option<&Path>,
    now: Timestamp,
) -> Result<u64, StorageError> {
    let tended = partitions::tend(&mut *store.read().await?, keep, archive, now).await;
    store.months.forget();
    tended
}

/// Several nodes may work on one database.
pub(super) const IS_SHARED: bool = true;

/// While one waits for the disk, another works.
pub(super) const APPENDERS: usize = 2;

/// Where a message stands, or stood, and whose it is.
pub(super) async fn place_of(
    connection: &mut Connection,
    conversation: ConversationId,
    message: MessageId,
) -> Result<Option<PlaceOf>, StorageError> {
    let found: Option<(i64, i64, Vec<u8>, Vec<u8>)> = query_as(
        "SELECT sequence, received_at, sender_account, sender_device FROM message_ids \
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
        "WITH due AS (SELECT conversation, sequence, received_at FROM messages \
             WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
         UPDATE messages m SET header = NULL, commitment = NULL, payload = NULL, wraps = NULL, \
             expires_at = NULL, seen_timer_ms = NULL \
         FROM due WHERE m.conversation = due.conversation AND m.sequence = due.sequence \
           AND m.received_at = due.received_at \
         RETURNING m.conversation, m.sequence, m.message",
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
    let accounts: Vec<&[u8]> =
        accounts.iter().map(|account| account.as_bytes().as_slice()).collect();
    let rows = query_as(
        "SELECT a.id, a.device_list_number, d.device, a.deleted_at IS NOT NULL FROM accounts a \
         LEFT JOIN devices d ON d.account = a.id AND d.removed_at IS NULL WHERE a.id = ANY($1)",
    )
    .bind(accounts)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

pub(super) async fn insert_one_time(
    connection: &mut Connection,
    address: DeviceAddress,
    prekeys: &[OneTimePrekey],
) -> Result<(), StorageError> {
    let places: Vec<i64> = prekeys.iter().map(|prekey| i64::from(prekey.index)).collect();
    let prekeys: Vec<Vec<u8>> = prekeys.iter().map(to_bytes).collect();
    query(
        "INSERT INTO one_time_prekeys (account, device, place, prekey) \
         SELECT $1, $2, n.place, n.prekey \
         FROM UNNEST($3::bigint[], $4::bytea[]) AS n (place, prekey)",
    )
    .bind(address.account.as_bytes().as_slice())
    .bind(address.device.as_bytes().as_slice())
    .bind(places)
    .bind(prekeys)
    .execute(connection)
    .await?;
    Ok(())
}

/// Account, device and signed set; none is replaced before the transaction ends, so that a
/// one-time prekey goes out with the set it belongs to.
pub(super) async fn hold_prekey_sets(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, StorageError> {
    let rows = query_as(concat!(
        "SELECT account, device, signed FROM prekey_sets WHERE (account, device) IN \
             (SELECT * FROM UNNEST($1::bytea[], $2::bytea[])) ORDER BY account, device",
        for_share!()
    ))
    .bind(accounts_of(devices))
    .bind(devices_of(devices))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Account, device and one-time prekey; each is gone with this. Two who ask at once pass over each
/// other's, and neither waits.
pub(super) async fn spend_one_time(
    connection: &mut Connection,
    devices: &[DeviceAddress],
) -> Result<Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>, StorageError> {
    let rows = query_as(
        "DELETE FROM one_time_prekeys p USING \
             (SELECT q.* FROM UNNEST($1::bytea[], $2::bytea[]) AS n (account, device) \
              CROSS JOIN LATERAL \
                  (SELECT o.account, o.device, o.place FROM one_time_prekeys o \
                   WHERE o.account = n.account AND o.device = n.device \
                   ORDER BY o.place LIMIT 1 FOR UPDATE SKIP LOCKED) q) t \
         WHERE p.account = t.account AND p.device = t.device AND p.place = t.place \
         RETURNING p.account, p.device, p.prekey",
    )
    .bind(accounts_of(devices))
    .bind(devices_of(devices))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

pub(super) async fn insert_stays(
    connection: &mut Connection,
    conversation: ConversationId,
    accounts: &[AccountId],
    joined_index: u64,
    read: Read,
) -> Result<(), StorageError> {
    let accounts: Vec<&[u8]> =
        accounts.iter().map(|account| account.as_bytes().as_slice()).collect();
    let wanted = accounts.len();
    // SECURITY: nothing crosses a workspace, whoever has signed that it should. Who is being
    // deleted is waited for.
    let inserted = query(
        "INSERT INTO stays \
             (conversation, account, joined_index, first_sequence, came_at_sequence) \
         SELECT $1, a.id, $3, $4, $5 FROM \
             (SELECT id FROM accounts WHERE id = ANY($2::bytea[]) AND deleted_at IS NULL \
              AND workspace = (SELECT workspace FROM conversations WHERE id = $1) \
              ORDER BY id FOR SHARE) a",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(accounts)
    .bind(signed(joined_index))
    .bind(signed(read.from))
    .bind(signed(read.came_at))
    .execute(connection)
    .await?;
    let inserted = usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX);
    if inserted == wanted { Ok(()) } else { Err(StorageError::NotFound) }
}

/// Which of these messages name blobs: conversation and sequence.
pub(super) async fn naming(
    connection: &mut Connection,
    messages: &[Expired],
) -> Result<Vec<(Vec<u8>, i64)>, StorageError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let owners: Vec<&[u8]> =
        messages.iter().map(|m| m.conversation.as_bytes().as_slice()).collect();
    let numbers: Vec<i64> = messages.iter().map(|m| signed(m.sequence)).collect();
    let found = query_as(
        "SELECT DISTINCT u.owner, u.number \
         FROM UNNEST($1::bytea[], $2::bigint[]) AS m (owner, number) \
         JOIN blob_uses u ON u.kind = 1 AND u.owner = m.owner AND u.number = m.number \
         ORDER BY u.owner, u.number",
    )
    .bind(owners)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    Ok(found)
}
