//! Files of an operating system, encrypted by SQLCipher.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::error::{Kind, Result};
use crate::store::key::StoreKey;
use crate::tasks;

/// How much is overwritten at once.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Several processes may have a store open; SQLite keeps them apart.
#[derive(Debug)]
pub(in crate::store) struct Claim;

/// Nothing has to be had before a file can be opened.
///
/// # Errors
///
/// None; in a browser there are some.
pub(in crate::store) async fn claim(_: Option<&Path>) -> Result<Claim> {
    Ok(Claim)
}

/// Opens a file, made if there is none, and hands over the key; whether it fits shows later.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(in crate::store) fn open(path: &Path, key: &StoreKey) -> Result<Connection> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Refusals are returned; SQLCipher would also print them.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    connection.execute_batch(&key.pragma())?;
    Ok(connection)
}

/// Overwrites files and deletes them, one after the other; what is not there is passed over.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(in crate::store) async fn remove(files: Vec<PathBuf>) -> Result<()> {
    let erased = tasks::aside(move || files.iter().try_for_each(|file| erase(file))).await;
    let erased = erased.map_err(|error| Kind::Internal.because(error))?;
    erased.map_err(|error| Kind::StoreFailed.because(error))
}

/// Makes the file, readable by its owner only, before SQLite would make it readable by others.
fn make_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| Kind::StoreFailed.because(error))
}

fn erase(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => overwrite(file)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    remove_file(path)
}

fn overwrite(mut file: File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
        // INVARIANT: not more than there are.
        file.write_all(ZEROS.get(..now).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX));
    }
    file.sync_all()
}
