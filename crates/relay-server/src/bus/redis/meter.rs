//! How Redis is doing: how often it was asked, how long it took, how often it failed.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{Counter, Histogram};

/// Upper bounds, in seconds.
const SECONDS: [f64; 9] = [0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.064, 0.256, 1.0];

/// Counts of everything that uses one Redis; clones share them.
#[derive(Clone, Debug)]
pub struct RedisMeter(Arc<Counts>);

/// What a [`RedisMeter`] counts.
#[derive(Debug)]
pub struct Counts {
    /// Seconds from a request to its answer; many commands may be one request.
    pub seconds: Histogram<9>,
    /// Requests that failed or were not answered in time, and connections that could not be made.
    pub failed: Counter,
}

impl Default for RedisMeter {
    fn default() -> Self {
        let seconds = Histogram::with_bounds(SECONDS);
        Self(Arc::new(Counts { seconds, failed: Counter::default() }))
    }
}

impl RedisMeter {
    /// An answer came.
    pub(crate) fn answered(&self, after: Duration) {
        self.0.seconds.observe_duration(after);
    }

    /// None came.
    pub(crate) fn failed(&self) {
        self.0.failed.add(1);
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0
    }
}
