//! The store: everything a device remembers, in one encrypted SQLite file.
//!
//! ```text
//!  async callers ──closures──▶ channel ──▶ store thread ── SQLCipher connection ── file
//!        ◀───────── results ─────────────────────┘           WAL, synchronous=FULL
//!
//!  in a browser   ──closures──▶ at once, in place ── the same format ── origin private file system
//! ```
//!
//! [`Store::write`] runs a closure in one IMMEDIATE transaction, [`Store::read`] in a deferred one.
//! What a closure does happens as a whole or not at all, also between two processes that have the
//! same file open (an app and its notification extension): a ratchet that is loaded, advanced and
//! saved in one closure moves once. No SQLite call runs on an async worker.
//!
//! | file | tables |
//! |---|---|
//! | [`schema`] | all of them, with migrations |
//! | [`account`] | `account`, `tokens`: who we are |
//! | [`prekeys`] | `prekey_sets`: our secrets for handshakes others start |
//! | [`peers`] | `peers`: others' pinned identity keys and device lists |
//! | [`sessions`] | `sessions`: ratchets, one row a device of somebody |
//! | [`conversations`] | `conversations`, membership logs, what each device sent last |
//! | [`messages`], [`tombstones`] | `messages`, `tombstones`: what was said, and what is gone |
//! | [`progress`] | none: how far our messages got, by others' receipts |
//! | [`timers`] | how long messages still have |
//! | [`annotations`], [`timeline`], [`window`] | what was said about messages; messages to look at |
//! | [`search`] | `search`: their words |
//! | [`outbox`], [`scheduled`] | what is to be sent, now and later |
//! | [`parked`] | messages that wait for keys |
//! | [`asking`] | sender chains that did not arrive |
//! | [`disclosures`] | what opens a message once more, to report it |
//! | [`backups`] | messages for a backup, and out of one |
//! | [`uploads`] | files that messages wait for |
//! | [`cursors`], [`receipts`] | how far we are, and how far others are |
//! | [`history`] | `held`: which places of a log we were shown |
//! | [`settings`], [`drafts`] | what this account has settled; words not sent |
//! | [`changes`] | none: who is told what has changed |
//! | `key`, `keychain` | none: what opens the file, and who keeps it |
//! | [`check`], [`wipe`] | all of them: whether they are whole; the end of them |
//!
//! Deleted content is overwritten (`secure_delete=ON`), and [`Store::scrub`] empties the WAL.
//! In a browser the SDK runs in a dedicated worker, which is the store's thread as well; one worker at
//! a time has the files.

pub mod account;
pub mod annotations;
pub mod asking;
pub mod backups;
pub mod chains;
pub mod changes;
pub mod check;
mod columns;
mod connection;
pub mod conversations;
pub mod cursors;
pub mod deletions;
pub mod disclosures;
pub mod drafts;
mod executor;
mod file;
pub mod history;
pub mod key;
#[cfg(all(feature = "keychain-over", not(target_arch = "wasm32")))]
pub mod keychain;
pub mod messages;
pub mod outbox;
pub mod parked;
pub mod peers;
pub mod prekeys;
pub mod profiles;
pub mod progress;
pub mod receipts;
pub mod rewraps;
pub mod scheduled;
pub mod schema;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod timeline;
pub mod timers;
pub mod tombstones;
pub mod uploads;
pub mod window;
pub mod wipe;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::changes::Changes;
pub use self::columns::{blob, millis, timestamp};
use self::executor::Executor;
pub use self::key::StoreKey;
use crate::error::{Error, Kind, Result};

/// A handle to the store; clones share it.
#[derive(Clone)]
pub struct Store {
    executor: Executor,
    changes: Changes,
    path: Option<Arc<Path>>,
}

/// Where a store is.
#[derive(Debug)]
pub enum Place {
    /// In a file, made if there is none.
    File {
        /// The file; SQLite puts a `-wal` and a `-shm` beside it. In a browser, its name among the
        /// files of the page's origin.
        path: PathBuf,
        /// What opens it.
        key: StoreKey,
    },
    /// In memory: gone with the last handle.
    Memory,
    /// In a file that is not encrypted, so that a test can search its bytes.
    #[cfg(test)]
    Plain(PathBuf),
}

impl Place {
    /// The file, if it is one.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Memory => None,
            #[cfg(test)]
            Self::Plain(path) => Some(path),
        }
    }
}

impl Store {
    /// Opens the store, making and migrating it as needed.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreLocked`] for another key or a file that is no store, [`Kind::StoreTooNew`] for
    /// one of a newer version, [`Kind::StoreFailed`] if the file cannot be opened.
    pub async fn open(place: Place) -> Result<Self> {
        let changes = Changes::default();
        let noting = changes.clone();
        let path = place.path().map(Arc::from);
        let claim = file::claim(path.as_deref()).await?;
        let executor = Executor::start(claim, move || {
            let mut connection = match &place {
                Place::File { path, key } => connection::open_file(path, key)?,
                Place::Memory => connection::open_memory()?,
                #[cfg(test)]
                Place::Plain(path) => connection::open_plain(path)?,
            };
            noting.add_function(&connection)?;
            schema::migrate(&mut connection)?;
            Ok(connection)
        });
        Ok(Self { executor: executor.await?, changes, path })
    }

    /// A store in memory, for tests and for people who leave nothing behind.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`] without memory.
    pub async fn in_memory() -> Result<Self> {
        Self::open(Place::Memory).await
    }

    /// Runs `work` in one IMMEDIATE transaction: committed and flushed when this returns `Ok`,
    /// without a trace when it returns `Err`.
    ///
    /// Work that was begun is finished even if the caller stops waiting for it.
    ///
    /// # Errors
    ///
    /// The error of `work`; [`Kind::StoreBusy`] if another process holds the store;
    /// [`Kind::Closed`] after [`Store::close`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.transact(TransactionBehavior::Immediate, work).await
    }

    /// Runs `work` on one unchanging view of the store; what it writes is undone.
    ///
    /// # Errors
    ///
    /// As [`Store::write`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let changes = self.changes.clone();
        self.executor
            .run(move |connection| {
                let tx = connection.transaction()?;
                let value = work(&tx)?;
                tx.rollback()?;
                changes.forget();
                changes.committed(connection)?;
                Ok(value)
            })
            .await
    }

    /// Who is told what has changed.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    async fn transact<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let changes = self.changes.clone();
        self.executor
            .run(move |connection| {
                changes.forget();
                let tx = connection.transaction_with_behavior(behavior)?;
                let value = work(&tx)?;
                tx.commit()?;
                changes.committed(connection)?;
                Ok(value)
            })
            .await
    }

    /// Empties the write-ahead log, so that nothing deleted before is left in any file.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreBusy`] while another process reads an older state: try again.
    pub async fn scrub(&self) -> Result<()> {
        self.executor.run(|connection| scrub(connection)).await
    }

    /// Finishes what was begun, closes the file and ends the store for all handles.
    pub async fn close(&self) {
        self.executor.close().await;
        self.changes.end();
    }
}

/// A snapshot that this version wrote, or one before it, can be read; another is a broken store.
pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Kind::StoreFailed.because(error)
}

fn scrub(connection: &Connection) -> Result<()> {
    let busy: bool = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .map(|busy| busy != 0)?;
    if busy { Err(Kind::StoreBusy.into()) } else { Ok(()) }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store(..)")
    }
}

#[cfg(test)]
mod effort;
#[cfg(test)]
mod tests;
