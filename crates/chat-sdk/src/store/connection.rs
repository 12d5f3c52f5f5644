//! Opening the connection: the key first, then every setting that the store's promises rest on.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::key::StoreKey;
use super::{file, search};
use crate::error::Result;

/// How long a transaction waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that are kept ready, more than the store has: to compile them again and again was half
/// of what the SDK did.
const STATEMENTS: usize = 512;

/// `synchronous=FULL`: what was committed survives a power cut. `secure_delete=ON`: deleted content
/// is overwritten in its page, where `FAST` would leave it in free pages.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA temp_store = MEMORY;
";

pub(super) fn open_file(path: &Path, key: &StoreKey) -> Result<Connection> {
    let connection = file::open(path, key)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The first read shows whether the key fits.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    settled(connection)
}

pub(super) fn open_memory() -> Result<Connection> {
    settled(Connection::open_in_memory()?)
}

#[cfg(test)]
pub(super) fn open_plain(path: &Path) -> Result<Connection> {
    settled(Connection::open(path)?)
}

fn settled(connection: Connection) -> Result<Connection> {
    connection.execute_batch(SETTINGS)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan does not depend on what is bound; otherwise SQLite compiles kept statements again with
    // each value that might decide whether a partial index serves.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    search::add_function(&connection)?;
    Ok(connection)
}
