//! `scheduled`: what is to be said later, until its time comes.

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::id::{ConversationId, MessageId};
use chat_core::time::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::{blob, millis, timestamp};
use super::messages::{number, unsigned};
use crate::error::Result;
use crate::message::Compression;

/// Something that is to be said later.
#[derive(Clone, Debug)]
pub struct ScheduledRow {
    /// The message's id, the same once it is said.
    pub message: MessageId,
    /// Where.
    pub conversation: ConversationId,
    /// When.
    pub at: Timestamp,
    /// What kind of content.
    pub kind: String,
    /// The content's body.
    pub body: Vec<u8>,
    /// Its timer.
    pub expiry: Option<Expiry>,
    /// Whether its body may be compressed.
    pub(crate) compression: Compression,
    /// Why it could not be said when its time came, as a stable code.
    pub failure: Option<String>,
}

/// Adds something.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn insert(tx: &Transaction<'_>, row: &ScheduledRow) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO scheduled
            (message, conversation, at, kind, body, expiry_mode, expiry_ms, compress, failure)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        row.message.as_bytes(),
        row.conversation.as_bytes(),
        millis(row.at),
        row.kind,
        row.body,
        row.expiry.map(|expiry| i64::from(expiry.mode == ExpiryMode::AfterSeen) + 1),
        row.expiry.map(|expiry| number(expiry.after_ms)),
        row.compression == Compression::Allowed,
        row.failure,
    ])?;
    Ok(())
}

/// What is to be said in a conversation, the earliest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn of(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Vec<ScheduledRow>> {
    let mut statement =
        tx.prepare_cached("SELECT * FROM scheduled WHERE conversation = ?1 ORDER BY at, message")?;
    let rows = statement.query_map([conversation.as_bytes()], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The earliest whose time has come.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn due(tx: &Transaction<'_>, now: Timestamp) -> Result<Option<ScheduledRow>> {
    let row = tx
        .prepare_cached(
            "SELECT * FROM scheduled WHERE at <= ?1 AND failure IS NULL
             ORDER BY at, message LIMIT 1",
        )?
        .query_row([millis(now)], read)
        .optional()?;
    Ok(row)
}

/// When the next is to be said.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn next(tx: &Transaction<'_>) -> Result<Option<Timestamp>> {
    let next: Option<i64> = tx
        .prepare_cached("SELECT min(at) FROM scheduled WHERE failure IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.map(timestamp))
}

/// Moves something to another time, and forgets that it failed; tells whether it was there.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn reschedule(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    at: Timestamp,
) -> Result<bool> {
    let moved = tx
        .prepare_cached(
            "UPDATE scheduled SET at = ?3, failure = NULL WHERE message = ?2 AND conversation = ?1",
        )?
        .execute(params![conversation.as_bytes(), message.as_bytes(), millis(at)])?;
    Ok(moved == 1)
}

/// Notes why something could not be said.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn fail(tx: &Transaction<'_>, message: MessageId, code: &str) -> Result<()> {
    tx.prepare_cached("UPDATE scheduled SET failure = ?2 WHERE message = ?1")?
        .execute(params![message.as_bytes(), code])?;
    Ok(())
}

/// Takes something away; tells whether it was there.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn remove(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM scheduled WHERE message = ?2 AND conversation = ?1")?
        .execute(params![conversation.as_bytes(), message.as_bytes()])?;
    Ok(removed == 1)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ScheduledRow> {
    let mode: Option<i64> = row.get("expiry_mode")?;
    let after_ms: Option<i64> = row.get("expiry_ms")?;
    Ok(ScheduledRow {
        message: blob(row, "message")?,
        conversation: blob(row, "conversation")?,
        at: timestamp(row.get("at")?),
        kind: row.get("kind")?,
        body: row.get("body")?,
        expiry: mode.zip(after_ms).map(|(mode, after_ms)| Expiry {
            mode: if mode == 2 { ExpiryMode::AfterSeen } else { ExpiryMode::AfterSent },
            after_ms: unsigned(after_ms),
        }),
        compression: if row.get("compress")? { Compression::Allowed } else { Compression::Never },
        failure: row.get("failure")?,
    })
}
