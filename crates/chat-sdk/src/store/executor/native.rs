//! The store's own thread: SQLite calls block, async workers must not.
//!
//! One connection, one queue, first in first out. A closure that panics loses its transaction and
//! its caller gets [`Kind::Internal`]; the thread lives on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Kind, Result};
use crate::store::file::Claim;

/// Most closures that wait; callers beyond that wait for a place.
const QUEUE: usize = 256;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Job {
    Run(Work),
    Close(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(in crate::store) struct Executor {
    jobs: mpsc::Sender<Job>,
}

impl Executor {
    /// Opens a connection on a new thread and serves it until [`Self::close`] or the last handle.
    pub(in crate::store) async fn start(
        _: Claim,
        open: impl FnOnce() -> Result<Connection> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (opened, result) = oneshot::channel();
        std::thread::Builder::new()
            .name("sealwire-store".to_owned())
            .spawn(move || match open() {
                Ok(connection) => {
                    let _ = opened.send(Ok(()));
                    serve(connection, queue);
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|error| Kind::StoreFailed.because(error))?;
        result.await.map_err(|error| Kind::Internal.because(error))??;
        Ok(Self { jobs })
    }

    /// Runs `work` after everything that was asked for before.
    pub(in crate::store) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, result) = oneshot::channel();
        let job = Job::Run(Box::new(move |connection| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)));
            let _ = done.send(outcome.unwrap_or_else(|_| Err(Kind::Internal.into())));
        }));
        self.jobs.send(job).await.map_err(|_| Kind::Closed)?;
        result.await.map_err(|_| Kind::Closed)?
    }

    /// Ends the thread after everything that was asked for before; later work is refused.
    pub(in crate::store) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Job::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

fn serve(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Run(work) => work(&mut connection),
            Job::Close(done) => {
                queue.close();
                if let Err((_, error)) = connection.close() {
                    tracing::warn!(%error, "the store did not close cleanly");
                }
                let _ = done.send(());
                return;
            }
        }
    }
}
