//! Storage in PostgreSQL: several nodes on one database.
//!
//! ```text
//!  node A ─┐  a batch locks its conversations' rows in the order of their ids,
//!          ├─▶ so two nodes that append to the same ones wait for, and never block, each other
//!  node B ─┘
//! ```
//!
//! Transactions run at READ COMMITTED; where two could miss each other's writes, one of the rows
//! that both need is locked first. Erased messages stay in dead rows until the next vacuum, and in
//! the write-ahead log and backups for as long as these are kept.

/// Ends a SELECT whose rows nobody else may change until the transaction ends.
macro_rules! for_update {
    () => {
        " FOR NO KEY UPDATE"
    };
}
/// After `for_update!`: leaves out rows that somebody else holds.
macro_rules! skip_locked {
    () => {
        " SKIP LOCKED"
    };
}
/// Ends a SELECT whose rows are to stay as they are until the transaction ends.
macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}

/// Compares text byte by byte.
macro_rules! bytewise {
    () => {
        " COLLATE \"C\""
    };
}

mod append;
mod batch;
mod partitions;
#[path = "sql/verbs.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each backend")]
mod verbs;

use std::time::Duration;

use chat_core::time::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool, Postgres, Transaction, query_scalar};

use self::partitions::Months;
use super::error::{StorageError, of_migration};
use super::month::Month;
use super::schema::{self, Schema, Step};
use super::vitals::{Measured, Meter, Pool};

/// The schema, step by step; a step is never changed once it was released.
pub(crate) const STEPS: &[Step] = &[
    (1, "begin", include_str!("../../migrations/postgres/0001_begin.sql")),
    (2, "forgive", include_str!("../../migrations/postgres/0002_forgive.sql")),
    (3, "audit", include_str!("../../migrations/postgres/0003_audit.sql")),
    (4, "workspaces", include_str!("../../migrations/postgres/0004_workspaces.sql")),
    (5, "blobs", include_str!("../../migrations/postgres/0005_blobs.sql")),
    (6, "retention", include_str!("../../migrations/postgres/0006_retention.sql")),
    (7, "compatible", include_str!("../../migrations/postgres/0007_compatible.sql")),
    (8, "linking", include_str!("../../migrations/postgres/0008_linking.sql")),
    (9, "rules", include_str!("../../migrations/postgres/0009_rules.sql")),
    (11, "partitions", include_str!("../../migrations/postgres/0011_partitions.sql")),
    (12, "reports", include_str!("../../migrations/postgres/0012_reports.sql")),
];
/// How long a verb waits for a connection before it says that the store is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer is asked whether it is still there before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

type Connection = sqlx::PgConnection;

/// The store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    meter: Meter,
    months: Months,
}

impl Measured for Store {
    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn pool(&self) -> Pool {
        Pool {
            open: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            most: self.pool.options().get_max_connections(),
        }
    }
}

impl Store {
    /// Connects to the database at `url` with at most `connections`, and brings its schema up to
    /// date; of several nodes that start at once, one does and the others wait.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`] for a URL that leads nowhere, [`StorageError::TooNew`] for a
    /// newer relay's database, [`StorageError::Corrupt`] for a schema that is not ours,
    /// [`StorageError::NotDurable`] if the server acknowledges commits that are not on disk.
    pub async fn open(url: &str, connections: u32) -> Result<Self, StorageError> {
        Self::open_with(url, connections, Schema::Migrate).await
    }

    /// The same, with another wish for the schema.
    ///
    /// # Errors
    ///
    /// Beside the above, [`StorageError::TooOld`] where steps would be needed that are not wanted,
    /// [`StorageError::Unfinished`] where a restore was cut off.
    pub async fn open_with(
        url: &str,
        connections: u32,
        schema: Schema,
    ) -> Result<Self, StorageError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("sealwire-relay");
        let patient = options.clone();
        let options = options.options([
            ("lock_timeout", "5s"),
            ("statement_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "15s"),
            // Everything here is looked up by its key. A plan that was made while a table was small
            // and reads all of it stays for as long as nobody analyses the table.
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move {
                    if known.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options)
            .await?;
        check_settings(&pool).await?;
        migrate(patient, schema).await?;
        Ok(Self { pool, meter: Meter::default(), months: Months::default() })
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StorageError> {
        Ok(self.pool.begin().await?)
    }

    async fn read(&self) -> Result<PoolConnection<Postgres>, StorageError> {
        Ok(self.pool.acquire().await?)
    }

    /// Makes room for what is accepted now, unless this node knows that there is.
    async fn make_month(&self, now: Timestamp) -> Result<(), StorageError> {
        let month = Month::of(now);
        if self.months.has(month) {
            return Ok(());
        }
        let made = async { partitions::make(&mut *self.read().await?, month).await };
        self.meter.write(made).await?;
        self.months.note(month);
        Ok(())
    }

    /// Another node may have let go of a month; tells whether it is worth another attempt.
    fn forget_months(&self) -> bool {
        self.months.forget()
    }

    /// The disk is the server's, and so is what to do about it.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the other backend has a disk"
    )]
    fn check_room(&self) -> Result<(), StorageError> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "the other backend has a log to empty")]
    fn note_erased(&self) {}

    /// Vacuum does what is left to do.
    #[expect(clippy::unused_async, reason = "the other backend has something to wait for")]
    async fn after_erasing(&self, _erased: usize) {}

    async fn end(&self) {
        self.pool.close().await;
    }
}

/// Whether a commit that is acknowledged is on disk.
async fn check_settings(pool: &PgPool) -> Result<(), StorageError> {
    let commit: String =
        query_scalar("SELECT current_setting('synchronous_commit')").fetch_one(pool).await?;
    if !matches!(commit.as_str(), "on" | "local" | "remote_write" | "remote_apply") {
        return Err(StorageError::NotDurable("PostgreSQL's synchronous_commit is off"));
    }
    let fsync: String = query_scalar("SELECT current_setting('fsync')").fetch_one(pool).await?;
    if fsync != "on" {
        return Err(StorageError::NotDurable("PostgreSQL's fsync is off"));
    }
    Ok(())
}

async fn migrate(options: PgConnectOptions, schema: Schema) -> Result<(), StorageError> {
    let known = schema::newest(STEPS);
    // On a connection of its own: it may wait for another node for as long as that needs, and the
    // advisory lock goes with it, whatever happens.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    if schema != Schema::Unfinished {
        let unfinished = "SELECT to_regclass('sealwire_restoring') IS NOT NULL";
        if query_scalar(unfinished).fetch_one(&pool).await? {
            return Err(StorageError::Unfinished);
        }
    }
    let found = query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let found = match found.fetch_one(&pool).await? {
        false => None,
        true => query_scalar(schema::FOUND).fetch_one(&pool).await?,
    };
    let compatible_since = match found {
        Some(newer) if newer > known => query_scalar(schema::SINCE).fetch_optional(&pool).await?,
        _ => None,
    };
    let migrated = match schema::wants_steps(found, compatible_since, known, schema)? {
        true => schema::migrator(STEPS).run(&pool).await,
        false => Ok(()),
    };
    pool.close().await;
    migrated.map_err(|error| of_migration(error, known))
}

#[cfg(test)]
mod tests;
