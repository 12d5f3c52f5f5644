//! How the store is doing: how long its verbs take, how often they fail, who waits for a connection.

use std::sync::Arc;
use std::time::Instant;

use super::StorageError;
use crate::metrics::{Counter, Histogram};

/// Upper bounds, in seconds.
const SECONDS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.256, 1.0, 4.0];

/// Counts of one store; clones share them.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Counts>);

/// What a [`Meter`] counts.
#[derive(Debug)]
pub struct Counts {
    /// Seconds that a verb took which only reads, with the wait for a connection.
    pub read_seconds: Histogram<12>,
    /// Seconds that a verb took which writes, up to the end of its commit.
    pub write_seconds: Histogram<12>,
    /// Verbs that failed for want of the backend.
    pub unavailable: Counter,
    /// Verbs that failed because there was no room.
    pub full: Counter,
    /// Verbs that found, or were given, what should not be there.
    pub corrupt: Counter,
}

impl Default for Meter {
    fn default() -> Self {
        Self(Arc::new(Counts {
            read_seconds: Histogram::with_bounds(SECONDS),
            write_seconds: Histogram::with_bounds(SECONDS),
            unavailable: Counter::default(),
            full: Counter::default(),
            corrupt: Counter::default(),
        }))
    }
}

impl Meter {
    /// Awaits a verb that only reads, and counts it.
    pub(super) async fn read<T>(
        &self,
        verb: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.measure(&self.0.read_seconds, verb).await
    }

    /// Awaits a verb that writes, and counts it.
    pub(super) async fn write<T>(
        &self,
        verb: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.measure(&self.0.write_seconds, verb).await
    }

    async fn measure<T>(
        &self,
        seconds: &Histogram<12>,
        verb: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let began = Instant::now();
        let answer = verb.await;
        seconds.observe_duration(began.elapsed());
        if let Err(error) = &answer {
            match error {
                StorageError::Unavailable => self.0.unavailable.add(1),
                StorageError::Full => self.0.full.add(1),
                StorageError::Corrupt | StorageError::Unstorable => self.0.corrupt.add(1),
                // What the caller asked for could not be; nothing failed.
                _ => {}
            }
        }
        answer
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0
    }
}

/// Connections to the backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pool {
    /// Open ones.
    pub open: u32,
    /// Those of them that nobody uses.
    pub idle: u32,
    /// How many there may be.
    pub most: u32,
}

/// A store that counts.
pub trait Measured {
    /// The counts.
    fn meter(&self) -> &Meter;

    /// Its connections.
    fn pool(&self) -> Pool;
}
