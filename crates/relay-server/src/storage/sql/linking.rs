//! Mailboxes of devices that are being linked.

use async_trait::async_trait;
use chat_core::api::linking::LinkRow;
use chat_core::time::Timestamp;
use sqlx::{query, query_scalar};

use super::row::{signed, unsigned};
use super::{Connection, Store};
use crate::storage::StorageError;
use crate::storage::linking::{LinkingStorage, MailboxSlot};

#[async_trait]
impl LinkingStorage for Store {
    async fn write_slot(
        &self,
        slot: MailboxSlot,
        message: &[u8],
        expires_at: Timestamp,
        mailboxes_max: u64,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            begin_mailbox(&mut transaction, slot, expires_at, mailboxes_max, now).await?;
            fill(&mut transaction, slot, message).await?;
            Ok(())
        })
    }

    async fn read_slot(
        &self,
        slot: MailboxSlot,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        read!(self, |connection| {
            let found = query_scalar(
                "SELECT message FROM link_messages JOIN link_mailboxes USING (mailbox) \
                 WHERE mailbox = $1 AND side = $2 AND slot = $3 AND expires_at > $4",
            )
            .bind(slot.mailbox.as_bytes().as_slice())
            .bind(side(slot.row))
            .bind(i64::from(slot.slot))
            .bind(signed(now.as_millis()))
            .fetch_optional(&mut *connection)
            .await?;
            Ok(found)
        })
    }

    async fn forget_mailboxes(&self, now: Timestamp) -> Result<u64, StorageError> {
        write!(self, |transaction| {
            let gone = query("DELETE FROM link_mailboxes WHERE expires_at <= $1")
                .bind(signed(now.as_millis()))
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            Ok(gone)
        })
    }
}

/// The numbers in column `side`, never given another meaning.
fn side(row: LinkRow) -> i64 {
    match row {
        LinkRow::Shows => 1,
        LinkRow::Scans => 2,
    }
}

async fn begin_mailbox(
    connection: &mut Connection,
    slot: MailboxSlot,
    expires_at: Timestamp,
    mailboxes_max: u64,
    now: Timestamp,
) -> Result<(), StorageError> {
    query("DELETE FROM link_mailboxes WHERE mailbox = $1 AND expires_at <= $2")
        .bind(slot.mailbox.as_bytes().as_slice())
        .bind(signed(now.as_millis()))
        .execute(&mut *connection)
        .await?;
    let is_new = query(
        "INSERT INTO link_mailboxes (mailbox, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(slot.mailbox.as_bytes().as_slice())
    .bind(signed(expires_at.as_millis()))
    .execute(&mut *connection)
    .await?
    .rows_affected()
        > 0;
    if is_new {
        let there: i64 = query_scalar("SELECT count(*) FROM link_mailboxes WHERE expires_at > $1")
            .bind(signed(now.as_millis()))
            .fetch_one(connection)
            .await?;
        if unsigned(there)? > mailboxes_max {
            return Err(StorageError::Full);
        }
    }
    Ok(())
}

async fn fill(
    connection: &mut Connection,
    slot: MailboxSlot,
    message: &[u8],
) -> Result<(), StorageError> {
    let written = query(
        "INSERT INTO link_messages (mailbox, side, slot, message) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(slot.mailbox.as_bytes().as_slice())
    .bind(side(slot.row))
    .bind(i64::from(slot.slot))
    .bind(message)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if written > 0 {
        return Ok(());
    }
    let stored: Vec<u8> = query_scalar(
        "SELECT message FROM link_messages WHERE mailbox = $1 AND side = $2 AND slot = $3",
    )
    .bind(slot.mailbox.as_bytes().as_slice())
    .bind(side(slot.row))
    .bind(i64::from(slot.slot))
    .fetch_one(connection)
    .await?;
    if stored == message { Ok(()) } else { Err(StorageError::Conflict) }
}
