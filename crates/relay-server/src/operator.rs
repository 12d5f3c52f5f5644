//! What an operator does beside running the relay, as the command line needs it.
//!
//! | module | what it does |
//! |---|---|
//! | [`backup`], [`restore`], [`manifest`] | copies of everything, and bringing them back |
//! | [`doctor`] | what may be wrong, before people notice |
//! | [`nodes`] | telling nodes that run what was decided here |
//! | [`reports`] | what people have reported, and being done with it |
//! | [`rules`] | for how long a workspace's messages are kept |
//! | [`workspaces`] | workspaces, invitations, roles, and who may act |

pub mod backup;
pub mod doctor;
pub mod manifest;
pub mod nodes;
mod objects;
mod postgres_tools;
pub mod reports;
pub mod restore;
pub mod rules;
pub mod workspaces;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chat_core::codec::{Digest, from_base64url, to_base64url};
use chat_core::id::ReportId;
use chat_core::reject::Reject;
use serde::Serialize;

use crate::audit::{Anchor, AuditEvent, AuditRecord, BrokenChain, Chained, Note};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Database};
use crate::relay::{self, StartError};
use crate::storage::schema::{Schema, newest};
use crate::storage::{Storage, StorageError, postgres, sqlite};

/// Connections to PostgreSQL that a command needs.
const CONNECTIONS: u32 = 2;
/// How many entries are read at once.
const PAGE: usize = 1_000;
/// In place of a node's id, where no node was at work.
const COMMAND_LINE: &str = "command line";

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// There is no database.
    #[error("there is no database at {}; is `data` or `database` set as for the relay?", .0.display())]
    NoDatabase(PathBuf),
    /// The database.
    #[error("the database cannot be used: {0}")]
    Storage(#[from] StorageError),
    /// The audit log.
    #[error("the audit log is NOT whole: {0}")]
    Audit(#[from] BrokenChain),
    /// Something that should name a place in the audit log does not.
    #[error(
        "`{0}` names no place in the audit log; it looks like 17:kZ0…, as `audit tail` shows it"
    )]
    NoAnchor(String),
    /// A name that no workspace can have.
    #[error("a workspace's name has 1 to 64 bytes, none of them a control character")]
    WorkspaceName,
    /// There is no such workspace.
    #[error("there is no workspace `{0}`; `admin workspaces` prints those there are")]
    NoWorkspace(String),
    /// A name that several workspaces have.
    #[error("several workspaces are called `{0}`; give the id, as `admin workspaces` prints it")]
    ManyWorkspaces(String),
    /// There is no such report, or not any more.
    #[error("there is no report {0}; `admin reports list --all` prints those there are")]
    NoReport(ReportId),
    /// The output, or a file.
    #[error("a file could not be read or written: {0}")]
    Output(#[from] io::Error),
    /// The folder holds no backup.
    #[error("{} holds no backup that this relay can read", .0.display())]
    NoBackup(PathBuf),
    /// A file of a backup is not as it was.
    #[error("the backup is damaged: {0} is not the file that was written")]
    Damaged(String),
    /// The backup is of the other kind of database.
    #[error("the backup holds {0}, which the configured database cannot take in")]
    OtherDatabase(&'static str),
    /// There is something where the backup should go.
    #[error("there is a database at {0} already; move it away first, nothing is written over it")]
    NotEmpty(String),
    /// A relay runs, or its folder cannot be used.
    #[error(transparent)]
    InUse(Box<StartError>),
    /// Something was refused.
    #[error("{}", .0.message)]
    Refused(Box<Reject>),
    /// A program is not there.
    #[error("`{0}` is not on this machine; install PostgreSQL's client programs")]
    NoTool(&'static str),
    /// A program failed.
    #[error("{name} failed: {said}")]
    Tool {
        /// Which.
        name: &'static str,
        /// Its first words.
        said: String,
    },
}

impl OperatorError {
    fn in_use(error: StartError) -> Self {
        Self::InUse(Box::new(error))
    }
}

impl From<Reject> for OperatorError {
    fn from(reject: Reject) -> Self {
        Self::Refused(Box::new(reject))
    }
}

impl From<sqlx::Error> for OperatorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Opens the relay's database, which may be in use by nodes.
///
/// # Errors
///
/// [`OperatorError::NoDatabase`] instead of making one; [`OperatorError::Storage`], also for a schema
/// that [`migrate`] would have to bring up to date first.
pub async fn open(config: &Config) -> Result<Arc<dyn Storage>, OperatorError> {
    match &config.database {
        Database::Sqlite(path) if !path.exists() => Err(OperatorError::NoDatabase(path.clone())),
        Database::Sqlite(path) => {
            Ok(Arc::new(sqlite::Store::open_with(path, Schema::AsItIs).await?))
        }
        Database::Postgres(url) => {
            Ok(Arc::new(postgres::Store::open_with(url, CONNECTIONS, Schema::AsItIs).await?))
        }
    }
}

/// Brings the database's schema up to date; makes the database where it is a file. Nodes of the
/// version before may go on meanwhile. Returns the schema's version.
///
/// # Errors
///
/// [`OperatorError`]; every step that was finished stays so.
pub async fn migrate(config: &Config) -> Result<i64, OperatorError> {
    let (storage, version): (Arc<dyn Storage>, _) = match &config.database {
        Database::Sqlite(path) => {
            // A node that runs holds the folder; nobody changes the schema below it.
            let _lock = relay::prepare(&config.data, path).map_err(OperatorError::in_use)?;
            (Arc::new(sqlite::Store::open(path).await?), newest(sqlite::STEPS))
        }
        Database::Postgres(url) => {
            (Arc::new(postgres::Store::open(url, CONNECTIONS).await?), newest(postgres::STEPS))
        }
    };
    let note = Note::done(AuditEvent::Migrated).saying(format_args!("schema {version}"));
    storage.append_audit(&[note.record(SystemClock.now(), COMMAND_LINE)]).await?;
    storage.close().await;
    Ok(version)
}

/// Writes the last `count` entries of the audit log, one line of JSON each.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn tail(
    storage: &dyn Storage,
    count: u64,
    output: &mut impl Write,
) -> Result<(), OperatorError> {
    let last = storage.audit_ends().await?.last.sequence;
    write_after(storage, last.saturating_sub(count), output).await?;
    Ok(())
}

/// Writes all entries of the audit log after the one numbered `after`, one line of JSON each, and
/// notes in the log that this was done.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn export(
    storage: &dyn Storage,
    after: u64,
    output: &mut impl Write,
) -> Result<(), OperatorError> {
    let count = write_after(storage, after, output).await?;
    let words = format!("audit export, {count} entries after {after}");
    let note = Note::done(AuditEvent::Administration).saying(words);
    Ok(storage.append_audit(&[note.record(SystemClock.now(), COMMAND_LINE)]).await?)
}

async fn write_after(
    storage: &dyn Storage,
    mut after: u64,
    output: &mut impl Write,
) -> Result<u64, OperatorError> {
    let mut count = 0;
    loop {
        let page = storage.read_audit(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        for entry in &page {
            count += 1;
            serde_json::to_writer(&mut *output, &Line::of(entry)?).map_err(io::Error::from)?;
            writeln!(output)?;
        }
    }
    output.flush()?;
    Ok(count)
}

/// An entry as it is exported. Whoever has two lines that follow each other can check the second:
/// `anchor` is SHA-256 over label, the anchor before, and `bytes`.
#[derive(Serialize)]
struct Line {
    anchor: String,
    #[serde(flatten)]
    record: AuditRecord,
    bytes: String,
}

impl Line {
    fn of(entry: &Chained) -> Result<Self, BrokenChain> {
        let anchor = show(Anchor { sequence: entry.sequence, hash: entry.hash });
        Ok(Self { anchor, record: entry.read()?, bytes: to_base64url(&entry.record) })
    }
}

/// A place in the audit log as people note it: its number and its hash.
#[must_use]
pub fn show(anchor: Anchor) -> String {
    format!("{}:{}", anchor.sequence, to_base64url(anchor.hash.as_bytes()))
}

/// Reads what [`show`] has written.
///
/// # Errors
///
/// [`OperatorError::NoAnchor`].
pub fn anchor(text: &str) -> Result<Anchor, OperatorError> {
    let read = || {
        let (sequence, hash) = text.split_once(':')?;
        let hash = from_base64url(hash).ok()?;
        let hash = Digest::try_from(hash.as_slice()).ok()?;
        Some(Anchor { sequence: sequence.parse().ok()?, hash })
    };
    read().ok_or_else(|| OperatorError::NoAnchor(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_and_nothing_else_is() {
        let place = Anchor { sequence: 17, hash: Digest::of(b"x") };

        assert_eq!(anchor(&show(place)).unwrap(), place);
        for text in ["", "17", "17:", ":AAAA", "x:AAAA", "17:AAAA"] {
            assert!(anchor(text).is_err(), "{text}");
        }
    }
}
