//! The bus dies, forgets, stands still, is full or slow: messages are late, and not lost.

use std::time::Duration;

use chat_sdk::{Client, Kind};
use chat_tests::own_server::OwnRedis;
use chat_tests::services::with_database;

use super::ACCEPTS;
use crate::people::{CHEAP, PASSWORD, within};
use crate::process::RelayProgram;
use crate::streams::{Streams, at_most, count};

/// Two seconds until a node notices that the bus is lost, two until it looks into the database, and
/// one for a busy machine.
const LATE_MAX: Duration = Duration::from_secs(5);
/// For how long the bus is away each time.
const AWAY: Duration = Duration::from_secs(3);

/// What may happen to a bus.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    Flushed,
    Paused,
    Full,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_bus_messages_are_at_most_late() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut redis = OwnRedis::start().await;
    with_database(async |database| {
        let [one, other] = folders.each_ref().map(|folder| {
            RelayProgram::in_folder(folder.path()).database(database).with("--redis", &redis.url())
        });
        let (first, second) = (one.start().await, other.start().await);
        let mut streams = Streams::open_between(&one.url(), &other.url()).await;

        for _ in 0..count("SEALWIRE_CHAOS_OUTAGES", 1) {
            for fault in [Fault::Killed, Fault::Flushed, Fault::Paused, Fault::Full] {
                streams.run_until_accepted(ACCEPTS).await;
                within(streams.catch_up()).await;
                streams.take_worst();
                happen(fault, &mut redis, &one.url(), &mut streams).await;
                streams.run_until_accepted(ACCEPTS).await;
                // What is still on its way was held up by this fault and not by the next.
                within(streams.catch_up()).await;
                let late = streams.take_worst();
                eprintln!("{fault:?}: at most {late:?} late");
                assert!(late < at_most(LATE_MAX), "{fault:?}: {late:?} late");
                streams.come_or_go().await;
            }
        }

        streams.finish().await;
        first.kill().await;
        second.kill().await;
        streams.check(0xB5);
    })
    .await;
}

async fn happen(fault: Fault, redis: &mut OwnRedis, url: &str, streams: &mut Streams) {
    match fault {
        Fault::Killed => {
            redis.down().await;
            passwords_wait(url, streams).await;
            accepts_for(AWAY, streams).await;
            redis.up().await;
        }
        Fault::Flushed => {
            redis.tell("FLUSHALL").await;
            accepts_for(AWAY, streams).await;
        }
        Fault::Paused => {
            redis.pause().await;
            passwords_wait(url, streams).await;
            accepts_for(AWAY, streams).await;
            redis.resume().await;
        }
        Fault::Full => {
            redis.tell("CONFIG SET maxmemory 1").await;
            accepts_for(AWAY, streams).await;
            redis.tell("CONFIG SET maxmemory 0").await;
        }
    }
}

/// Whoever guesses passwords could wait for an outage of who counts, or cause one.
async fn passwords_wait(url: &str, streams: &mut Streams) {
    let builder = Client::builder(url).in_memory().password_hardening(CHEAP);

    let refused = streams.run_while(builder.login("sender0", PASSWORD)).await;

    assert_eq!(refused.err().map(|error| error.kind()), Some(Kind::Unavailable));
}

/// Messages are counted at each node alone, and go on.
async fn accepts_for(duration: Duration, streams: &mut Streams) {
    let before = streams.accepted();

    streams.run_for(duration).await;

    assert!(streams.accepted() > before, "nothing is accepted without the bus");
}
