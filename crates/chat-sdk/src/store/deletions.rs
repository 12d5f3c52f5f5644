//! `deletions`, `withdrawn`: our word on what is to be gone, until the relay has it; and messages
//! that were gone before they came.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::deletion::{Deletion, SignedDeletion};
use chat_core::id::{AccountId, ConversationId, MessageId};
use rusqlite::{Transaction, params};

use super::columns::blob;
use crate::error::{Kind, Result};

/// Keeps a deletion of ours until the relay has it.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn push(tx: &Transaction<'_>, deletion: &Deletion, signed: &SignedDeletion) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO deletions (message, conversation, signed) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![
        deletion.message.as_bytes(),
        deletion.conversation.as_bytes(),
        to_bytes(signed)
    ])?;
    Ok(())
}

/// Deletions that the relay does not have, of messages that it has.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn pending(tx: &Transaction<'_>) -> Result<Vec<(ConversationId, MessageId, SignedDeletion)>> {
    let mut statement = tx.prepare_cached(
        "SELECT d.conversation, d.message, d.signed FROM deletions d
         CROSS JOIN messages m ON m.id = d.message AND m.sequence IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((blob(row, "conversation")?, blob(row, "message")?, row.get::<_, Vec<u8>>("signed")?))
    })?;
    rows.map(|row| {
        let (conversation, message, signed) = row?;
        let signed = from_bytes(&signed).map_err(|error| Kind::StoreFailed.because(error))?;
        Ok((conversation, message, signed))
    })
    .collect()
}

/// Forgets a deletion that the relay has, or will not have.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn remove(tx: &Transaction<'_>, message: MessageId) -> Result<()> {
    tx.prepare_cached("DELETE FROM deletions WHERE message = ?1")?.execute([message.as_bytes()])?;
    Ok(())
}

/// Notes that `account` has deleted a message that never came here.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn withdraw(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    account: AccountId,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO withdrawn (message, conversation, account) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![message.as_bytes(), conversation.as_bytes(), account.as_bytes()])?;
    Ok(())
}

/// Explains a gap of `missing` messages by as many that their sender has deleted, each once; tells
/// how many stay missing.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn explain(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    account: AccountId,
    missing: u64,
) -> Result<u64> {
    let explained = tx
        .prepare_cached(
            "DELETE FROM withdrawn WHERE message IN
             (SELECT message FROM withdrawn WHERE conversation = ?1 AND account = ?2 LIMIT ?3)",
        )?
        .execute(params![
            conversation.as_bytes(),
            account.as_bytes(),
            i64::try_from(missing).unwrap_or(i64::MAX)
        ])?;
    Ok(missing.saturating_sub(u64::try_from(explained).unwrap_or_default()))
}
