//! Two nodes whose bus loses, doubles and delays what they tell each other.
//!
//! The books are those of [`crate::streams`]: the database is the truth, and a node finds out by the
//! sequences, and by a look into it, what it was not told.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use chat_tests::gossip::Gossip;
use relay_server::bus::NodeId;
use relay_server::bus::local::LocalHub;
use relay_server::bus::redis::meter::RedisMeter;
use relay_server::clock::SystemClock;
use relay_server::config::{Caps, Config, Rates};
use relay_server::limits::local::LocalLimits;
use relay_server::storage::Storage;
use relay_server::storage::sqlite::Store;
use relay_server::{Ports, Relay};
use tempfile::TempDir;

use crate::streams::{Streams, count};

/// Messages under faults.
const ACCEPTS: usize = 400;
/// How often the nodes look into the database here; else it is every half a minute.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bus_loses_doubles_and_delays_arrives_once_and_in_order() {
    for seed in 0..count("SEALWIRE_CHAOS_OUTAGES", 2) {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("shared.db")).await.unwrap();
        let (store, hub): (Arc<dyn Storage>, _) = (Arc::new(store), LocalHub::default());
        let seed = 0x605 + seed as u64;
        let (here, gossip) = node(&hub, &store, folder.path(), seed).await;
        let (there, _) = node(&hub, &store, folder.path(), !seed).await;
        let mut streams = Streams::open_between(&url(&here), &url(&there)).await;

        tokio::select! {
            () = look([&here, &there]) => unreachable!("it has no end"),
            () = async {
                streams.run_until_accepted(ACCEPTS).await;
                streams.come_or_go().await;
                streams.run_until_accepted(ACCEPTS).await;
                streams.finish().await;
            } => {}
        }

        streams.check(seed);
        assert!(gossip.faults() > 200, "{}", gossip.faults());
        here.drain(Duration::ZERO).await;
        there.drain(Duration::ZERO).await;
    }
}

async fn look(nodes: [&Relay; 2]) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        for node in nodes {
            node.look_at_heads().await;
        }
    }
}

async fn node(
    hub: &LocalHub,
    storage: &Arc<dyn Storage>,
    folder: &std::path::Path,
    seed: u64,
) -> (Relay, Arc<Gossip>) {
    let mut config = Config::with_data(folder);
    config.listen = ([127, 0, 0, 1], 0).into();
    (config.rates, config.caps) = (Rates::GENEROUS, Caps::GENEROUS);
    let node = NodeId::from_bytes(rand::random());
    let (bus, inbox) = hub.node(node);
    let gossip = Arc::new(Gossip::over(Arc::new(bus), seed));
    let limits = Arc::new(LocalLimits::new(config.rates));
    let (storage, bus, redis) = (Arc::clone(storage), gossip.clone(), RedisMeter::default());
    let board = Arc::new(hub.boards().node(node));
    let ports = Ports { storage, bus, inbox, limits, board, redis, node };
    (Relay::start_on(config, Arc::new(SystemClock), ports).await.unwrap(), gossip)
}

fn url(relay: &Relay) -> String {
    format!("http://{}", relay.address())
}
