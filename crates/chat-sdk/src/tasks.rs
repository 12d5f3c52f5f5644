//! Tasks and pauses: what runs beside what, and how long something may take.
//!
//! ```text
//!             natively            in a browser
//!  spawn      tokio               the event loop, between two events
//!  Jobs       tokio's JoinSet     the same over spawn
//!  aside      a thread for it     in place: the worker is the thread
//!  sleep      tokio               setTimeout
//!  Instant    tokio               performance.now
//! ```
//!
//! Natively the names are tokio's own. Absent in a browser: a job that panics and is survived. A panic
//! there ends the whole module.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::*;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
pub(crate) use self::browser::*;
