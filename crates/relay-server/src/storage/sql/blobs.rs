//! Blobs: room, pieces, and what becomes of them. Who changes a blob holds its row.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::id::{AccountId, BlobId};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{fixed, signed, unsigned};
use super::{Connection, StorageError};
use crate::blobs::ObjectName;
use crate::storage::{Piece, Placed, Reservation, Room, StoredBlob};

pub(super) async fn reserve(
    connection: &mut Connection,
    new: &Reservation,
    room: Room,
    collect_at: Timestamp,
) -> Result<(), StorageError> {
    let account = new.uploader.as_bytes().as_slice();
    let workspace = new.workspace.as_bytes().as_slice();
    // In the order in which room is given back, so that nobody waits in a circle.
    let of_workspace = room.workspace.unwrap_or(u64::MAX);
    let mut owners = [(account, room.account), (workspace, of_workspace)];
    owners.sort_unstable();
    for (owner, most) in owners {
        take_room(connection, owner, new.bytes, most).await?;
    }
    query(
        "INSERT INTO blobs (id, uploader, workspace, bytes, collect_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(new.blob.as_bytes().as_slice())
    .bind(account)
    .bind(workspace)
    .bind(signed(new.bytes))
    .bind(signed(collect_at.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn take_room(
    connection: &mut Connection,
    owner: &[u8],
    bytes: u64,
    most: u64,
) -> Result<(), StorageError> {
    query("INSERT INTO blob_room (owner, bytes) VALUES ($1, 0) ON CONFLICT DO NOTHING")
        .bind(owner)
        .execute(&mut *connection)
        .await?;
    let taken = query("UPDATE blob_room SET bytes = bytes + $2 WHERE owner = $1 AND bytes <= $3")
        .bind(owner)
        .bind(signed(bytes))
        .bind(match most.checked_sub(bytes) {
            Some(before) => signed(before),
            None => -1,
        })
        .execute(connection)
        .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(StorageError::QuotaExceeded) }
}

/// Uploader, bytes, stored.
type BlobRow = (Vec<u8>, i64, i64);

fn stored_blob((uploader, bytes, stored): BlobRow) -> Result<StoredBlob, StorageError> {
    Ok(StoredBlob {
        uploader: fixed(&uploader)?,
        bytes: unsigned(bytes)?,
        stored: unsigned(stored)?,
    })
}

pub(super) async fn readable(
    connection: &mut Connection,
    blob: BlobId,
    reader: AccountId,
) -> Result<Option<StoredBlob>, StorageError> {
    let found: Option<BlobRow> = query_as(
        "SELECT b.uploader, b.bytes, b.stored FROM blobs b WHERE b.id = $1 \
         AND (b.uploader = $2 OR (b.stored = b.bytes AND EXISTS (SELECT 1 \
             FROM workspace_members m WHERE m.workspace = b.workspace AND m.account = $2)))",
    )
    .bind(blob.as_bytes().as_slice())
    .bind(reader.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    found.map(stored_blob).transpose()
}

pub(super) async fn pieces(
    connection: &mut Connection,
    blob: BlobId,
    from: u64,
    limit: usize,
) -> Result<Vec<Piece>, StorageError> {
    let rows: Vec<(i64, i64, Vec<u8>)> = query_as(
        "SELECT start, length, object FROM blob_pieces \
         WHERE blob = $1 AND start >= coalesce((SELECT max(p.start) FROM blob_pieces p \
             WHERE p.blob = $1 AND p.start <= $2), 0) \
         ORDER BY start LIMIT $3",
    )
    .bind(blob.as_bytes().as_slice())
    .bind(signed(from))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let piece = |(start, length, object): (i64, i64, Vec<u8>)| {
        Ok(Piece { start: unsigned(start)?, length: unsigned(length)?, object: fixed(&object)? })
    };
    rows.into_iter().map(piece).collect()
}

pub(super) async fn place(
    connection: &mut Connection,
    blob: BlobId,
    uploader: AccountId,
    pieces: &[Piece],
    instead_of: Option<ObjectName>,
    collect_at: Timestamp,
) -> Result<Placed, StorageError> {
    let mut held = hold(connection, blob, uploader).await?;
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
        return Ok(Placed::Elsewhere(held));
    };
    let is_complete = held.stored == held.bytes;
    if is_complete
        || first.start > held.stored
        || last.end() > held.bytes
        || !is_as_it_was(connection, blob, first.start, instead_of).await?
    {
        return Ok(Placed::Elsewhere(held));
    }
    discard_from(connection, blob, first.start).await?;
    for piece in pieces {
        query("INSERT INTO blob_pieces (blob, start, length, object) VALUES ($1, $2, $3, $4)")
            .bind(blob.as_bytes().as_slice())
            .bind(signed(piece.start))
            .bind(signed(piece.length))
            .bind(piece.object.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    held.stored = last.end();
    query("UPDATE blobs SET stored = $2, collect_at = $3 WHERE id = $1")
        .bind(blob.as_bytes().as_slice())
        .bind(signed(held.stored))
        .bind(signed(collect_at.as_millis()))
        .execute(connection)
        .await?;
    Ok(Placed::Here(held))
}

/// Locks a blob's row.
async fn hold(
    connection: &mut Connection,
    blob: BlobId,
    uploader: AccountId,
) -> Result<StoredBlob, StorageError> {
    let found: Option<BlobRow> = query_as(concat!(
        "SELECT uploader, bytes, stored FROM blobs WHERE id = $1 AND uploader = $2",
        for_update!()
    ))
    .bind(blob.as_bytes().as_slice())
    .bind(uploader.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    stored_blob(found.ok_or(StorageError::NotFound)?)
}

/// Tells whether a piece can begin at `place` without losing what is before it: none reaches over
/// it, or the one that begins there is still the one that was copied.
async fn is_as_it_was(
    connection: &mut Connection,
    blob: BlobId,
    place: u64,
    copied: Option<ObjectName>,
) -> Result<bool, StorageError> {
    let blob = blob.as_bytes().as_slice();
    let Some(copied) = copied else {
        let reaches_over: bool = query_scalar(
            "SELECT EXISTS (SELECT 1 FROM blob_pieces \
             WHERE blob = $1 AND start < $2 AND start + length > $2)",
        )
        .bind(blob)
        .bind(signed(place))
        .fetch_one(connection)
        .await?;
        return Ok(!reaches_over);
    };
    let is_there = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM blob_pieces WHERE blob = $1 AND start = $2 AND object = $3)",
    )
    .bind(blob)
    .bind(signed(place))
    .bind(copied.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    Ok(is_there)
}

async fn discard_from(
    connection: &mut Connection,
    blob: BlobId,
    from: u64,
) -> Result<(), StorageError> {
    for sql in [
        "INSERT INTO blob_garbage (object) \
         SELECT object FROM blob_pieces WHERE blob = $1 AND start >= $2",
        "DELETE FROM blob_pieces WHERE blob = $1 AND start >= $2",
    ] {
        query(sql)
            .bind(blob.as_bytes().as_slice())
            .bind(signed(from))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn delete(
    connection: &mut Connection,
    blob: BlobId,
    uploader: AccountId,
) -> Result<(), StorageError> {
    hold(connection, blob, uploader).await?;
    query("DELETE FROM blob_uses WHERE blob = $1")
        .bind(blob.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    let mut freed = Freed::new();
    remove(connection, blob, &mut freed).await?;
    give_room_back(connection, freed).await
}

/// How much room becomes free, by whom it was taken.
type Freed = BTreeMap<Vec<u8>, i64>;

/// Removes a blob that nothing names and whose row is held.
async fn remove(
    connection: &mut Connection,
    blob: BlobId,
    freed: &mut Freed,
) -> Result<(), StorageError> {
    discard_from(connection, blob, 0).await?;
    let (uploader, workspace, bytes): (Vec<u8>, Vec<u8>, i64) =
        query_as("DELETE FROM blobs WHERE id = $1 RETURNING uploader, workspace, bytes")
            .bind(blob.as_bytes().as_slice())
            .fetch_one(&mut *connection)
            .await?;
    for owner in [uploader, workspace] {
        *freed.entry(owner).or_default() += bytes;
    }
    Ok(())
}

async fn give_room_back(connection: &mut Connection, freed: Freed) -> Result<(), StorageError> {
    for (owner, bytes) in freed {
        query("UPDATE blob_room SET bytes = bytes - $2 WHERE owner = $1")
            .bind(owner)
            .bind(bytes)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn abandon(
    connection: &mut Connection,
    uploader: AccountId,
    now: Timestamp,
) -> Result<u64, StorageError> {
    let uploader = uploader.as_bytes().as_slice();
    query("DELETE FROM blob_uses WHERE blob IN (SELECT id FROM blobs WHERE uploader = $1)")
        .bind(uploader)
        .execute(&mut *connection)
        .await?;
    let due = query("UPDATE blobs SET collect_at = $2 WHERE uploader = $1")
        .bind(uploader)
        .bind(signed(now.as_millis()))
        .execute(connection)
        .await?;
    Ok(due.rows_affected())
}

pub(super) async fn collect(
    connection: &mut Connection,
    now: Timestamp,
    limit: usize,
) -> Result<u64, StorageError> {
    let due: Vec<Vec<u8>> = query_scalar(concat!(
        "SELECT id FROM blobs WHERE collect_at <= $1 ORDER BY collect_at LIMIT $2",
        for_update!(),
        skip_locked!()
    ))
    .bind(signed(now.as_millis()))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await?;
    let (mut collected, mut freed) = (0, Freed::new());
    for blob in due {
        // Somebody may have named it before its row was held; only now is that seen.
        let is_named: bool =
            query_scalar("SELECT EXISTS (SELECT 1 FROM blob_uses WHERE blob = $1)")
                .bind(&blob)
                .fetch_one(&mut *connection)
                .await?;
        if is_named {
            query("UPDATE blobs SET collect_at = NULL WHERE id = $1")
                .bind(&blob)
                .execute(&mut *connection)
                .await?;
        } else {
            remove(connection, fixed(&blob)?, &mut freed).await?;
            collected += 1;
        }
    }
    give_room_back(connection, freed).await?;
    Ok(collected)
}

pub(super) async fn garbage(
    connection: &mut Connection,
    limit: usize,
) -> Result<Vec<ObjectName>, StorageError> {
    let rows: Vec<Vec<u8>> = query_scalar("SELECT object FROM blob_garbage LIMIT $1")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|object| fixed(object)).collect()
}

pub(super) async fn forget_garbage(
    connection: &mut Connection,
    objects: &[ObjectName],
) -> Result<(), StorageError> {
    for object in objects {
        query("DELETE FROM blob_garbage WHERE object = $1")
            .bind(object.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn known(
    connection: &mut Connection,
    shard: u8,
) -> Result<BTreeSet<ObjectName>, StorageError> {
    let behind = shard.checked_add(1).map_or(vec![u8::MAX; 17], |next| vec![next]);
    let rows: Vec<Vec<u8>> = query_scalar(
        "SELECT object FROM blob_pieces WHERE object >= $1 AND object < $2 \
         UNION ALL SELECT object FROM blob_garbage WHERE object >= $1 AND object < $2",
    )
    .bind(vec![shard])
    .bind(behind)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|object| fixed(object)).collect()
}

pub(super) async fn bytes_of(
    connection: &mut Connection,
    owner: AccountId,
) -> Result<u64, StorageError> {
    let bytes: Option<i64> = query_scalar("SELECT bytes FROM blob_room WHERE owner = $1")
        .bind(owner.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    unsigned(bytes.unwrap_or_default())
}
