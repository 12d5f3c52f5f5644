//! Tasks by the browser's event loop: one thread, whose tasks take turns where they wait.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{AbortHandle, Either, abortable, select};
use gloo_timers::future::TimeoutFuture;
use send_wrapper::SendWrapper;
use tokio::sync::mpsc;
pub(crate) use web_time::Instant;

/// The longest single timer: `setTimeout` counts its milliseconds in 31 bits.
const TIMER_MAX: Duration = Duration::from_secs(3600);

/// A task that has panicked. Never seen: a panic ends the module.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Crashed {}

/// Something did not end in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it did not end in time")]
pub(crate) struct Elapsed;

/// A task that runs.
#[derive(Debug)]
pub(crate) struct Task(AbortHandle);

impl Task {
    /// Ends the task where it waits.
    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

/// Runs `future` beside the caller, whether the handle is kept or not.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    let (future, handle) = abortable(future);
    // Done or ended: nobody asks which.
    wasm_bindgen_futures::spawn_local(async move {
        let _ = future.await;
    });
    Task(handle)
}

/// Tasks whose results are collected; they end with this.
pub(crate) struct Jobs<T> {
    next: u64,
    running: BTreeMap<u64, Task>,
    // As many wait as there are jobs, and those are limited by whoever begins them.
    done: mpsc::UnboundedSender<(u64, T)>,
    results: mpsc::UnboundedReceiver<(u64, T)>,
}

impl<T: 'static> Jobs<T> {
    pub(crate) fn new() -> Self {
        let (done, results) = mpsc::unbounded_channel();
        Self { next: 0, running: BTreeMap::new(), done, results }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = T> + 'static) {
        let (number, done) = (self.next, self.done.clone());
        self.next += 1;
        let job = spawn(async move { drop(done.send((number, future.await))) });
        self.running.insert(number, job);
    }

    /// The next result; `None` if no job is left. May be dropped and called again.
    pub(crate) async fn join_next(&mut self) -> Option<Result<T, Crashed>> {
        while !self.is_empty() {
            let (number, result) = self.results.recv().await?;
            // One that was ended may have been done before.
            if self.running.remove(&number).is_some() {
                return Some(Ok(result));
            }
        }
        None
    }

    /// Ends all of them.
    pub(crate) async fn shutdown(&mut self) {
        self.end();
    }
}

impl<T> Jobs<T> {
    fn end(&mut self) {
        std::mem::take(&mut self.running).values().for_each(Task::abort);
    }
}

impl<T> Drop for Jobs<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for Jobs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jobs({} running)", self.running.len())
    }
}

/// Runs `work` at once: there is no other thread, and whoever waits for the worker waits anyway.
///
/// # Errors
///
/// None; natively, that it has panicked.
pub(crate) async fn aside<T>(work: impl FnOnce() -> T) -> Result<T, Crashed> {
    Ok(work())
}

/// Ends after `duration`; never, if that is beyond what a clock can show.
pub(crate) async fn sleep(duration: Duration) {
    let Some(end) = Instant::now().checked_add(duration) else {
        return std::future::pending().await;
    };
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // Rounded up, so that the last round is not a hundred of no length.
        let millis = left.min(TIMER_MAX).as_nanos().div_ceil(1_000_000);
        SendWrapper::new(TimeoutFuture::new(u32::try_from(millis).unwrap_or(u32::MAX >> 1))).await;
    }
}

/// Waits for `future`, but not longer than `duration`.
///
/// # Errors
///
/// [`Elapsed`].
pub(crate) async fn timeout<T>(
    duration: Duration,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    match select(pin!(future), pin!(sleep(duration))).await {
        Either::Left((value, _)) => Ok(value),
        Either::Right(_) => Err(Elapsed),
    }
}
