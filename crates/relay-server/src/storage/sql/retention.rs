//! Rules of workspaces, what goes by them, and how much there is.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::id::{AccountId, ConversationId, WorkspaceId};
use chat_core::time::Timestamp;
use sqlx::{query, query_as, query_scalar};

use super::naming::{Namer, let_go};
use super::row::{fixed, signed, unsigned};
use super::{Connection, StorageError, Store, batch, month};
use crate::bus::NodeId;
use crate::retention::{Hold, Rules};
use crate::storage::retention::{Erased, Erasure, RetentionStorage, Usage};

/// How many messages of a conversation one transaction erases.
const MESSAGES_AT_ONCE: i64 = 5_000;

#[async_trait]
impl RetentionStorage for Store {
    async fn put_rules(&self, workspace: WorkspaceId, rules: Rules) -> Result<(), StorageError> {
        write!(self, put(workspace, rules))
    }

    async fn rules(&self) -> Result<Vec<(WorkspaceId, Rules)>, StorageError> {
        read!(self, |connection| {
            let rows: Vec<RulesRow> = query_as(
                "SELECT workspace, keep_ms, until_delivered, account_bytes, workspace_bytes \
                 FROM workspace_rules ORDER BY workspace",
            )
            .fetch_all(&mut *connection)
            .await?;
            rows.into_iter().map(read_rules).collect()
        })
    }

    async fn erase(
        &self,
        erasure: Erasure,
        after: Option<ConversationId>,
        conversations: usize,
        now: Timestamp,
    ) -> Result<Erased, StorageError> {
        let page: Vec<_> = read!(self, page_of(erasure, after, conversations))?;
        let mut erased = Erased::default();
        if page.len() == conversations {
            erased.after = page.last().copied();
        }
        for conversation in page {
            if let Some(count) = write!(self, erase_one(conversation, erasure, now))? {
                erased.messages += count;
                erased.conversations += 1;
            }
        }
        self.after_erasing(usize::try_from(erased.messages).unwrap_or(usize::MAX)).await;
        Ok(erased)
    }

    async fn tend_partitions(
        &self,
        keep: Option<Duration>,
        archive: Option<&Path>,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        batch::tend_partitions(self, keep, archive, now).await
    }

    fn has_partitions(&self) -> bool {
        batch::HAS_PARTITIONS
    }

    async fn add_usage(&self, usage: &[Usage]) -> Result<(), StorageError> {
        write!(self, |transaction| {
            // One order on all nodes, so that two never wait for each other.
            let mut usage: Vec<&Usage> = usage.iter().collect();
            usage.sort_by_key(|one| (one.workspace, one.account));
            for one in usage {
                query(
                    "INSERT INTO message_usage (workspace, account, month, bytes) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (workspace, account, month) DO UPDATE \
                     SET bytes = message_usage.bytes + excluded.bytes",
                )
                .bind(one.workspace.as_bytes().as_slice())
                .bind(one.account.as_bytes().as_slice())
                .bind(month::Month::of(one.at).number())
                .bind(signed(one.bytes))
                .execute(&mut *transaction)
                .await?;
            }
            Ok(())
        })
    }

    async fn stored(
        &self,
        workspace: WorkspaceId,
        account: Option<AccountId>,
        since: Timestamp,
    ) -> Result<u64, StorageError> {
        read!(self, |connection| {
            let bytes: i64 = query_scalar(
                "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM message_usage \
                 WHERE workspace = $1 AND month >= $2 AND ($3 IS NULL OR account = $3)",
            )
            .bind(workspace.as_bytes().as_slice())
            .bind(month::Month::of(since).number())
            .bind(account.map(|account| account.as_bytes().to_vec()))
            .fetch_one(&mut *connection)
            .await?;
            unsigned(bytes)
        })
    }

    async fn lead(
        &self,
        chore: &str,
        node: NodeId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        if !batch::IS_SHARED {
            return Ok(true);
        }
        write!(self, |transaction| {
            let leads = query(
                "INSERT INTO leases (chore, node, until) VALUES ($1, $2, $3) \
                 ON CONFLICT (chore) DO UPDATE SET node = excluded.node, until = excluded.until \
                 WHERE leases.node = excluded.node OR leases.until <= $4",
            )
            .bind(chore)
            .bind(node.as_bytes().as_slice())
            .bind(signed(until.as_millis()))
            .bind(signed(now.as_millis()))
            .execute(&mut *transaction)
            .await?;
            Ok(leads.rows_affected() == 1)
        })
    }
}

/// Workspace, for how long, whether until delivered, bytes of an account and of all.
type RulesRow = (Vec<u8>, Option<i64>, i64, Option<i64>, Option<i64>);

fn read_rules(row: RulesRow) -> Result<(WorkspaceId, Rules), StorageError> {
    let (workspace, keep, until_delivered, account_bytes, workspace_bytes) = row;
    let rules = Rules {
        keep: keep.map(unsigned).transpose()?.map(Duration::from_millis),
        hold: if until_delivered == 0 { Hold::Kept } else { Hold::UntilDelivered },
        account_bytes: account_bytes.map(unsigned).transpose()?,
        workspace_bytes: workspace_bytes.map(unsigned).transpose()?,
    };
    Ok((fixed(&workspace)?, rules))
}

async fn put(
    connection: &mut Connection,
    workspace: WorkspaceId,
    rules: Rules,
) -> Result<(), StorageError> {
    let keep = rules.keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let put = query(
        "INSERT INTO workspace_rules \
             (workspace, keep_ms, until_delivered, account_bytes, workspace_bytes) \
         SELECT id, $2, $3, $4, $5 FROM workspaces WHERE id = $1 \
         ON CONFLICT (workspace) DO UPDATE SET keep_ms = excluded.keep_ms, \
             until_delivered = excluded.until_delivered, account_bytes = excluded.account_bytes, \
             workspace_bytes = excluded.workspace_bytes",
    )
    .bind(workspace.as_bytes().as_slice())
    .bind(keep)
    .bind(i64::from(rules.hold == Hold::UntilDelivered))
    .bind(rules.account_bytes.map(signed))
    .bind(rules.workspace_bytes.map(signed))
    .execute(connection)
    .await?;
    if put.rows_affected() == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

/// Conversations with something to erase, in the order of their ids.
///
/// What was erased last is the end of what is gone, so it is enough to look at the message after
/// it: whether that is too old, or whether no device of a present member lacks it.
async fn page_of(
    connection: &mut Connection,
    erasure: Erasure,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<ConversationId>, StorageError> {
    // No bytes at all come before every id.
    let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let found: Vec<Vec<u8>> = query_scalar(
        "SELECT c.id FROM conversations c WHERE c.id > $1 AND ($2 IS NULL OR c.workspace = $2) \
           AND c.last > c.erased_up_to \
           AND ((SELECT m.received_at FROM messages m \
                 WHERE m.conversation = c.id AND m.sequence > c.erased_up_to \
                 ORDER BY m.sequence LIMIT 1) < $3 \
             OR ($4 = 1 AND NOT EXISTS ( \
                 SELECT 1 FROM stays s JOIN devices d ON d.account = s.account \
                     AND d.removed_at IS NULL \
                 LEFT JOIN cursors k ON k.account = d.account AND k.device = d.device \
                     AND k.conversation = s.conversation \
                 WHERE s.conversation = c.id AND s.last_sequence IS NULL \
                   AND s.first_sequence <= c.erased_up_to + 1 \
                   AND coalesce(k.up_to, 0) <= c.erased_up_to))) \
         ORDER BY c.id LIMIT $5",
    )
    .bind(after)
    .bind(erasure.workspace.map(|workspace| workspace.as_bytes().to_vec()))
    .bind(erasure.before.map(|before| signed(before.as_millis())))
    .bind(i64::from(erasure.hold == Hold::UntilDelivered))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    found.iter().map(|id| fixed(id)).collect()
}

/// Erases the beginning of a conversation's log, as far as it goes; nothing if there is nothing.
async fn erase_one(
    connection: &mut Connection,
    conversation: ConversationId,
    erasure: Erasure,
    now: Timestamp,
) -> Result<Option<u64>, StorageError> {
    let id = conversation.as_bytes().as_slice();
    let (erased_up_to, last): (i64, i64) =
        query_as("SELECT erased_up_to, last FROM conversations WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
    let mut bound = erased_up_to;
    if let Some(before) = erasure.before {
        let first_kept: Option<i64> = query_scalar(
            "SELECT min(sequence) FROM messages \
             WHERE conversation = $1 AND sequence > $2 AND received_at >= $3",
        )
        .bind(id)
        .bind(erased_up_to)
        .bind(signed(before.as_millis()))
        .fetch_one(&mut *connection)
        .await?;
        bound = bound.max(first_kept.map_or(last, |first| first - 1));
    }
    if erasure.hold == Hold::UntilDelivered {
        bound = bound.max(delivered(connection, conversation).await?.unwrap_or(last));
    }
    // Not all at once; counted by rows, since a restore leaves a gap in the sequences.
    let end: Option<i64> = query_scalar(
        "SELECT sequence FROM messages WHERE conversation = $1 AND sequence > $2 \
         ORDER BY sequence LIMIT 1 OFFSET $3",
    )
    .bind(id)
    .bind(erased_up_to)
    .bind(MESSAGES_AT_ONCE - 1)
    .fetch_optional(&mut *connection)
    .await?;
    let bound = bound.min(last).min(end.unwrap_or(last));
    if bound <= erased_up_to {
        return Ok(None);
    }
    let erased = query(
        "UPDATE messages SET header = NULL, commitment = NULL, payload = NULL, wraps = NULL, \
             expires_at = NULL, seen_timer_ms = NULL \
         WHERE conversation = $1 AND sequence > $2 AND sequence <= $3 AND header IS NOT NULL",
    )
    .bind(id)
    .bind(erased_up_to)
    .bind(bound)
    .execute(&mut *connection)
    .await?;
    let numbers = (unsigned(erased_up_to + 1)?, unsigned(bound)?);
    let_go(connection, Namer::Message, id, numbers, now).await?;
    query("UPDATE conversations SET erased_up_to = $2 WHERE id = $1 AND erased_up_to < $2")
        .bind(id)
        .bind(bound)
        .execute(connection)
        .await?;
    Ok(Some(erased.rows_affected()))
}

/// Up to where every device of every member has acknowledged; nothing if there is no device.
async fn delivered(
    connection: &mut Connection,
    conversation: ConversationId,
) -> Result<Option<i64>, StorageError> {
    Ok(query_scalar(
        "SELECT min(CASE WHEN coalesce(k.up_to, 0) >= s.first_sequence THEN k.up_to \
             ELSE s.first_sequence - 1 END) \
         FROM stays s JOIN devices d ON d.account = s.account AND d.removed_at IS NULL \
         LEFT JOIN cursors k ON k.account = d.account AND k.device = d.device \
             AND k.conversation = s.conversation \
         WHERE s.conversation = $1 AND s.last_sequence IS NULL",
    )
    .bind(conversation.as_bytes().as_slice())
    .fetch_one(connection)
    .await?)
}
