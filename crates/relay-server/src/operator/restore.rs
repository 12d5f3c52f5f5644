//! Restoring a backup, which is a security event: whatever is good once might be used twice.
//!
//! ```text
//!  every file checked ─▶ database, beside its place ─▶ migrated ─▶ a new epoch ─▶ what is due
//!                                                                  is erased ─▶ put in place
//! ```
//!
//! Nothing can start on what is half restored: SQLite's file gets its name last; PostgreSQL has a
//! table `sealwire_restoring` from before the first row until the epoch has begun. See
//! `docs/operations.md` and ADR 0027.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::time::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, query, query_scalar};

use super::manifest::{Kind, Manifest, flush_folder};
use super::objects;
use super::{COMMAND_LINE, CONNECTIONS, OperatorError, postgres_tools};
use crate::audit::{AuditEvent, Note};
use crate::config::{Config, Database};
use crate::relay::prepare;
use crate::storage::restoring::{NewEpoch, Restoring};
use crate::storage::schema::Schema;
use crate::storage::{Storage as _, StorageError, postgres, sqlite};

/// So much higher the sequences of a conversation go on, once and for each minute since the backup:
/// no device has seen any of them, not even if the same backup was restored before.
const SEQUENCES: u64 = 1 << 32;
/// Minutes that count; JavaScript still counts up to the product.
const MINUTES_MAX: u64 = 1 << 20;
/// How many messages one transaction erases.
const MESSAGES_A_SWEEP: usize = 5_000;

/// What a restore has brought back, and what it has dropped.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// The epoch that has begun.
    pub epoch: NewEpoch,
    /// How many messages were due and are erased.
    pub erased: usize,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewEpoch { epoch, prekeys, sessions, conversations } = self.epoch;
        writeln!(f, "Restored. Epoch {epoch} has begun:")?;
        writeln!(f, "  {sessions} sessions ended; devices log in again by their keys")?;
        writeln!(f, "  {prekeys} one-time prekeys dropped; devices bring new ones")?;
        writeln!(f, "  {conversations} conversations go on with higher sequences")?;
        writeln!(f, "  {} messages were due and are erased", self.erased)
    }
}

/// Brings back the backup in `from`, in place of nothing: `config` must name no database that holds
/// anything.
///
/// # Errors
///
/// [`OperatorError`]; the relay does not start on what is left then.
pub async fn restore(
    config: &Config,
    from: &Path,
    now: Timestamp,
) -> Result<Restored, OperatorError> {
    let folder = from.to_owned();
    let manifest = tokio::task::spawn_blocking(move || Manifest::read(&folder))
        .await
        .map_err(std::io::Error::other)??;
    let (kept, objects) = (from.join(objects::IN_BACKUP), objects::folder(config));
    match (&config.database, manifest.database) {
        (Database::Sqlite(path), Kind::Sqlite) if path.exists() => {
            return Err(OperatorError::NotEmpty(path.display().to_string()));
        }
        (Database::Sqlite(_), Kind::Sqlite) | (Database::Postgres(_), Kind::Postgres) => {}
        (_, kind) => return Err(OperatorError::OtherDatabase(kind.file())),
    }
    // Before the database: what it names is to be there when somebody starts on it.
    if let Some(objects) = objects {
        tokio::task::spawn_blocking(move || objects::copy(&kept, &objects))
            .await
            .map_err(std::io::Error::other)??;
    }
    match &config.database {
        Database::Sqlite(path) => to_sqlite(config, path, from, manifest, now).await,
        Database::Postgres(url) => to_postgres(url, from, manifest, now).await,
    }
}

async fn to_sqlite(
    config: &Config,
    path: &Path,
    from: &Path,
    manifest: Manifest,
    now: Timestamp,
) -> Result<Restored, OperatorError> {
    let beside = with_suffix(path, ".restoring");
    // Takes the folder's lock, and makes what is not there yet.
    let _lock = prepare(&config.data, &beside).map_err(OperatorError::in_use)?;
    for suffix in ["-wal", "-shm"] {
        for place in [path, &beside] {
            remove(&with_suffix(place, suffix))?;
        }
    }
    fs::copy(from.join(Kind::Sqlite.file()), &beside)?;
    let store = Arc::new(sqlite::Store::open(&beside).await?);
    let restored = renew(&*store, manifest, now).await?;
    // Closing it empties the log into the file and takes it away.
    store.close().await;
    if fs::metadata(with_suffix(&beside, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(StorageError::Unavailable.into());
    }
    remove(&with_suffix(&beside, "-wal"))?;
    remove(&with_suffix(&beside, "-shm"))?;
    fs::File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)?;
    flush_folder(path.parent().filter(|folder| folder.is_dir()).unwrap_or(Path::new(".")))?;
    Ok(restored)
}

async fn to_postgres(
    url: &str,
    from: &Path,
    manifest: Manifest,
    now: Timestamp,
) -> Result<Restored, OperatorError> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    let claimed = claim(&mut connection).await;
    connection.close().await?;
    claimed?;
    postgres_tools::restore(url, &from.join(Kind::Postgres.file())).await?;
    let store = postgres::Store::open_with(url, CONNECTIONS, Schema::Unfinished).await?;
    let restored = renew(&store, manifest, now).await?;
    store.close().await;
    Ok(restored)
}

/// Makes sure that there is nothing, and that no relay starts before there is everything.
async fn claim(connection: &mut PgConnection) -> Result<(), OperatorError> {
    let mut transaction = connection.begin().await?;
    let tables: i64 = query_scalar(
        "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') \
         AND relnamespace = current_schema()::regnamespace",
    )
    .fetch_one(&mut *transaction)
    .await?;
    if tables > 0 {
        return Err(OperatorError::NotEmpty("that URL".to_owned()));
    }
    query("CREATE TABLE sealwire_restoring (since timestamptz NOT NULL DEFAULT now())")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// Erases what is due, begins the epoch, and notes both.
async fn renew(
    store: &impl Restoring,
    manifest: Manifest,
    now: Timestamp,
) -> Result<Restored, OperatorError> {
    let mut erased = 0;
    loop {
        let due = store.expire_due(now, MESSAGES_A_SWEEP).await?.len();
        erased += due;
        if due < MESSAGES_A_SWEEP {
            break;
        }
    }
    store.forget_expired(now).await?;
    let age = now.since(manifest.began_at).as_secs();
    let ahead = SEQUENCES * (1 + (age / 60).min(MINUTES_MAX));
    // Seconds since 1970: also higher than the epoch of an earlier restore of the same backup.
    let epoch = store.begin_epoch(now.as_millis() / 1_000, ahead).await?;
    let note = Note::done(AuditEvent::Restored).saying(format_args!(
        "epoch {}, from a backup of epoch {} begun at {}",
        epoch.epoch,
        manifest.epoch,
        manifest.began_at.as_millis(),
    ));
    store.append_audit(&[note.record(now, COMMAND_LINE)]).await?;
    Ok(Restored { manifest, epoch, erased })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
