//! Counting what an account has not seen.

use async_trait::async_trait;
use chat_core::api::unread::UnreadConversation;
use chat_core::id::AccountId;
use chat_core::limits::UNREAD_COUNTED_MAX;
use sqlx::query_as;

use super::row::fixed;
use super::{Connection, StorageError, Store};
use crate::storage::unread::UnreadStorage;

#[async_trait]
impl UnreadStorage for Store {
    async fn unread(
        &self,
        account: AccountId,
        limit: usize,
    ) -> Result<Vec<UnreadConversation>, StorageError> {
        read!(self, counted(account, limit))
    }
}

async fn counted(
    connection: &mut Connection,
    account: AccountId,
    limit: usize,
) -> Result<Vec<UnreadConversation>, StorageError> {
    // The inner limit keeps a channel that nobody reads from being counted to its end.
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = query_as(
        "SELECT * FROM (SELECT c.id, c.workspace, \
             (SELECT count(*) FROM (SELECT 1 FROM messages m \
              WHERE m.conversation = c.id AND m.sequence > s.seen \
                AND m.sender_account <> $1 AND m.header IS NOT NULL LIMIT $2) first) AS unread \
         FROM (SELECT t.conversation, \
                   CASE WHEN coalesce(max(r.up_to), 0) < t.first_sequence - 1 \
                        THEN t.first_sequence - 1 ELSE coalesce(max(r.up_to), 0) END AS seen \
               FROM stays t \
               LEFT JOIN receipts r ON r.conversation = t.conversation \
                   AND r.account = t.account AND r.kind = 2 \
               WHERE t.account = $1 AND t.last_sequence IS NULL \
               GROUP BY t.conversation, t.first_sequence) s \
         JOIN conversations c ON c.id = s.conversation AND c.last > s.seen) counted \
         WHERE unread > 0 ORDER BY id LIMIT $3",
    )
    .bind(account.as_bytes().as_slice())
    .bind(i64::from(UNREAD_COUNTED_MAX))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(read).collect()
}

fn read(
    (conversation, workspace, unread): (Vec<u8>, Vec<u8>, i64),
) -> Result<UnreadConversation, StorageError> {
    Ok(UnreadConversation {
        conversation: fixed(&conversation)?,
        workspace: fixed(&workspace)?,
        messages: u32::try_from(unread).map_err(|_| StorageError::Corrupt)?,
    })
}
