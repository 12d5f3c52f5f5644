//! The engine's timers: each fires once and is set anew by whoever needs it again.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use crate::clock::Wait;

/// What fired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Timer {
    /// It is time for the next attempt to connect.
    Reconnect,
    /// The relay is to be asked whether it is there.
    Heartbeat,
    /// A message's time is over.
    Expiry,
    /// A message's time has come.
    Scheduled,
    /// The past is to be wrapped for somebody who came later.
    Rewrap,
}

/// The timers that are set.
#[derive(Default)]
pub(super) struct Timers {
    pub(super) reconnect: Option<Wait>,
    pub(super) heartbeat: Option<Wait>,
    pub(super) expiry: Option<Wait>,
    pub(super) scheduled: Option<Wait>,
    pub(super) rewrap: Option<Wait>,
}

impl Timers {
    /// The next that fires; never, if none is set. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Timer {
        poll_fn(|context| {
            let timers = [
                (&mut self.reconnect, Timer::Reconnect),
                (&mut self.heartbeat, Timer::Heartbeat),
                (&mut self.expiry, Timer::Expiry),
                (&mut self.scheduled, Timer::Scheduled),
                (&mut self.rewrap, Timer::Rewrap),
            ];
            for (slot, timer) in timers {
                let is_over =
                    slot.as_mut().is_some_and(|wait| wait.as_mut().poll(context).is_ready());
                if is_over {
                    *slot = None;
                    return Poll::Ready(timer);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("reconnect", &self.reconnect.is_some())
            .field("heartbeat", &self.heartbeat.is_some())
            .field("expiry", &self.expiry.is_some())
            .field("scheduled", &self.scheduled.is_some())
            .field("rewrap", &self.rewrap.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat_core::time::Timestamp;

    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    #[tokio::test]
    async fn a_timer_fires_once() {
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let mut timers = Timers {
            expiry: Some(clock.wait_until(Timestamp::from_millis(10))),
            heartbeat: Some(clock.wait_until(Timestamp::from_millis(20))),
            ..Timers::default()
        };

        clock.advance(Duration::from_millis(10));
        assert_eq!(timers.next().await, Timer::Expiry);
        clock.advance(Duration::from_millis(10));
        assert_eq!(timers.next().await, Timer::Heartbeat);

        assert!(timers.expiry.is_none() && timers.heartbeat.is_none());
    }
}
