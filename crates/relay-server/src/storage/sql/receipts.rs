//! Receipts, and the timers that wait for the last one to have seen a message.

use chat_core::codec::from_bytes;
use chat_core::id::ConversationId;
use chat_core::receipt::{Receipt, ReceiptKind, SignedReceipt};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use sqlx::{query, query_scalar};

use super::row::{signed, signed_receipt};
use super::{Connection, ReceiptOutcome, StorageError};

/// The numbers in column `kind`, never given another meaning; the SQL below names them.
fn number(kind: ReceiptKind) -> i64 {
    match kind {
        ReceiptKind::Delivered => 1,
        ReceiptKind::Seen => 2,
    }
}

pub(super) async fn put(
    connection: &mut Connection,
    receipt: &Verified<Receipt>,
    now: Timestamp,
) -> Result<ReceiptOutcome, StorageError> {
    check_place(connection, receipt).await?;
    let written = query(
        "INSERT INTO receipts (conversation, account, device, kind, up_to, receipt) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (conversation, account, device, kind) DO UPDATE \
         SET up_to = excluded.up_to, receipt = excluded.receipt \
         WHERE receipts.up_to < excluded.up_to",
    )
    .bind(receipt.conversation.as_bytes().as_slice())
    .bind(receipt.reader.account.as_bytes().as_slice())
    .bind(receipt.reader.device.as_bytes().as_slice())
    .bind(number(receipt.kind))
    .bind(signed(receipt.up_to))
    .bind(signed_receipt(receipt))
    .execute(&mut *connection)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(ReceiptOutcome::Known);
    }
    if receipt.kind == ReceiptKind::Seen && awaits_seen(connection, receipt).await? {
        lock(connection, receipt.conversation).await?;
        start_timers(connection, receipt.conversation, now).await?;
    }
    Ok(ReceiptOutcome::Advanced)
}

/// Only members have seen anything, and only what is there.
async fn check_place(
    connection: &mut Connection,
    receipt: &Verified<Receipt>,
) -> Result<(), StorageError> {
    let found: Option<i64> = query_scalar(
        "SELECT c.last FROM stays s JOIN conversations c ON c.id = s.conversation \
         WHERE s.conversation = $1 AND s.account = $2 AND s.last_sequence IS NULL",
    )
    .bind(receipt.conversation.as_bytes().as_slice())
    .bind(receipt.reader.account.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    let is_there = found.is_some_and(|last| (1..=last).contains(&signed(receipt.up_to)));
    if is_there { Ok(()) } else { Err(StorageError::NotFound) }
}

/// Most messages have no such timer; then nothing needs to be locked.
async fn awaits_seen(
    connection: &mut Connection,
    receipt: &Verified<Receipt>,
) -> Result<bool, StorageError> {
    let found: Option<i64> = query_scalar(
        "SELECT sequence FROM messages \
         WHERE conversation = $1 AND sequence <= $2 AND seen_timer_ms IS NOT NULL LIMIT 1",
    )
    .bind(receipt.conversation.as_bytes().as_slice())
    .bind(signed(receipt.up_to))
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// Two last receipts that arrive at once must not each miss the other.
pub(super) async fn lock(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<(), StorageError> {
    query(concat!("SELECT last FROM conversations WHERE id = $1", for_update!()))
        .bind(conversation.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// Starts the timers of messages that everybody who had to has seen.
///
/// The caller holds the conversation's row.
pub(super) async fn start_timers(
    connection: &mut Connection,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<(), StorageError> {
    query(
        "UPDATE messages SET expires_at = $2 + seen_timer_ms, seen_timer_ms = NULL \
         WHERE conversation = $1 AND seen_timer_ms IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM stays s WHERE s.conversation = $1 AND s.last_sequence IS NULL \
              AND coalesce(s.came_at_sequence, s.first_sequence) <= messages.sequence \
              AND s.account <> messages.sender_account \
              AND NOT EXISTS \
                  (SELECT 1 FROM receipts r WHERE r.conversation = $1 AND r.account = s.account \
                   AND r.kind = 2 AND r.up_to >= messages.sequence))",
    )
    .bind(conversation.as_bytes().as_slice())
    .bind(signed(now.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn of(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<Vec<SignedReceipt>, StorageError> {
    let found: Vec<Vec<u8>> = query_scalar("SELECT receipt FROM receipts WHERE conversation = $1")
        .bind(conversation.as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    Ok(found.iter().map(|receipt| from_bytes(receipt)).collect::<Result<_, _>>()?)
}
