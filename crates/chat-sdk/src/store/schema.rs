//! Tables and their versions.
//!
//! The version is `user_version`; a migration is a string of SQL that leads from one version to the
//! next, applied in one transaction. What has been released is never edited, only followed by
//! another. Columns are named, `NOT NULL` unless absence means something, and never used for a
//! second purpose. Ids, keys and digests are blobs; moments are milliseconds since 1970; secret
//! states are the snapshots that chat-crypto writes, versioned in themselves.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Kind, Result};

/// The newest version, which this code reads and writes.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: &[&str] = &[
    concat!(include_str!("migrations/1_begin.sql"), include_str!("migrations/1_living.sql")),
    include_str!("migrations/2_remedies.sql"),
    include_str!("migrations/3_asking.sql"),
    include_str!("migrations/4_searching.sql"),
    include_str!("migrations/5_finding.sql"),
    include_str!("migrations/6_rewrapping.sql"),
];

/// Brings the file to [`VERSION`].
///
/// # Errors
///
/// [`Kind::StoreTooNew`] if it is beyond that.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(Kind::StoreTooNew.into());
    }
    let done = usize::try_from(version).map_err(|error| Kind::StoreFailed.because(error))?;
    for migration in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}
