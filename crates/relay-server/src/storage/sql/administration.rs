//! Counting what there is.

use async_trait::async_trait;
use sqlx::query_scalar;

use super::Store;
use super::row::unsigned;
use crate::storage::StorageError;
use crate::storage::administration::{Administration, Stats};

#[async_trait]
impl Administration for Store {
    async fn stats(&self) -> Result<Stats, StorageError> {
        read!(self, |connection| {
            let mut stats = Stats::default();
            for (place, sql) in [
                (&mut stats.accounts, "SELECT count(*) FROM accounts"),
                (&mut stats.devices, "SELECT count(*) FROM devices WHERE removed_at IS NULL"),
                (&mut stats.sessions, "SELECT count(*) FROM refresh_families WHERE is_revoked = 0"),
                (&mut stats.conversations, "SELECT count(*) FROM conversations"),
                (&mut stats.messages, "SELECT count(*) FROM messages WHERE payload IS NOT NULL"),
                (&mut stats.erased, "SELECT count(*) FROM messages WHERE payload IS NULL"),
                (&mut stats.prekeys, "SELECT count(*) FROM one_time_prekeys"),
                (&mut stats.audit, "SELECT count(*) FROM audit"),
            ] {
                let count: i64 = query_scalar(sql).fetch_one(&mut *connection).await?;
                *place = unsigned(count)?;
            }
            Ok(stats)
        })
    }
}
