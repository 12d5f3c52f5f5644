use rand_core::Rng as _;
use std::time::Duration;

use super::*;
use crate::bus::redis::proxy::Proxy;
use crate::limits::conformance::{ALICE, NOW, RATES, suite, use_up};

suite!(with_limits);

async fn with_limits<F>(rates: Rates, test: impl FnOnce(Arc<dyn Limits>) -> F)
where
    F: Future<Output = ()>,
{
    test(node(&config(&server()), rates)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_allow_together_what_one_allows() {
    let config = config(&server());
    let (here, there) = (node(&config, RATES), node(&config, RATES));

    let mut passed = 0;
    for _ in 0..5 {
        for node in [&here, &there] {
            passed += u32::from(node.take(Class::Login, ALICE, NOW).await.is_ok());
        }
    }

    assert_eq!(passed, RATES.logins_a_quarter_hour);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_through_one_node_is_soon_counted_on_the_other() {
    let config = config(&server());
    let (here, there) = (node(&config, RATES), node(&config, RATES));
    use_up(&here, Class::Message, NOW).await;
    until_counted(&here, u64::from(RATES.messages_a_minute)).await;

    // The first is decided by what this node knows, which is nothing; it learns by it.
    let first = there.take(Class::Message, ALICE, NOW).await;
    until_counted(&there, 1).await;
    let second = there.take(Class::Message, ALICE, NOW).await.unwrap_err();

    assert_eq!(first, Ok(()));
    assert_eq!(second.code, RejectCode::RateLimited);
    // What it took too much is owed.
    let wait = second.retry_after_ms.unwrap();
    // Each node has measured Redis' clock for itself.
    assert!((19_000..21_000).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_messages_are_counted_here_and_passwords_wait() {
    let config = config("redis://127.0.0.1:1/");
    let limits = node(&config, RATES);

    use_up(&limits, Class::Message, NOW).await;
    let message = limits.take(Class::Message, ALICE, NOW).await.unwrap_err();
    let challenge = limits.take(Class::Challenge, ALICE, NOW).await;
    let password = limits.take(Class::Login, ALICE, NOW).await.unwrap_err();

    assert_eq!(message.code, RejectCode::RateLimited);
    assert_eq!(challenge, Ok(()));
    assert_eq!(password.code, RejectCode::Unavailable);
    assert!(password.retry_after_ms.is_some());
    assert_eq!(limits.health().shared, 0);
    assert!(limits.health().alone > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_does_not_answer_holds_no_message_up() {
    let direct = config(&server());
    let proxy = Proxy::before(&server()).await;
    let limits = node(&RedisConfig { url: proxy.url(), ..direct }, Rates::GENEROUS);
    limits.take(Class::Login, ALICE, NOW).await.unwrap();
    proxy.stall();

    let started = std::time::Instant::now();
    for _ in 0..10_000 {
        limits.take(Class::Message, ALICE, NOW).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let registration = limits.take(Class::Registration, ALICE, NOW).await;
    assert_eq!(registration, Ok(()), "decided alone, after a while");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_together_goes_on_when_redis_is_back() {
    let direct = config(&server());
    let proxy = Proxy::before(&server()).await;
    let limits = node(&RedisConfig { url: proxy.url(), ..direct.clone() }, RATES);
    proxy.refuse();
    limits.take(Class::Login, ALICE, NOW).await.unwrap_err();

    proxy.accept();

    // The link tries again after a pause of its own.
    while limits.take(Class::Login, ALICE, NOW).await.is_err_and(is_unavailable) {
        tokio::task::yield_now().await;
    }
    let there = node(&direct, RATES);
    let later = NOW.after(Duration::from_secs(5));
    for _ in 0..2 {
        assert_eq!(there.take(Class::Login, ALICE, later).await, Ok(()));
    }
    assert!(there.take(Class::Login, ALICE, later).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_keeps_goes_away_by_itself() {
    let config = config(&server());
    let limits = node(&config, RATES);
    limits.take(Class::Login, ALICE, NOW).await.unwrap();

    let client = Client::open(config.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = ::redis::cmd("KEYS")
        .arg(format!("{}*", config.prefix))
        .query_async(&mut connection)
        .await
        .unwrap();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let lasts: i64 = ::redis::cmd("PTTL").arg(key).query_async(&mut connection).await.unwrap();

    assert!(key.contains("l:login:a:"), "{key}");
    assert!((1..=300_000).contains(&lasts), "{lasts}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused() {
    let started = RedisLimits::start(&RedisConfig::at("postgres://elsewhere"), RATES);

    assert_eq!(started.err(), Some(BadRedisUrl));
}

fn is_unavailable(reject: Reject) -> bool {
    reject.code == RejectCode::Unavailable
}

/// Waits until so many requests were counted for all nodes, for twenty seconds at most.
async fn until_counted(limits: &Arc<dyn Limits>, count: u64) {
    let counted = async {
        while limits.health().shared < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.unwrap();
}

fn node(config: &RedisConfig, rates: Rates) -> Arc<dyn Limits> {
    Arc::new(RedisLimits::start(config, rates).unwrap())
}

fn config(url: &str) -> RedisConfig {
    let prefix = format!("test:{:016x}:", rand::rng().next_u64());
    RedisConfig { prefix, ..RedisConfig::at(url) }
}

fn server() -> String {
    std::env::var("SEALWIRE_TEST_REDIS")
        .expect("SEALWIRE_TEST_REDIS names no server; run the tests with `cargo xtask test`")
}
