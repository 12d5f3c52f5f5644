//! Nodes that are told to leave, and come back, in the middle of a stream of messages.
//!
//! ```text
//!  senders ─▶ node A ──redis── node B ─▶ receivers        A leaves, returns; B leaves, returns; …
//!                  └─postgres─┘
//! ```
//!
//! The books are those of [`crate::streams`]: nothing accepted is lost, nothing comes twice, and no app
//! hears of it. Beyond them, each node is gone in time: whoever runs services kills after a while.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use chat_tests::services::{redis, with_database};

use crate::process::{RelayProcess, RelayProgram};
use crate::streams::Streams;

/// A node that was told to leave is gone by then.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Messages that are accepted between two restarts, at least.
const ACCEPTS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_lose_nothing_on_one_node() {
    let folder = tempfile::tempdir().unwrap();
    let program = RelayProgram::in_folder(folder.path());
    let mut relay = program.start().await;
    let mut streams = Streams::open_between(&program.url(), &program.url()).await;

    for _ in 0..5 {
        streams.run_until_accepted(ACCEPTS).await;
        relay = restart(&program, relay, &mut streams).await;
    }

    streams.finish().await;
    relay.leave().await;
    streams.check(0xD1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_restarted_in_turn_lose_nothing() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    with_database(async |database| {
        let [one, other] = folders.each_ref().map(|folder| {
            RelayProgram::in_folder(folder.path()).database(database).with("--redis", &redis())
        });
        let (mut first, mut second) = (one.start().await, other.start().await);
        let mut streams = Streams::open_between(&one.url(), &other.url()).await;

        for _ in 0..3 {
            streams.run_until_accepted(ACCEPTS).await;
            first = restart(&one, first, &mut streams).await;
            streams.run_until_accepted(ACCEPTS).await;
            second = restart(&other, second, &mut streams).await;
        }

        streams.finish().await;
        first.leave().await;
        second.leave().await;
        streams.check(0xD2);
    })
    .await;
}

/// Tells a node to leave and starts it again, while everybody goes on.
async fn restart(
    program: &RelayProgram,
    relay: RelayProcess,
    streams: &mut Streams,
) -> RelayProcess {
    let again = async {
        let took = relay.leave().await;
        assert!(took < GONE_WITHIN, "{took:?}");
        let relay = program.start().await;
        eprintln!("gone after {took:?}, back after {:?}", relay.ready_after);
        relay
    };
    streams.run_while(again).await
}
