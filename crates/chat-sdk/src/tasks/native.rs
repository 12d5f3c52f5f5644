//! Tasks by tokio.

pub(crate) use tokio::spawn;
pub(crate) use tokio::task::{JoinError as Crashed, JoinSet as Jobs};
pub(crate) type Task = tokio::task::JoinHandle<()>;
pub(crate) use tokio::time::{Instant, sleep, timeout};

/// Runs what takes long where nobody else waits for it.
///
/// # Errors
///
/// [`Crashed`] if it panics.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Crashed> {
    tokio::task::spawn_blocking(work).await
}
