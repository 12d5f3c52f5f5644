//! The store in place: a worker is a thread of its own, and nobody else is on it.
//!
//! A closure runs from its beginning to its end when it is asked for, so they are in order as they are
//! natively. A page's own thread must not do this: it has no files that can be read at once, and it
//! would stand still meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::{Kind, Result};
use crate::store::file::Claim;

#[derive(Clone)]
pub(in crate::store) struct Executor(Arc<Mutex<Option<Open>>>);

struct Open {
    connection: Connection,
    /// Let go of after the connection.
    _claim: Claim,
}

impl Executor {
    /// Opens a connection and keeps it until [`Self::close`] or the last handle.
    pub(in crate::store) async fn start(
        claim: Claim,
        open: impl FnOnce() -> Result<Connection>,
    ) -> Result<Self> {
        let open = Open { connection: open()?, _claim: claim };
        Ok(Self(Arc::new(Mutex::new(Some(open)))))
    }

    /// Runs `work` now.
    pub(in crate::store) async fn run<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut open.as_mut().ok_or(Kind::Closed)?.connection)
    }

    /// Closes the connection; later work is refused.
    pub(in crate::store) async fn close(&self) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { connection, _claim }) = open else { return };
        if let Err((_, error)) = connection.close() {
            tracing::warn!(%error, "the store did not close cleanly");
        }
    }
}
