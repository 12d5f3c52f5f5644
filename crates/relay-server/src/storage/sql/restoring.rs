//! Beginning an epoch after a restore.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::row::{signed, unsigned};
use super::{Store, accounts};
use crate::storage::StorageError;
use crate::storage::restoring::{NewEpoch, Restoring};

/// What is good once, or only until it is answered.
const GOOD_ONCE: [&str; 4] = [
    "DELETE FROM refresh_tokens",
    "DELETE FROM refresh_families",
    "DELETE FROM pending",
    // Since the backup they may have been spent, or revoked.
    "DELETE FROM invitations",
];

#[async_trait]
impl Restoring for Store {
    async fn begin_epoch(&self, epoch: u64, ahead: u64) -> Result<NewEpoch, StorageError> {
        let begun = write!(self, |transaction| {
            let epoch = accounts::epoch(&mut transaction).await?.saturating_add(1).max(epoch);
            query("UPDATE metadata SET number = $1 WHERE name = 'epoch'")
                .bind(signed(epoch))
                .execute(&mut *transaction)
                .await?;
            let sessions: i64 = query_scalar("SELECT count(*) FROM refresh_families")
                .fetch_one(&mut *transaction)
                .await?;
            for statement in GOOD_ONCE {
                query(statement).execute(&mut *transaction).await?;
            }
            let prekeys = query("DELETE FROM one_time_prekeys")
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            let conversations = query("UPDATE conversations SET last = last + $1")
                .bind(signed(ahead))
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            query("DROP TABLE IF EXISTS sealwire_restoring").execute(&mut *transaction).await?;
            Ok(NewEpoch { epoch, prekeys, sessions: unsigned(sessions)?, conversations })
        })?;
        // What was dropped is to be in no log either.
        self.after_erasing(1).await;
        Ok(begun)
    }
}
