//! The audit log. Who appends holds the row that says where it ends, so entries of all nodes stand
//! in one line.

use chat_core::codec::to_bytes;
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::row::{fixed, signed, unsigned};
use super::{Connection, StorageError};
use crate::audit::{Anchor, AuditRecord, Chained, hash};
use crate::storage::AuditEnds;

pub(super) async fn append(
    connection: &mut Connection,
    records: &[AuditRecord],
) -> Result<(), StorageError> {
    let (last, last_hash): (i64, Vec<u8>) =
        query_as(concat!("SELECT last, last_hash FROM audit_ends WHERE id = 1", for_update!()))
            .fetch_one(&mut *connection)
            .await?;
    let mut end = Anchor { sequence: unsigned(last)?, hash: fixed(&last_hash)? };
    for record in records {
        let bytes = to_bytes(record);
        end = Anchor { sequence: end.sequence + 1, hash: hash(end.hash, &bytes) };
        query("INSERT INTO audit (sequence, at, record, hash) VALUES ($1, $2, $3, $4)")
            .bind(signed(end.sequence))
            .bind(signed(record.at.as_millis()))
            .bind(bytes)
            .bind(end.hash.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    query("UPDATE audit_ends SET last = $1, last_hash = $2 WHERE id = 1")
        .bind(signed(end.sequence))
        .bind(end.hash.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn read(
    connection: &mut Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Chained>, StorageError> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = query_as(
        "SELECT sequence, record, hash FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
    )
    .bind(signed(after))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let entry = |(sequence, record, hash): (i64, Vec<u8>, Vec<u8>)| {
        Ok(Chained { sequence: unsigned(sequence)?, record, hash: fixed(&hash)? })
    };
    rows.into_iter().map(entry).collect()
}

pub(super) async fn ends(connection: &mut Connection) -> Result<AuditEnds, StorageError> {
    let (before_first, before_hash, last, last_hash): (i64, Vec<u8>, i64, Vec<u8>) =
        query_as("SELECT before_first, before_hash, last, last_hash FROM audit_ends WHERE id = 1")
            .fetch_one(connection)
            .await?;
    Ok(AuditEnds {
        before_first: Anchor { sequence: unsigned(before_first)?, hash: fixed(&before_hash)? },
        last: Anchor { sequence: unsigned(last)?, hash: fixed(&last_hash)? },
    })
}

/// Entries go from the beginning only: the first that is young enough ends it.
pub(super) async fn prune(
    connection: &mut Connection,
    before: Timestamp,
) -> Result<u64, StorageError> {
    let _: i64 = query_scalar(concat!("SELECT last FROM audit_ends WHERE id = 1", for_update!()))
        .fetch_one(&mut *connection)
        .await?;
    let until: Option<(i64, Vec<u8>)> = query_as(
        "SELECT sequence, hash FROM audit WHERE sequence < \
             coalesce((SELECT min(sequence) FROM audit WHERE at >= $1), \
                      (SELECT last + 1 FROM audit_ends WHERE id = 1)) \
         ORDER BY sequence DESC LIMIT 1",
    )
    .bind(signed(before.as_millis()))
    .fetch_optional(&mut *connection)
    .await?;
    let Some((until, until_hash)) = until else { return Ok(0) };
    let gone = query("DELETE FROM audit WHERE sequence <= $1")
        .bind(until)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    query("UPDATE audit_ends SET before_first = $1, before_hash = $2 WHERE id = 1")
        .bind(until)
        .bind(until_hash)
        .execute(connection)
        .await?;
    Ok(gone)
}
