//! What a relay stands on goes away, stands still or forgets, in the middle of a stream of messages.
//!
//! ```text
//!  senders ─▶ node A ──redis──── node B ─▶ receivers
//!               └────postgres──────┘              each of the four lines and both servers fail
//! ```
//!
//! The books are those of [`crate::streams`]; the figures are those of `docs/faults.md`. The servers
//! are the story's own, since it kills them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod partitions;
mod postgres;
mod redis;

use std::time::{Duration, Instant};

use chat_sdk::transport::{Method, Network, Origin, Request, Transport as _};

use crate::streams::{Streams, at_most};

/// After something is back, messages get through within this time.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);
/// A node that lost its database says so within this time.
const NOT_READY_WITHIN: Duration = Duration::from_secs(2);
/// Messages that are accepted between two faults, at least.
const ACCEPTS: usize = 60;
/// A sender that was told nothing for so long has nothing on its way.
const SETTLE: Duration = Duration::from_millis(500);
/// How long somebody is watched who should do nothing.
const WATCHED: Duration = Duration::from_secs(1);

/// What a node answers when it is asked whether it takes work.
async fn ready(url: &str) -> u16 {
    let network = Network::to(Origin::parse(url).unwrap()).unwrap();
    let path = "/readyz".to_owned();
    let request = Request { method: Method::Get, path, body: None, token: None };
    network.request(request).await.unwrap().status
}

/// Waits for the next accepts, and checks that they do not take too long.
async fn resumes(streams: &mut Streams) -> Duration {
    let back = Instant::now();
    streams.run_until_accepted(1).await;
    let took = back.elapsed();
    assert!(took < at_most(RESUMED_WITHIN), "{took:?} until the next accept");
    took
}

/// Waits until what was on its way to the senders has arrived, and gives how many accepts that
/// makes. A loaded machine takes its time for it; a node that goes on accepting never ends it.
async fn settled(streams: &mut Streams) -> usize {
    let began = Instant::now();
    loop {
        let before = streams.accepted();
        streams.run_for(SETTLE).await;
        if streams.accepted() == before {
            return before;
        }
        assert!(began.elapsed() < at_most(RESUMED_WITHIN), "a node without a database accepts");
    }
}
