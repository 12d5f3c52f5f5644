//! Backups, made while the relay runs.
//!
//! ```text
//!  begin ─▶ a snapshot of the database ─▶ copy ─▶ checked ─▶ objects of blobs ─▶ manifest
//!           SQLite: VACUUM INTO
//!           PostgreSQL: pg_dump
//! ```
//!
//! The snapshot is taken after the beginning, so everything that was accepted before is in it.
//! Blobs are copied after the database: what the database names is there unless it was deleted
//! since, and what it does not name yet is collected like everything nobody names.

use std::fs;
use std::path::Path;

use chat_core::time::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, query, query_scalar};

use super::manifest::{Kind, Manifest, make_private};
use super::objects;
use super::{COMMAND_LINE, CONNECTIONS, OperatorError, open, postgres_tools};
use crate::audit::{AuditEvent, Note};
use crate::config::{Config, Database};
use crate::storage::schema::{Schema, newest};
use crate::storage::{Storage as _, StorageError, postgres};

/// Makes a backup of everything that the relay of `config` keeps, in the new folder `into`.
///
/// # Errors
///
/// [`OperatorError`]; what is in `into` then has no manifest and is no backup.
pub async fn backup(
    config: &Config,
    into: &Path,
    now: Timestamp,
) -> Result<Manifest, OperatorError> {
    make_private(into)?;
    let manifest = match &config.database {
        Database::Sqlite(path) => of_sqlite(path, into, now).await?,
        Database::Postgres(url) => of_postgres(url, into, now).await?,
    };
    let (sealed, objects) = (into.to_owned(), objects::folder(config));
    let manifest = tokio::task::spawn_blocking(move || {
        if let Some(objects) = objects {
            objects::copy(&objects, &sealed.join(objects::IN_BACKUP))?;
        }
        manifest.seal(&sealed)
    })
    .await
    .map_err(std::io::Error::other)??;
    note(config, &manifest, now).await?;
    Ok(manifest)
}

async fn of_sqlite(path: &Path, into: &Path, now: Timestamp) -> Result<Manifest, OperatorError> {
    if !path.exists() {
        return Err(OperatorError::NoDatabase(path.to_owned()));
    }
    let copy = into.join(Kind::Sqlite.file());
    let mut live = SqliteConnectOptions::new().filename(path).connect().await?;
    let name = copy.to_str().ok_or_else(|| OperatorError::NoBackup(into.to_owned()))?;
    query("VACUUM INTO $1").bind(name).execute(&mut live).await?;
    live.close().await?;
    #[cfg(unix)]
    fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;

    // What the copy says counts, not what the database says by now.
    let options = SqliteConnectOptions::new().filename(&copy).read_only(true).immutable(true);
    let mut copied = options.connect().await?;
    let sound: String = query_scalar("PRAGMA quick_check").fetch_one(&mut copied).await?;
    if sound != "ok" {
        return Err(StorageError::Corrupt.into());
    }
    let schema: i64 =
        query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut copied).await?;
    let epoch: i64 = query_scalar("SELECT number FROM metadata WHERE name = 'epoch'")
        .fetch_one(&mut copied)
        .await?;
    copied.close().await?;
    Ok(Manifest::of(Kind::Sqlite, schema, u64::try_from(epoch).unwrap_or_default(), now))
}

async fn of_postgres(url: &str, into: &Path, now: Timestamp) -> Result<Manifest, OperatorError> {
    let store = postgres::Store::open_with(url, CONNECTIONS, Schema::AsItIs).await?;
    let epoch = store.epoch().await?;
    store.close().await;
    let file = into.join(Kind::Postgres.file());
    postgres_tools::dump(url, &file).await?;
    Ok(Manifest::of(Kind::Postgres, newest(postgres::STEPS), epoch, now))
}

/// Says in the audit log that there is a copy of everything now.
async fn note(config: &Config, manifest: &Manifest, now: Timestamp) -> Result<(), OperatorError> {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let storage = open(config).await?;
    let note = Note::done(AuditEvent::BackupMade).saying(format_args!("{bytes} bytes"));
    storage.append_audit(&[note.record(now, COMMAND_LINE)]).await?;
    storage.close().await;
    Ok(())
}
