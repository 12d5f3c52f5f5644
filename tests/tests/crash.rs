//! A relay that is killed, again and again, in the middle of a stream of messages.
//!
//! The moments are seeded: after some accepts, and then a few milliseconds into whatever happens
//! next. SIGKILL leaves the page cache alone, so this says nothing about the disk; for that see
//! [`crate::durability`]. The moments that chance seldom hits are in [`crate::points`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use chat_tests::services::{redis, with_database};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::people::within;
use crate::process::RelayProgram;
use crate::streams::{Streams, count};

/// Accepts between two kills, at most.
const ACCEPTS_MAX: usize = 60;
/// How far into what follows a kill may be, at most.
const LINGER_MAX: Duration = Duration::from_millis(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();

    survive(&[RelayProgram::in_folder(folder.path())], kills(20), 0x5EA1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        survive(&[RelayProgram::in_folder(folder.path()).database(url)], kills(5), 0x5EA2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_between_two_nodes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    with_database(async |url| {
        let nodes = folders.each_ref().map(|folder| {
            RelayProgram::in_folder(folder.path()).database(url).with("--redis", &redis())
        });
        survive(&nodes, kills(6), 0x5EA3).await;
    })
    .await;
}

/// How often somebody is killed: so often, or as often as chaos says.
fn kills(usually: usize) -> usize {
    count("SEALWIRE_CHAOS_KILLS", usually)
}

/// Streams from the first node to the last through `kills` kills, of each in turn, at moments of
/// `seed`, and then checks the books.
async fn survive(nodes: &[RelayProgram], kills: usize, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut running = Vec::new();
    for node in nodes {
        running.push(node.start().await);
    }
    let [first, last] = [nodes.first().unwrap(), nodes.last().unwrap()];
    let mut streams = Streams::open_between(&first.url(), &last.url()).await;
    for kill in 0..kills {
        let wanted = rng.random_range(1..=ACCEPTS_MAX);
        let linger = rng.random_range(Duration::ZERO..LINGER_MAX);
        within(streams.run_until_accepted(wanted)).await;
        // Whatever happens meanwhile happens: that is the moment of the kill.
        streams.listen_for(linger).await;
        running.remove(0).kill().await;
        let back = nodes[kill % nodes.len()].start().await;
        eprintln!("kill {kill}: back after {:?}", back.ready_after);
        running.push(back);
        streams.come_or_go().await;
    }
    streams.finish().await;
    for relay in running {
        relay.kill().await;
    }
    streams.check(seed);
}
