//! Files of the page's origin (OPFS), encrypted by SQLite3 Multiple Ciphers in SQLCipher's format.
//!
//! ```text
//!  store ─▶ "multipleciphers-sealwire" ─▶ "sealwire" ─▶ a pool of access handles in .sealwire
//!             pages sealed and opened       names, reads, writes, all of them at once
//! ```
//!
//! Handles that read and write at once exist in a dedicated worker only, and each file has one
//! holder: the first worker has the whole pool, a second one hears [`Kind::StoreBusy`] until the first
//! has closed its stores. The pool knows no locks, so a store is open once in a worker too; and
//! with one connection, WAL needs no shared memory: `locking_mode=EXCLUSIVE`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use js_sys::Reflect;
use rsqlite_vfs::{OsCallback, VfsFilesManager as _, VfsResult};
use rusqlite::{Connection, OpenFlags};
use send_wrapper::SendWrapper;
use sqlite_wasm_vfs::sahpool::{OpfsSAHError, OpfsSAHPoolCfgBuilder, OpfsSAHPoolUtil, install};
use tokio::sync::Mutex;
use web_time::{Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Kind, Result};
use crate::store::key::StoreKey;

/// The pool's name in SQLite, and its folder.
const POOL: &str = "sealwire";
const FOLDER: &str = ".sealwire";
/// The same behind the cipher, which is made when it is first asked for.
const ENCRYPTED: &str = "multipleciphers-sealwire";
/// What a store may need: itself, `-wal`, `-journal`, and one to spare.
const FILES_A_STORE: usize = 4;

thread_local! {
    static INSTALLED: RefCell<Option<Rc<OpfsSAHPoolUtil>>> = const { RefCell::new(None) };
    static CLAIMED: RefCell<BTreeSet<PathBuf>> = const { RefCell::new(BTreeSet::new()) };
}

/// The right to open a store, which nobody else in this worker has.
#[derive(Debug)]
pub(in crate::store) struct Claim(Option<PathBuf>);

/// Claims a store, and the files it may need; one in memory needs none.
///
/// # Errors
///
/// [`Kind::StoreBusy`] if it is open in this worker or another has the files,
/// [`Kind::StoreFailed`] where there are none.
pub(in crate::store) async fn claim(path: Option<&Path>) -> Result<Claim> {
    let Some(path) = path else { return Ok(Claim(None)) };
    if !CLAIMED.with_borrow_mut(|claimed| claimed.insert(path.to_owned())) {
        return Err(Kind::StoreBusy.into());
    }
    let claim = Claim(Some(path.to_owned()));
    SendWrapper::new(pool()).await?;
    Ok(claim)
}

impl Drop for Claim {
    /// Leaves the files to other workers when this one has no store open.
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        let is_last = CLAIMED.with_borrow_mut(|claimed| {
            claimed.remove(path);
            claimed.is_empty()
        });
        let pool = INSTALLED.with_borrow(Clone::clone);
        if let (true, Some(pool)) = (is_last, pool)
            && let Err(error) = pool.pause()
        {
            tracing::warn!(%error, "the store's files are kept from other workers");
        }
    }
}

/// Opens a file that is claimed, made if there is none, and hands over the key; whether it fits shows
/// later.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(in crate::store) fn open(path: &Path, key: &StoreKey) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, ENCRYPTED)?;
    connection.execute_batch("PRAGMA cipher = 'sqlcipher'; PRAGMA legacy = 4")?;
    connection.execute_batch(&key.pragma())?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    Ok(connection)
}

/// Deletes files, one after the other; what is not there is passed over.
///
/// # Errors
///
/// As [`claim`], which the last of them is.
pub(in crate::store) async fn remove(files: Vec<PathBuf>) -> Result<()> {
    let _claim = claim(files.last().map(PathBuf::as_path)).await?;
    let pool = INSTALLED.with_borrow(Clone::clone).ok_or(Kind::Internal)?;
    for file in files {
        // A name that is not text has no file.
        if let Some(name) = file.to_str() {
            pool.remove(name).map_err(refused)?;
        }
    }
    Ok(())
}

/// Takes the files of the pool into this worker's hands, and sees to it that there are enough.
async fn pool() -> Result<()> {
    static TURNS: Mutex<()> = Mutex::const_new(());
    let _turn = TURNS.lock().await;
    let installed = INSTALLED.with_borrow(Clone::clone);
    let pool = match installed {
        Some(pool) => pool,
        None => {
            let options = OpfsSAHPoolCfgBuilder::new().vfs_name(POOL).directory(FOLDER).build();
            Rc::new(install::<Worker>(&options, false).await.map_err(refused)?)
        }
    };
    INSTALLED.set(Some(Rc::clone(&pool)));
    pool.resume().await.map_err(refused)?;
    let files = pool.len().map_err(refused)?;
    pool.ensure_capacity(files + FILES_A_STORE).await.map_err(refused)
}

fn refused(error: OpfsSAHError) -> Error {
    let is_anothers = match &error {
        OpfsSAHError::Opfs { value, .. } => Reflect::get(value, &"name".into())
            .is_ok_and(|name| name == "NoModificationAllowedError"),
        OpfsSAHError::FileInUse(_) | OpfsSAHError::FilesInUse | OpfsSAHError::Busy => true,
        _ => false,
    };
    let kind = if is_anothers { Kind::StoreBusy } else { Kind::StoreFailed };
    // As words: what JavaScript threw cannot leave its thread.
    kind.because(error.to_string())
}

/// What SQLite asks of the system.
#[derive(Debug, Default)]
struct Worker;

impl OsCallback for Worker {
    /// Nobody waits for a lock where there is one connection.
    fn sleep(&self, duration: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < duration {}
    }

    fn random(&self, bytes: &mut [u8]) -> usize {
        if getrandom::fill(bytes).is_ok() { bytes.len() } else { 0 }
    }

    fn epoch_timestamp_in_ms(&self) -> VfsResult<i64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
