//! A relay that dies, or whose store fails, exactly between two steps of a message.
//!
//! The points are named in `crates/relay-server/src/failpoint.rs`, and drawn there; what is checked
//! are the books of [`crate::streams`]. A program without debug assertions has no such points.

#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used)]

use chat_tests::services::with_database;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::people::within;
use crate::process::RelayProgram;
use crate::streams::{Streams, count};

/// Where a relay may die.
const ALL: [&str; 8] =
    ["checked", "queued", "written", "committed", "answered", "published", "delivered", "gathered"];
/// Where its store may fail.
const FAILING: [&str; 5] = ["checked", "queued", "written", "committed", "gathered"];
/// Passings before the end, at most.
const PASSINGS_MAX: u32 = 40;
/// Messages that get through while every so manieth passing fails.
const ACCEPTS: usize = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_dies_between_two_steps_loses_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();

    die(RelayProgram::in_folder(folder.path()), &ALL, 0xDEAD1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_dies_between_two_steps_loses_nothing_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        die(RelayProgram::in_folder(folder.path()).database(url), &ALL, 0xDEAD2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_between_two_steps_loses_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();

    fail(RelayProgram::in_folder(folder.path()), 0xFA11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_between_two_steps_loses_nothing_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        fail(RelayProgram::in_folder(folder.path()).database(url), 0xFA12).await;
    })
    .await;
}

/// Dies at each of `points`, as often as chaos says, and goes on after the last time.
async fn die(mut program: RelayProgram, points: &[&str], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let relay = program.start().await;
    let mut streams = Streams::open(&program.url()).await;
    relay.kill().await;
    for point in points {
        for _ in 0..count("SEALWIRE_CHAOS_POINTS", 2) {
            let passings = rng.random_range(1..=PASSINGS_MAX);
            program.fail = Some(format!("{point}:{passings}:die"));
            let relay = program.start().await;
            let how = within(streams.run_while(relay.end())).await;
            assert!(!how.success(), "{point}: {how}");
            // A relay that could not start, or went in order, has a code.
            #[cfg(unix)]
            assert_eq!(how.code(), None, "{point}: {how}");
        }
    }
    program.fail = None;
    let relay = program.start().await;
    streams.finish().await;
    relay.kill().await;
    streams.check(seed);
}

/// Lets every so manieth passing of each point fail while messages get through all the same.
async fn fail(mut program: RelayProgram, seed: u64) {
    let relay = program.start().await;
    let mut streams = Streams::open(&program.url()).await;
    relay.kill().await;
    for point in FAILING {
        program.fail = Some(format!("{point}:5:fail"));
        let relay = program.start().await;
        within(streams.run_until_accepted(ACCEPTS)).await;
        relay.kill().await;
    }
    program.fail = None;
    let relay = program.start().await;
    streams.finish().await;
    relay.kill().await;
    streams.check(seed);
}
