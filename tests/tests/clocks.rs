//! A relay whose clock jumps, and runs too fast, while people talk.
//!
//! The relay's clock says when a message was accepted and when a token runs out, and nothing of the
//! order: that is the sequences'. The books are those of [`crate::streams`]. What a device makes of
//! its own clock is in [`crate::vanishing`].

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chat_core::time::Timestamp;
use relay_server::clock::{Clock, SystemClock};
use relay_server::testing::TestRelay;

use crate::people::within;
use crate::streams::Streams;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Messages that are accepted at each time.
const ACCEPTS: usize = 60;
const TICK: Duration = Duration::from_millis(20);

/// The machine's clock, wrong by so many milliseconds.
#[derive(Debug, Default)]
struct Wrong(AtomicI64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now().as_millis();
        Timestamp::from_millis(now.saturating_add_signed(self.0.load(Ordering::SeqCst)))
    }
}

impl Wrong {
    /// Lets ten seconds pass in each, for as long as it is polled.
    async fn run_fast(&self) {
        let more = 9 * i64::try_from(TICK.as_millis()).unwrap();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            self.0.fetch_add(more, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_relays_clock_shows_everything_arrives_once_and_in_order() {
    let clock = Arc::new(Wrong::default());
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let mut streams = Streams::open(relay.url()).await;

    for wrong_by in [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 0] {
        clock.0.store(wrong_by, Ordering::SeqCst);
        within(streams.run_until_accepted(ACCEPTS)).await;
        streams.come_or_go().await;
        relay.sweep().await;
    }
    tokio::select! {
        () = within(streams.run_until_accepted(ACCEPTS)) => {}
        () = clock.run_fast() => {}
    }

    streams.finish().await;
    streams.check(0xC10C);
    relay.stop().await;
}
