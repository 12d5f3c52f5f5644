//! `chains_asked_for`, `chains_asked_of_us`: sender chains that did not arrive, and who said so.

use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::millis;
use crate::error::Result;

/// Notes that we ask a device for its chain, unless we have since `earliest`, or have asked `most`
/// others of the conversation since then; tells whether we ask.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn note_asked(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    of: DeviceAddress,
    earliest: Timestamp,
    most: i64,
    now: Timestamp,
) -> Result<bool> {
    let recent: i64 = tx
        .prepare_cached(
            "SELECT count(*) FROM chains_asked_for WHERE conversation = ?1 AND at > ?2",
        )?
        .query_row(params![conversation.as_bytes(), millis(earliest)], |row| row.get(0))?;
    if recent >= most {
        return Ok(false);
    }
    let asked = tx
        .prepare_cached(
            "INSERT INTO chains_asked_for (conversation, account, device, at)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (conversation, account, device) DO UPDATE SET at = excluded.at
                WHERE at <= ?5",
        )?
        .execute(params![
            conversation.as_bytes(),
            of.account.as_bytes(),
            of.device.as_bytes(),
            millis(now),
            millis(earliest)
        ])?;
    Ok(asked == 1)
}

/// Notes that a device asks for our chain of this epoch, and that it does not hold it; tells whether
/// it had not asked for that one before.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn ask_of_us(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    by: DeviceAddress,
    epoch: u32,
) -> Result<bool> {
    let (id, account, device) =
        (conversation.as_bytes(), by.account.as_bytes(), by.device.as_bytes());
    let is_news = tx
        .prepare_cached(
            "INSERT INTO chains_asked_of_us (conversation, account, device, epoch, pending)
             VALUES (?1, ?2, ?3, ?4, 1)
             ON CONFLICT (conversation, account, device) DO UPDATE SET
                epoch = excluded.epoch, pending = 1 WHERE epoch <> excluded.epoch",
        )?
        .execute(params![id, account, device, epoch])?
        == 1;
    if is_news {
        tx.prepare_cached(
            "DELETE FROM chain_holders WHERE conversation = ?1 AND account = ?2 AND device = ?3",
        )?
        .execute(params![id, account, device])?;
    }
    Ok(is_news)
}

/// Tells whether a device waits for a chain that it has asked for.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_waiting(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    device: DeviceAddress,
) -> Result<bool> {
    let is_waiting = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM chains_asked_of_us
             WHERE conversation = ?1 AND account = ?2 AND device = ?3 AND pending = 1)",
        )?
        .query_row(
            params![conversation.as_bytes(), device.account.as_bytes(), device.device.as_bytes()],
            |row| row.get(0),
        )?;
    Ok(is_waiting)
}

/// Notes that a device was handed what it had asked for.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn answered(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    device: DeviceAddress,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE chains_asked_of_us SET pending = 0
         WHERE conversation = ?1 AND account = ?2 AND device = ?3",
    )?
    .execute(params![
        conversation.as_bytes(),
        device.account.as_bytes(),
        device.device.as_bytes()
    ])?;
    Ok(())
}
