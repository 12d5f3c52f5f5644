//! `uploads`: attachments on their way up, and how each goes on after a restart.
//!
//! ```text
//!  begun ──reserved──▶ blob known ──piece after piece──▶ complete: row gone, message in the outbox
//! ```
//!
//! The row goes with its message: what vanishes or is taken back is not uploaded any more.

use chat_core::codec::List;
use chat_core::id::{BlobId, ConversationId, MessageId};
use chat_core::limits::BLOBS_A_MESSAGE_MAX;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::account::Snapshot;
use super::columns::{blob, optional_blob};
use super::messages;
use crate::content::Content;
use crate::error::{Kind, Result};

/// An attachment on its way up.
#[derive(Clone, Debug)]
pub struct UploadRow {
    /// The message that waits for it.
    pub message: MessageId,
    /// Where that goes.
    pub conversation: ConversationId,
    /// The blob, once the relay has room for it.
    pub blob: Option<BlobId>,
    /// How many bytes of the blob the relay has, as far as is known.
    pub done: u64,
    /// How many bytes the blob will have.
    pub total: u64,
    /// Snapshot of the sealer at `done`.
    pub sealer: Snapshot,
    /// What the attachment comes to, written down before the last piece of it goes.
    pub description: Option<Snapshot>,
    /// Rises with each change: who goes by an older one is not alone.
    pub revision: u64,
}

/// Begins an upload.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn insert(tx: &Transaction<'_>, row: &UploadRow) -> Result<()> {
    tx.execute(
        "INSERT INTO uploads (message, conversation, blob, done, total, sealer, description, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            row.message.as_bytes(),
            row.conversation.as_bytes(),
            row.blob.as_ref().map(BlobId::as_bytes),
            row.done,
            row.total,
            row.sealer.as_bytes(),
            row.description.as_ref().map(Snapshot::as_bytes),
            row.revision,
        ],
    )?;
    Ok(())
}

/// Notes how far an upload is; gives its new revision.
///
/// # Errors
///
/// [`Kind::NotFound`] if its message is gone; [`Kind::Conflict`] if somebody else works on it.
pub fn advance(tx: &Transaction<'_>, row: &UploadRow) -> Result<u64> {
    let next = row.revision.checked_add(1).ok_or(Kind::Internal)?;
    let changed = tx.execute(
        "UPDATE uploads SET blob = ?3, done = ?4, total = ?5, sealer = ?6, description = ?7,
            revision = ?8
         WHERE message = ?1 AND revision = ?2",
        params![
            row.message.as_bytes(),
            row.revision,
            row.blob.as_ref().map(BlobId::as_bytes),
            row.done,
            row.total,
            row.sealer.as_bytes(),
            row.description.as_ref().map(Snapshot::as_bytes),
            next,
        ],
    )?;
    match changed {
        1 => Ok(next),
        _ if load(tx, row.message)?.is_some() => Err(Kind::Conflict.into()),
        _ => Err(Kind::NotFound.into()),
    }
}

/// An upload, if there is one.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn load(tx: &Transaction<'_>, message: MessageId) -> Result<Option<UploadRow>> {
    let row = tx
        .prepare_cached("SELECT * FROM uploads WHERE message = ?1")?
        .query_row([message.as_bytes()], read)
        .optional()?;
    Ok(row)
}

/// All uploads, the oldest first.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn all(tx: &Transaction<'_>) -> Result<Vec<UploadRow>> {
    let mut statement = tx.prepare_cached(
        "SELECT uploads.* FROM uploads CROSS JOIN messages ON messages.id = uploads.message
         ORDER BY messages.place",
    )?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Ends an upload.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn remove(tx: &Transaction<'_>, message: MessageId) -> Result<()> {
    tx.execute("DELETE FROM uploads WHERE message = ?1", [message.as_bytes()])?;
    Ok(())
}

/// The blobs that a message names, which are to live as long as it does.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn named_by(
    tx: &Transaction<'_>,
    message: MessageId,
) -> Result<Option<List<BlobId, BLOBS_A_MESSAGE_MAX>>> {
    let content = messages::load(tx, message)?.map(|row| Content::read(&row.kind, &row.body));
    let Some(Content::Attachment(attachment)) = content else { return Ok(None) };
    let named = attachment.file.map(|file| List::new(vec![file.blob()]));
    Ok(named.transpose()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<UploadRow> {
    Ok(UploadRow {
        message: blob(row, "message")?,
        conversation: blob(row, "conversation")?,
        blob: optional_blob(row, "blob")?,
        done: row.get("done")?,
        total: row.get("total")?,
        sealer: zeroize::Zeroizing::new(row.get::<_, Vec<u8>>("sealer")?).into(),
        description: row
            .get::<_, Option<Vec<u8>>>("description")?
            .map(|bytes| zeroize::Zeroizing::new(bytes).into()),
        revision: row.get("revision")?,
    })
}
