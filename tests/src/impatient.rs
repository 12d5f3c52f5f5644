//! A clock whose pauses are short, for tests that cut connections: nobody waits half a minute for a
//! relay that is away. What time it is, and when a timer ends, are the clock's beneath.

use std::time::Duration;

use chat_core::limits::HEARTBEAT_EVERY;
use chat_core::time::Timestamp;
use chat_sdk::clock::{Clock, Steady, Wait};

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Another clock, in a hurry.
#[derive(Clone, Debug)]
pub struct Impatient<C>(pub C);

impl<C: Clock> Clock for Impatient<C> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        self.0.wait_until(at)
    }

    fn steady(&self) -> Steady {
        self.0.steady()
    }

    fn wait_for_either(&self, at: Timestamp, steady: Steady) -> Wait {
        self.0.wait_for_either(at, steady)
    }

    fn pause(&self, duration: Duration) -> Wait {
        let is_heartbeat = duration == HEARTBEAT_EVERY;
        self.0.pause(if is_heartbeat { duration } else { duration.min(PAUSE_MAX) })
    }
}
