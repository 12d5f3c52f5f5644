//! `prekey_sets`: the secret halves of what others start sessions with.
//!
//! A set is written before it is uploaded, with the bytes of the upload, so that a retry after a
//! crash uploads the same set.

use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::columns::{millis, timestamp};
use crate::error::Result;

/// The secrets of one set, as a snapshot.
pub struct PrekeySetRow {
    /// The set's number.
    pub number: u32,
    /// Snapshot of its secrets.
    pub secrets: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for PrekeySetRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrekeySetRow").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Adds a set, with the upload that is still to be made.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed), also for a number that exists.
pub fn insert(
    tx: &Transaction<'_>,
    number: u32,
    secrets: &[u8],
    upload: Option<&[u8]>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO prekey_sets (number, secrets, upload, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![number, secrets, upload, millis(now)],
    )?;
    Ok(())
}

/// All sets that are kept, newest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load_all(tx: &Transaction<'_>) -> Result<Vec<PrekeySetRow>> {
    let mut statement =
        tx.prepare_cached("SELECT number, secrets FROM prekey_sets ORDER BY number DESC")?;
    let rows = statement.query_map([], |row| {
        Ok(PrekeySetRow {
            number: row.get("number")?,
            secrets: Zeroizing::new(row.get("secrets")?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces the secrets of a set, when a one-time prekey was spent.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn save(tx: &Transaction<'_>, number: u32, secrets: &[u8]) -> Result<()> {
    tx.execute("UPDATE prekey_sets SET secrets = ?2 WHERE number = ?1", params![number, secrets])?;
    Ok(())
}

/// The number and age of the newest set.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn newest(tx: &Transaction<'_>) -> Result<Option<(u32, Timestamp)>> {
    let newest = tx.query_row(
        "SELECT number, created_at FROM prekey_sets ORDER BY number DESC LIMIT 1",
        [],
        |row| Ok((row.get("number")?, timestamp(row.get("created_at")?))),
    );
    Ok(newest.optional()?)
}

/// The newest set's upload, if the relay does not have it yet.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn waiting_upload(tx: &Transaction<'_>) -> Result<Option<(u32, Vec<u8>)>> {
    let waiting = tx.query_row(
        "SELECT number, upload FROM prekey_sets WHERE upload IS NOT NULL
            AND number = (SELECT max(number) FROM prekey_sets)",
        [],
        |row| Ok((row.get("number")?, row.get("upload")?)),
    );
    Ok(waiting.optional()?)
}

/// Notes that the relay has a set.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn uploaded(tx: &Transaction<'_>, number: u32) -> Result<()> {
    tx.execute("UPDATE prekey_sets SET upload = NULL WHERE number = ?1", [number])?;
    Ok(())
}

/// Erases sets made before `before`, but never the newest.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget_older(tx: &Transaction<'_>, before: Timestamp) -> Result<usize> {
    Ok(tx.execute(
        "DELETE FROM prekey_sets
         WHERE created_at < ?1 AND number < (SELECT max(number) FROM prekey_sets)",
        [millis(before)],
    )?)
}
