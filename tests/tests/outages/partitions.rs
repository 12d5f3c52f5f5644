//! A node is cut off from the database, from the bus, or from both, while the other is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chat_tests::own_server::{OwnPostgres, OwnRedis};
use relay_server::testing::Wire;

use super::{ACCEPTS, WATCHED, ready, resumes, settled};
use crate::process::RelayProgram;
use crate::streams::{Streams, count};

/// How slow the line to the bus is when it is slow.
const SLOW: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_accepts_nothing_and_loses_nothing() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (postgres, redis) = (OwnPostgres::start().await, OwnRedis::start().await);
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let to_postgres = Wire::before(at(postgres.port())).await.unwrap();
    let to_redis = Wire::before(at(redis.port())).await.unwrap();
    let [far, near] = folders.each_ref().map(|folder| RelayProgram::in_folder(folder.path()));
    let far = far
        .database(&postgres.url_by(to_postgres.wire().address().port()))
        .with("--redis", &format!("redis://{}/", to_redis.wire().address()));
    let near = near.database(&postgres.url()).with("--redis", &redis.url());
    let (one, other) = (far.start().await, near.start().await);
    let mut streams = Streams::open_between(&far.url(), &near.url()).await;

    for _ in 0..count("SEALWIRE_CHAOS_OUTAGES", 1) {
        streams.run_until_accepted(ACCEPTS).await;
        to_postgres.wire().cut();
        let before = settled(&mut streams).await;
        streams.run_for(WATCHED).await;
        assert_eq!(streams.accepted(), before, "accepted by a node without a database");
        assert_eq!((ready(&far.url()).await, ready(&near.url()).await), (503, 200));
        to_postgres.wire().mend();
        resumes(&mut streams).await;

        to_redis.wire().cut();
        streams.run_until_accepted(ACCEPTS).await;
        to_redis.wire().mend();
        to_redis.wire().delay(SLOW);
        streams.run_until_accepted(ACCEPTS).await;
        to_redis.wire().delay(Duration::ZERO);

        to_postgres.wire().stall();
        to_redis.wire().stall();
        streams.run_for(WATCHED).await;
        to_postgres.wire().mend();
        to_redis.wire().mend();
        resumes(&mut streams).await;
    }

    streams.finish().await;
    one.kill().await;
    other.kill().await;
    streams.check(0xCA7);
}
