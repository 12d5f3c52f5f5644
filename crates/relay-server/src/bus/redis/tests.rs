use std::sync::Mutex as StdMutex;

use rand_core::Rng as _;

use super::proxy::Proxy;
use super::*;
use crate::bus::conformance::{ALICE, BOB, CHAT, Network, event, next, notice, suite};
use crate::bus::{INLINE_BYTES_MAX, Notice, Record};

suite!(with_network);

/// Nodes under a prefix that nobody else uses.
struct Nodes {
    config: RedisConfig,
    joined: StdMutex<Vec<Arc<dyn Bus>>>,
}

#[async_trait]
impl Network for Nodes {
    async fn node(&self, number: u8) -> (Arc<dyn Bus>, Inbox) {
        let node = NodeId::from_bytes([number; 16]);
        let (bus, inbox) = RedisBus::start(&self.config, node).unwrap();
        until_connected(&bus).await;
        let bus: Arc<dyn Bus> = Arc::new(bus);
        self.joined.lock().unwrap().push(bus.clone());
        (bus, inbox)
    }
}

async fn with_network<F>(test: impl FnOnce(Arc<dyn Network>) -> F)
where
    F: Future<Output = ()>,
{
    let nodes = Arc::new(Nodes { config: config(&server()), joined: StdMutex::default() });
    test(nodes.clone()).await;
    let joined = std::mem::take(&mut *nodes.joined.lock().unwrap());
    for bus in joined {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_stays_in_the_database() {
    let config = config(&server());
    let (here, _ours) = start(&config, 1).await;
    let (there, mut inbox) = start(&config, 2).await;
    there.register(&[BOB]).await;
    let message = |bytes: usize| BusEvent::Message {
        conversation: CHAT,
        sequence: 1,
        record: Some(Record(vec![7; bytes].into())),
    };

    here.publish(&[BOB], message(INLINE_BYTES_MAX));
    here.publish(&[BOB], message(INLINE_BYTES_MAX + 1));

    assert_eq!(next(&mut inbox).await, notice(&[BOB], message(INLINE_BYTES_MAX)));
    assert_eq!(next(&mut inbox).await, notice(&[BOB], event(1)));
    close([here, there]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_cut_off_is_told_so_and_hears_again() {
    let proxy = Proxy::before(&server()).await;
    let direct = config(&server());
    let (here, _ours) = start(&direct, 1).await;
    let (there, mut inbox) = start(&proxied(&direct, &proxy), 2).await;
    there.register(&[BOB]).await;

    proxy.cut();

    assert_eq!(next(&mut inbox).await, Notice::Missed);
    until_reached(&here, &mut inbox).await;
    close([here, there]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_was_cut_off_tells_the_others() {
    let proxy = Proxy::before(&server()).await;
    let direct = config(&server());
    let (here, mut ours) = start(&proxied(&direct, &proxy), 1).await;
    let (there, mut inbox) = start(&direct, 2).await;
    here.register(&[ALICE]).await;
    there.register(&[BOB]).await;

    proxy.refuse();
    while here.health().lost == 0 {
        here.publish(&[ALICE, BOB], event(1));
        // Those who are here are reached all the same.
        let heard = next(&mut ours).await;
        assert!(heard == notice(&[ALICE], event(1)) || heard == Notice::Missed);
    }
    proxy.accept();

    loop {
        match next(&mut inbox).await {
            Notice::Missed => break,
            heard => assert_eq!(heard, notice(&[BOB], event(1))),
        }
    }
    close([here, there]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_redis_that_does_not_answer() {
    let proxy = Proxy::before(&server()).await;
    let (bus, mut inbox) = start(&proxied(&config(&server()), &proxy), 1).await;
    proxy.stall();

    let started = tokio::time::Instant::now();
    for sequence in 0..1_000 {
        bus.publish(&[ALICE, BOB], event(sequence));
    }
    assert!(started.elapsed() < Duration::from_millis(500));
    bus.register(&[ALICE]).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    bus.publish(&[ALICE], event(7));

    loop {
        match next(&mut inbox).await {
            Notice::Missed => {}
            heard => break assert_eq!(heard, notice(&[ALICE], event(7))),
        }
    }
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_flushed_is_written_anew() {
    let config = config(&server());
    let (here, _ours) = start(&config, 1).await;
    let (there, mut inbox) = start(&config, 2).await;
    there.register(&[BOB]).await;

    forget_everything(&config).await;

    until_reached(&here, &mut inbox).await;
    close([here, there]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_redis() {
    let config = config("redis://127.0.0.1:1/");
    let (bus, mut inbox) = RedisBus::start(&config, NodeId::from_bytes([1; 16])).unwrap();

    bus.register(&[ALICE]).await;
    bus.publish(&[ALICE], event(1));

    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(1)));
    assert_eq!(bus.health().connected, Connected::No);
    bus.close().await;
    assert_eq!(inbox.recv().await, None);
}

#[test]
fn a_url_that_is_none_is_refused() {
    let config = RedisConfig::at("postgres://elsewhere");

    assert_eq!(RedisBus::start(&config, NodeId::from_bytes([1; 16])).unwrap_err(), BadRedisUrl);
}

async fn start(config: &RedisConfig, number: u8) -> (RedisBus, Inbox) {
    let (bus, inbox) = RedisBus::start(config, NodeId::from_bytes([number; 16])).unwrap();
    until_connected(&bus).await;
    (bus, inbox)
}

/// Waits until other nodes can reach this one, for twenty seconds at most.
async fn until_connected(bus: &RedisBus) {
    for is in [&bus.shared.is_subscribed, &bus.shared.is_listed] {
        let mut is = is.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), is.wait_for(|is| *is)).await;
        assert!(waited.is_ok(), "Redis is not there");
    }
}

/// Publishes until an event for Bob has arrived, for twenty seconds at most.
async fn until_reached(here: &RedisBus, inbox: &mut Inbox) {
    for _ in 0..200 {
        here.publish(&[BOB], event(1));
        let heard = tokio::time::timeout(Duration::from_millis(100), inbox.recv()).await;
        if heard == Ok(Some(notice(&[BOB], event(1)))) {
            return;
        }
    }
    panic!("the node was not reached again");
}

async fn close<const N: usize>(nodes: [RedisBus; N]) {
    for bus in nodes {
        bus.close().await;
    }
}

async fn forget_everything(config: &RedisConfig) {
    let client = ::redis::Client::open(config.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}*", config.prefix);
    let keys: Vec<String> =
        ::redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty());
    ::redis::cmd("DEL").arg(keys).exec_async(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_no_node_is_heard_by_those_that_have_the_account() {
    let config = config(&server());
    let (there, mut inbox) = start(&config, 2).await;
    there.register(&[BOB]).await;
    let nobody = NodeId::from_bytes([9; 16]);
    let said = |account| BusEvent::StandingChanged { account };

    let of_alice = RedisBus::say_once(&config, nobody, ALICE, said(ALICE)).await;
    let of_bob = RedisBus::say_once(&config, nobody, BOB, said(BOB)).await;

    assert_eq!((of_alice, of_bob), (Ok(true), Ok(true)));
    assert_eq!(next(&mut inbox).await, notice(&[BOB], said(BOB)));
    close([there]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_did_not_take_was_not_said() {
    let away = RedisConfig::at("redis://127.0.0.1:1");

    let event = BusEvent::StandingChanged { account: ALICE };
    let said = RedisBus::say_once(&away, NodeId::from_bytes([9; 16]), ALICE, event).await;

    assert_eq!(said, Ok(false));
}

fn config(url: &str) -> RedisConfig {
    let prefix = format!("test:{:016x}:", rand::rng().next_u64());
    // So long that no test waits for the renewal that comes anyway.
    let directory_ttl = Duration::from_secs(3600);
    RedisConfig { prefix, directory_ttl, ..RedisConfig::at(url) }
}

fn proxied(config: &RedisConfig, proxy: &Proxy) -> RedisConfig {
    RedisConfig { url: proxy.url(), ..config.clone() }
}

fn server() -> String {
    std::env::var("SEALWIRE_TEST_REDIS")
        .expect("SEALWIRE_TEST_REDIS names no server; run the tests with `cargo xtask test`")
}
