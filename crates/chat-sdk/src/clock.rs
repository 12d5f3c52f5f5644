//! Time as the SDK sees it: one port, the system's clock, and one that tests move by hand.
//!
//! Deadlines (expiry, prekey ages) go by [`Clock::now`] and [`Clock::wait_until`]. Pauses between
//! attempts on the network go by [`Clock::pause`]: they are about the other side's patience, so
//! even the manual clock lets them pass in real time. That nobody gains time by setting the clock
//! is what [`Clock::steady`] is for.

mod steady;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chat_core::time::Timestamp;
use tokio::sync::watch;
use web_time::{SystemTime, UNIX_EPOCH};

pub use self::steady::Steady;
use crate::tasks::sleep;

/// A wait that ends by itself.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Ends when [`Clock::now`] has reached `at`.
    fn wait_until(&self, at: Timestamp) -> Wait;

    /// What a clock shows that nobody can set.
    fn steady(&self) -> Steady {
        Steady::now()
    }

    /// Ends when either clock is there: [`Clock::now`] at `at`, or [`Clock::steady`] at `steady`.
    ///
    /// Both are moments and not a time that is left: the clocks go on between the reading that a
    /// moment was reckoned from and this call.
    fn wait_for_either(&self, at: Timestamp, steady: Steady) -> Wait {
        let left = steady.since.saturating_sub(self.steady().since);
        let (wall, steady) = (self.wait_until(at), self.pause(left));
        Box::pin(async move {
            tokio::select! {
                () = wall => {}
                () = steady => {}
            }
        })
    }

    /// Ends after `duration` of real time.
    fn pause(&self, duration: Duration) -> Wait {
        Box::pin(sleep(duration))
    }
}

/// The longest single sleep: a clock that is set back or forth is noticed this late.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The device's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since)
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        Box::pin(async move {
            loop {
                let left = at.since(Self.now());
                if left.is_zero() {
                    return;
                }
                sleep(left.min(LOOK_AGAIN_AFTER)).await;
            }
        })
    }
}

/// A clock that stands still until it is moved; clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<Hands>);

/// What a manual clock shows.
#[derive(Clone, Copy, Debug)]
struct Hands {
    now: Timestamp,
    steady: Steady,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let steady = Steady { boot: [0; 16], since: Duration::ZERO };
        Self(watch::Sender::new(Hands { now, steady }))
    }

    /// Moves the clock forward and wakes who waited for it.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|hands| {
            hands.now = hands.now.after(by);
            hands.steady.since = hands.steady.since.saturating_add(by);
        });
    }

    /// Sets the clock, back if need be; what is steady stays.
    pub fn set(&self, now: Timestamp) {
        self.0.send_modify(|hands| hands.now = now);
    }

    /// Starts the system anew.
    pub fn reboot(&self) {
        self.0.send_modify(|hands| {
            let boot = u128::from_be_bytes(hands.steady.boot).wrapping_add(1);
            hands.steady = Steady { boot: boot.to_be_bytes(), since: Duration::ZERO };
        });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    fn steady(&self) -> Steady {
        self.0.borrow().steady
    }

    fn wait_for_either(&self, at: Timestamp, steady: Steady) -> Wait {
        let mut shown = self.0.subscribe();
        Box::pin(async move {
            let is_over = |hands: &Hands| hands.now >= at || hands.steady.since >= steady.since;
            if shown.wait_for(is_over).await.is_err() {
                std::future::pending().await
            }
        })
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        let mut shown = self.0.subscribe();
        Box::pin(async move {
            if shown.wait_for(|hands| hands.now >= at).await.is_err() {
                // Nobody can move the clock any more, so this moment never comes.
                std::future::pending().await
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_a_wait_when_it_gets_there() {
        let clock = ManualClock::at(Timestamp::from_millis(1000));
        let wait = tokio::spawn(clock.wait_until(Timestamp::from_millis(3000)));

        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert!(!wait.is_finished());

        clock.advance(Duration::from_secs(1));
        wait.await.unwrap();
    }

    #[tokio::test]
    async fn a_wait_for_the_past_is_over() {
        SystemClock.wait_until(Timestamp::from_millis(1)).await;
        ManualClock::at(Timestamp::from_millis(2)).wait_until(Timestamp::from_millis(1)).await;
    }

    #[tokio::test]
    async fn a_clock_that_moves_before_the_wait_begins_does_not_put_it_off() {
        let minute = Duration::from_secs(60);
        let far = Timestamp::from_millis(u64::MAX);
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let (wall, steady) = (clock.now().after(minute), clock.steady().after(minute));
        let never = clock.steady().after(Duration::MAX);

        clock.advance(minute);

        clock.wait_for_either(wall, never).await;
        clock.wait_for_either(far, steady).await;
        let before_boot = Steady { since: Duration::ZERO, ..SystemClock.steady() };
        SystemClock.wait_for_either(far, before_boot).await;
    }
}
