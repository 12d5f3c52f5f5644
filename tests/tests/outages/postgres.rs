//! The database dies, loses its connections, or has none to spare.

use std::time::{Duration, Instant};

use chat_sdk::Kind;
use chat_tests::own_server::{Down, OwnPostgres};
use chat_tests::services::with_database;
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{ACCEPTS, NOT_READY_WITHIN, WATCHED, ready, resumes, settled};
use crate::process::RelayProgram;
use crate::streams::{Streams, at_most, count};

/// Longer than a verb waits for a connection.
const HELD_FOR: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_dies_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres = OwnPostgres::start().await;
    let program = RelayProgram::in_folder(folder.path()).database(&postgres.url());
    let relay = program.start().await;
    let mut streams = Streams::open(&program.url()).await;
    let faults = [
        (Down::AtOnce, count("SEALWIRE_CHAOS_RESTARTS", 2)),
        (Down::Killed, count("SEALWIRE_CHAOS_RESTARTS", 2).div_ceil(2)),
    ];

    for (how, times) in faults {
        for _ in 0..times {
            streams.run_until_accepted(ACCEPTS).await;
            streams.run_while(postgres.down(how)).await;
            is_missed(&program.url(), &mut streams).await;
            streams.run_while(postgres.up()).await;
            eprintln!("{how:?}: accepts {:?} after it is back", resumes(&mut streams).await);
            streams.come_or_go().await;
        }
    }

    streams.finish().await;
    relay.kill().await;
    streams.check(0xDB1);
}

/// A node without its database accepts nothing, says so to whoever asks, and is not ready.
async fn is_missed(url: &str, streams: &mut Streams) {
    let before = settled(streams).await;

    let asked = Instant::now();
    assert_eq!(streams.run_while(ready(url)).await, 503);
    let took = asked.elapsed();
    let sender = streams.sender().clone();
    let refused = streams.run_while(sender.direct("nobody")).await.unwrap_err();
    streams.run_for(WATCHED).await;

    assert!(took < at_most(NOT_READY_WITHIN), "{took:?} until it said that it is not ready");
    assert_eq!((refused.kind(), refused.kind().is_transient()), (Kind::Unavailable, true));
    assert_eq!(streams.accepted(), before, "accepted without a database");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_the_database_that_are_cut_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        let program = RelayProgram::in_folder(folder.path()).database(url);
        let relay = program.start().await;
        let mut streams = Streams::open(&program.url()).await;
        let mut administrator = PgConnection::connect(url).await.unwrap();

        for _ in 0..count("SEALWIRE_CHAOS_CUTS", 20) {
            streams.run_until_accepted(ACCEPTS / 3).await;
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            administrator.execute(cut).await.unwrap();
            resumes(&mut streams).await;
        }

        streams.finish().await;
        relay.kill().await;
        streams.check(0xDB2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_a_connection_to_spare_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    with_database(async |url| {
        let program = RelayProgram::in_folder(folder.path()).database(url);
        let program = program.with("--database-connections", "2");
        let relay = program.start().await;
        let mut streams = Streams::open(&program.url()).await;
        let mut administrator = PgConnection::connect(url).await.unwrap();

        for _ in 0..2 {
            streams.run_until_accepted(ACCEPTS).await;
            // Whoever writes or reads a message waits for this, and holds a connection meanwhile.
            let mut held = administrator.begin().await.unwrap();
            held.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").await.unwrap();
            streams.run_for(HELD_FOR).await;
            held.rollback().await.unwrap();
            eprintln!("accepts {:?} after there are connections", resumes(&mut streams).await);
        }

        streams.finish().await;
        relay.kill().await;
        streams.check(0xDB3);
    })
    .await;
}
