//! The relay's clock: only its time decides when a message was accepted and when it expires.
//!
//! Everything below the services takes `now` as a parameter; whoever drives them asks a [`Clock`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat_core::time::Timestamp;

/// A day as settings count it.
pub const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Tells the time.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// The present moment. It may step back when somebody sets the machine's clock.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since)
    }
}

/// A clock that stands still until it is moved; shared by reference or in an `Arc`.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Stands at `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Moves forward by `duration` and returns the new time.
    pub fn advance(&self, duration: Duration) -> Timestamp {
        let now = self.now().after(duration);
        self.set(now);
        now
    }

    /// Jumps to `now`, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));

        assert_eq!(clock.now(), clock.now());
        assert_eq!(clock.advance(Duration::from_secs(2)), Timestamp::from_millis(3_000));
        assert_eq!(clock.now(), Timestamp::from_millis(3_000));
    }

    #[test]
    fn the_systems_clock_counts_from_1970() {
        let start_of_2025 = Timestamp::from_millis(1_735_689_600_000);

        assert!(SystemClock.now() > start_of_2025);
    }
}
