//! `receipts`: how far everybody's devices have got, and our own word on it until the relay has it.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::receipt::{Receipt, ReceiptKind, Sequence, SignedReceipt};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::{blob, millis};
use super::messages::{number, unsigned};
use crate::error::{Kind, Result};

/// How far a device has said it is; zero if it has said nothing.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn furthest(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    reader: DeviceAddress,
    kind: ReceiptKind,
) -> Result<Sequence> {
    let up_to: Option<i64> = tx
        .prepare_cached(
            "SELECT up_to FROM receipts
             WHERE conversation = ?1 AND account = ?2 AND device = ?3 AND kind = ?4",
        )?
        .query_row(
            params![
                conversation.as_bytes(),
                reader.account.as_bytes(),
                reader.device.as_bytes(),
                kind_number(kind),
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(up_to.map(unsigned).unwrap_or_default())
}

/// How far an account has said it is, on whichever device is furthest: what it holds, and what it
/// has seen. Who has seen something holds it.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn furthest_of(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    account: AccountId,
) -> Result<(Sequence, Sequence)> {
    let (delivered, seen): (i64, i64) = tx
        .prepare_cached(
            "SELECT ifnull(max(up_to), 0), ifnull(max(up_to) FILTER (WHERE kind = 2), 0)
             FROM receipts WHERE conversation = ?1 AND account = ?2",
        )?
        .query_row(params![conversation.as_bytes(), account.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok((unsigned(delivered), unsigned(seen)))
}

/// Keeps a receipt, if it goes further than the device's last of its kind; tells whether it does.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn keep(tx: &Transaction<'_>, receipt: &Receipt) -> Result<bool> {
    put(tx, receipt, None)
}

/// Keeps a receipt of our own, to be sent.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn keep_own(tx: &Transaction<'_>, receipt: &Receipt, signed: &SignedReceipt) -> Result<bool> {
    put(tx, receipt, Some(to_bytes(signed)))
}

fn put(tx: &Transaction<'_>, receipt: &Receipt, pending: Option<Vec<u8>>) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO receipts (conversation, account, device, kind, up_to, at, pending)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (conversation, account, device, kind) DO UPDATE SET
                up_to = excluded.up_to, at = excluded.at, pending = excluded.pending
             WHERE excluded.up_to > receipts.up_to",
        )?
        .execute(params![
            receipt.conversation.as_bytes(),
            receipt.reader.account.as_bytes(),
            receipt.reader.device.as_bytes(),
            kind_number(receipt.kind),
            number(receipt.up_to),
            millis(receipt.at),
            pending,
        ])?;
    Ok(changed == 1)
}

/// A receipt of ours that the relay is not known to have.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Where.
    pub conversation: ConversationId,
    /// What happened.
    pub kind: ReceiptKind,
    /// Up to where.
    pub up_to: Sequence,
    /// The receipt.
    pub signed: SignedReceipt,
}

/// Our own receipts that the relay is not known to have.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn pending(tx: &Transaction<'_>) -> Result<Vec<Pending>> {
    let mut statement = tx.prepare_cached(
        "SELECT conversation, kind, up_to, pending FROM receipts WHERE pending IS NOT NULL
         ORDER BY conversation, kind",
    )?;
    let rows = statement.query_map([], |row| {
        let kind = if row.get::<_, i64>("kind")? == 2 {
            ReceiptKind::Seen
        } else {
            ReceiptKind::Delivered
        };
        let up_to = unsigned(row.get("up_to")?);
        Ok((blob(row, "conversation")?, kind, up_to, row.get::<_, Vec<u8>>("pending")?))
    })?;
    rows.map(|row| {
        let (conversation, kind, up_to, bytes) = row?;
        let signed = from_bytes(&bytes).map_err(|error| Kind::StoreFailed.because(error))?;
        Ok(Pending { conversation, kind, up_to, signed })
    })
    .collect()
}

/// Notes that the relay has a receipt of ours, unless it has gone further meanwhile.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn sent(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    kind: ReceiptKind,
    up_to: Sequence,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE receipts SET pending = NULL
         WHERE conversation = ?1 AND kind = ?2 AND up_to = ?3 AND pending IS NOT NULL",
    )?
    .execute(params![conversation.as_bytes(), kind_number(kind), number(up_to)])?;
    Ok(())
}

fn kind_number(kind: ReceiptKind) -> i64 {
    match kind {
        ReceiptKind::Delivered => 1,
        ReceiptKind::Seen => 2,
    }
}
