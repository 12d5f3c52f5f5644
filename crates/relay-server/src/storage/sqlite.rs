//! Storage in one SQLite file: one process, one disk, nothing to administer.
//!
//! ```text
//!  writes ──▶ 1 connection, BEGIN IMMEDIATE ──▶ WAL, flushed at each commit
//!  reads  ──▶ a few connections, each on a snapshot; they never wait for the writer
//! ```
//!
//! Erased bytes are overwritten (`secure_delete`), and the log is emptied after each sweep, so that
//! an expired message is on no page of either file.

/// Nothing to add: who writes is alone, who reads has a snapshot.
macro_rules! for_update {
    () => {
        ""
    };
}
macro_rules! skip_locked {
    () => {
        ""
    };
}
macro_rules! for_share {
    () => {
        ""
    };
}

/// Compares text byte by byte, as SQLite does anyway.
macro_rules! bytewise {
    () => {
        ""
    };
}

mod append;
mod batch;
mod room;
#[path = "sql/verbs.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, compiled for each backend")]
mod verbs;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::time::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction, query_as, query_scalar};

use self::room::Room;
use super::error::{StorageError, of_migration};
use super::schema::{self, Schema, Step};
use super::vitals::{Measured, Meter, Pool};

/// The schema, step by step; a step is never changed once it was released.
pub(crate) const STEPS: &[Step] = &[
    (1, "begin", include_str!("../../migrations/sqlite/0001_begin.sql")),
    (2, "forgive", include_str!("../../migrations/sqlite/0002_forgive.sql")),
    (3, "audit", include_str!("../../migrations/sqlite/0003_audit.sql")),
    (4, "workspaces", include_str!("../../migrations/sqlite/0004_workspaces.sql")),
    (5, "blobs", include_str!("../../migrations/sqlite/0005_blobs.sql")),
    (6, "retention", include_str!("../../migrations/sqlite/0006_retention.sql")),
    (7, "compatible", include_str!("../../migrations/sqlite/0007_compatible.sql")),
    (8, "linking", include_str!("../../migrations/sqlite/0008_linking.sql")),
    (9, "rules", include_str!("../../migrations/sqlite/0009_rules.sql")),
    (12, "reports", include_str!("../../migrations/sqlite/0012_reports.sql")),
];
const READERS_MAX: u32 = 4;
/// Pages of the log after which a commit copies them into the file. What is written often, as the
/// ends of the indexes are, is copied once for all of them; SQLite's own 1 000 cost an eighth of the
/// time under load.
const CHECKPOINT_PAGES: &str = "4000";
/// What the writer keeps in memory of the file, in KiB (negative, as SQLite counts it): the indexes'
/// pages, which every message touches.
const WRITER_CACHE: &str = "-32768";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a verb waits for a connection before it says that the store is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

type Connection = sqlx::SqliteConnection;

/// The store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Whether the log may still hold bytes that were erased.
    log_is_stale: Arc<AtomicBool>,
    meter: Meter,
    room: Room,
}

impl Measured for Store {
    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn pool(&self) -> Pool {
        let idle = self.readers.num_idle() + self.writer.num_idle();
        Pool {
            open: self.readers.size() + self.writer.size(),
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
            most: READERS_MAX + 1,
        }
    }
}

impl Store {
    /// Opens the file at `path`, or makes it, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StorageError::TooNew`] for a newer relay's file, [`StorageError::Corrupt`] for one that is
    /// no store of ours, [`StorageError::NotDurable`] where the file system cannot keep a WAL.
    pub async fn open(path: &Path) -> Result<Self, StorageError> {
        Self::open_with(path, Schema::Migrate).await
    }

    /// The same, with another wish for the schema.
    ///
    /// # Errors
    ///
    /// Beside the above, [`StorageError::TooOld`] where steps would be needed that are not wanted.
    pub async fn open_with(path: &Path, schema: Schema) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            // On a full disk SQLite rolls back by itself, and the driver goes on believing in the
            // transaction: it would begin no other on this connection, ever.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .connect_with(
                options
                    .clone()
                    .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
                    .pragma("cache_size", WRITER_CACHE),
            )
            .await?;
        check_settings(&writer).await?;
        migrate(&writer, schema).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        // A sweep may have been cut off before it emptied the log.
        let log_is_stale = Arc::new(AtomicBool::new(true));
        let store = Self {
            writer,
            readers,
            log_is_stale,
            meter: Meter::default(),
            room: Room::around(path),
        };
        store.after_erasing(0).await;
        Ok(store)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StorageError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    async fn read(&self) -> Result<PoolConnection<Sqlite>, StorageError> {
        Ok(self.readers.acquire().await?)
    }

    /// Whether there is room for what grows the database.
    fn check_room(&self) -> Result<(), StorageError> {
        self.room.check()
    }

    /// There are no months here.
    #[expect(clippy::unused_async, reason = "the other backend has partitions")]
    async fn make_month(&self, _now: Timestamp) -> Result<(), StorageError> {
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "the other backend has partitions")]
    fn forget_months(&self) -> bool {
        false
    }

    /// Something was erased, and more will be at once: the log is emptied after that.
    fn note_erased(&self) {
        self.log_is_stale.store(true, Ordering::SeqCst);
    }

    /// Empties the log, so that erased bytes are not left in it.
    async fn after_erasing(&self, erased: usize) {
        if erased > 0 {
            self.log_is_stale.store(true, Ordering::SeqCst);
        }
        if !self.log_is_stale.load(Ordering::SeqCst) {
            return;
        }
        let truncated: Result<(i64, i64, i64), _> =
            query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await;
        match truncated {
            Ok((0, _, _)) => self.log_is_stale.store(false, Ordering::SeqCst),
            Ok(_) => tracing::debug!("a reader holds the log; the next sweep empties it"),
            Err(error) => tracing::warn!(%error, "the log could not be emptied"),
        }
    }

    async fn end(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Whether SQLite took the settings; it ignores without a word what it cannot do.
async fn check_settings(pool: &SqlitePool) -> Result<(), StorageError> {
    let journal: String = query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
    if journal != "wal" {
        return Err(StorageError::NotDurable("SQLite's journal_mode is not WAL"));
    }
    for (sql, least, complaint) in [
        ("PRAGMA synchronous", 2, "SQLite's synchronous is below FULL"),
        ("PRAGMA foreign_keys", 1, "SQLite's foreign_keys is off"),
        ("PRAGMA secure_delete", 1, "SQLite's secure_delete is off"),
    ] {
        let value: i64 = query_scalar(sql).fetch_one(pool).await?;
        if value < least {
            return Err(StorageError::NotDurable(complaint));
        }
    }
    Ok(())
}

async fn migrate(pool: &SqlitePool, schema: Schema) -> Result<(), StorageError> {
    let known = schema::newest(STEPS);
    let found = query_scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'");
    let found = match found.fetch_one(pool).await? {
        0 => None,
        _ => query_scalar(schema::FOUND).fetch_one(pool).await?,
    };
    let compatible_since = match found {
        Some(newer) if newer > known => query_scalar(schema::SINCE).fetch_optional(pool).await?,
        _ => None,
    };
    if schema::wants_steps(found, compatible_since, known, schema)? {
        let migrated = schema::migrator(STEPS).run(pool).await;
        migrated.map_err(|error| of_migration(error, known))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
