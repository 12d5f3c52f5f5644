//! Why the store refused or failed: few answers for callers, the backend's own words for the log.

use chat_core::codec::DecodeError;
use chat_core::id::ConversationId;
use sqlx::migrate::MigrateError;

/// Why the store refused or failed. What the backend said is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The username belongs to another account.
    #[error("the username is taken")]
    NameTaken,
    /// An account of this id exists, and is another.
    #[error("the account exists already")]
    AlreadyExists,
    /// The two members have a direct conversation already.
    #[error("there is a direct conversation of these two already")]
    ConversationExists(ConversationId),
    /// What was to be replaced or continued is not what is stored; somebody was faster.
    #[error("somebody else was first")]
    Conflict,
    /// Something that the call refers to is not there.
    #[error("there is no such thing in the store")]
    NotFound,
    /// The account, or its workspace, may not store as much.
    #[error("a quota is used up")]
    QuotaExceeded,
    /// A blob that is to be named is not there, or not complete.
    #[error("a blob is missing")]
    BlobMissing,
    /// The invitation was spent or revoked, has run out, or never was one.
    #[error("the invitation cannot be used")]
    InvitationInvalid,
    /// Nobody would be left to decide in the workspace.
    #[error("the workspace would have no owner")]
    LastOwner,
    /// The backend could not be reached or did not finish; it may or may not have committed.
    #[error("the database is not available")]
    Unavailable,
    /// The backend has no room left.
    #[error("the database has no room left")]
    Full,
    /// The backend does not take something that it was given; of a batch, nothing was stored.
    #[error("the database does not take what it was given")]
    Unstorable,
    /// Something stored cannot be read.
    #[error("the database holds something that cannot be read")]
    Corrupt,
    /// The database was written by a newer relay.
    #[error("the database has schema version {found}, this relay knows {known}; run a newer relay")]
    TooNew {
        /// The version of the database.
        found: i64,
        /// The newest version this relay knows.
        known: i64,
    },
    /// The database was written by an older relay, and nobody wanted it changed.
    #[error(
        "the database has schema version {found}, this relay needs {known}; run `relay-server migrate`"
    )]
    TooOld {
        /// The version of the database; zero if it is empty.
        found: i64,
        /// The version this relay needs.
        known: i64,
    },
    /// A restore was cut off.
    #[error("a restore of this database was not finished; empty it and restore again")]
    Unfinished,
    /// The backend would not keep what it acknowledges.
    #[error("the database is not set to keep what it acknowledges: {0}")]
    NotDurable(&'static str),
}

impl From<DecodeError> for StorageError {
    fn from(error: DecodeError) -> Self {
        tracing::error!(%error, "a stored object cannot be read");
        Self::Corrupt
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(database) => of_database(database.as_ref()),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound => Self::Corrupt,
            _ => Self::Unavailable,
        };
        match kind {
            Self::Conflict | Self::NotFound => tracing::debug!(%error, "the database refused"),
            Self::Corrupt => tracing::error!(%error, "the database holds what it should not"),
            Self::Unstorable => tracing::error!(%error, "the database did not take a row"),
            _ => tracing::warn!(%error, "the database failed"),
        }
        kind
    }
}

/// Reads the codes of both backends; they have no value in common.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> StorageError {
    if error.is_foreign_key_violation() {
        return StorageError::NotFound;
    }
    if error.is_unique_violation() {
        return StorageError::Conflict;
    }
    let code = error.code().unwrap_or_default();
    // PostgreSQL has five characters; SQLite a number whose lowest byte is the primary code.
    match (code.as_ref(), code.parse::<u32>().map(|number| number & 0xff)) {
        ("53100", _) => StorageError::Full,
        ("XX001" | "XX002", _) => StorageError::Corrupt,
        // Data exceptions, constraints, limits of the program, exceptions raised by triggers.
        (code, _)
            if code.len() == 5 && ["22", "23", "54", "P0"].iter().any(|c| code.starts_with(c)) =>
        {
            StorageError::Unstorable
        }
        (code, _) if code.len() == 5 => StorageError::Unavailable,
        (_, Ok(SQLITE_FULL)) => StorageError::Full,
        (_, Ok(SQLITE_CORRUPT | SQLITE_NOTADB)) => StorageError::Corrupt,
        (_, Ok(SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH)) => StorageError::Unstorable,
        _ => StorageError::Unavailable,
    }
}

const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_TOOBIG: u32 = 18;
const SQLITE_CONSTRAINT: u32 = 19;
const SQLITE_MISMATCH: u32 = 20;
const SQLITE_NOTADB: u32 = 26;

/// Tells why a schema could not be brought to the version this relay knows.
pub(super) fn of_migration(error: MigrateError, known: i64) -> StorageError {
    match error {
        MigrateError::VersionMissing(found) => StorageError::TooNew { found, known },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => {
            tracing::error!(%error, "the schema is not one this relay wrote");
            StorageError::Corrupt
        }
    }
}
