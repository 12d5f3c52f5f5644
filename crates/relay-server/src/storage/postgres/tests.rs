mod months;

use std::sync::Arc;

use chat_core::time::Timestamp;
use rand_core::Rng as _;
use sqlx::{AssertSqlSafe, Executor as _};

use super::*;
use crate::bus::NodeId;
use crate::storage::conformance::people::{NOW, group, people, stored};
use crate::storage::schema::newest;
use crate::storage::{Storage, conformance};

conformance::suite!(crate::storage::postgres::tests::with_store);

/// Runs `test` on a store in a database of its own.
pub(super) async fn with_store<F>(test: impl FnOnce(Arc<dyn Storage>) -> F)
where
    F: Future<Output = ()>,
{
    with_database(async |url| {
        let store = Store::open(&url, 8).await.unwrap();
        test(Arc::new(store.clone())).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn nodes_that_start_at_once_make_one_schema() {
    with_database(async |url| {
        let open = |_| {
            let url = url.clone();
            tokio::spawn(async move { Store::open(&url, 2).await })
        };
        let nodes: Vec<_> = (0..4).map(open).collect();

        for node in nodes {
            let store = node.await.unwrap().unwrap();
            assert_eq!(store.epoch().await, Ok(1));
            store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_newer_relays_database_is_refused() {
    with_database(async |url| {
        let store = Store::open(&url, 2).await.unwrap();
        let breaks = "UPDATE metadata SET number = 99 WHERE name = 'compatible_since'";
        for sql in [LATER, breaks] {
            store.pool.execute(sql).await.unwrap();
        }
        store.close().await;

        let reopened = Store::open(&url, 2).await;

        assert_eq!(reopened.unwrap_err(), StorageError::TooNew { found: 99, known: newest(STEPS) });
    })
    .await;
}

#[tokio::test]
async fn a_relay_works_on_the_schema_of_the_next_version() {
    with_database(async |url| {
        let store = Store::open(&url, 2).await.unwrap();
        for sql in [
            "ALTER TABLE accounts ADD COLUMN shoe_size BIGINT",
            "ALTER TABLE messages ADD COLUMN weight BIGINT NOT NULL DEFAULT 1",
            "CREATE TABLE later (id BIGINT PRIMARY KEY)",
            LATER,
        ] {
            store.pool.execute(sql).await.unwrap();
        }
        store.close().await;

        let store: Arc<dyn Storage> = Arc::new(Store::open(&url, 2).await.unwrap());

        let [alice, bob] = people(&store, ["alice", "bob"]).await;
        let chat = group(&store, &alice, &[&bob], 1).await;
        stored(&store, alice.writes(&chat, "hello")).await;
        assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().last, 1);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_step_that_is_cut_off_leaves_the_schema_as_it_was() {
    with_database(async |url| {
        let pool = PgPool::connect(&url).await.unwrap();
        // The server ends the session in the middle, as it does when it is killed.
        let cut = "ALTER TABLE accounts ADD COLUMN half BIGINT; \
             SELECT pg_terminate_backend(pg_backend_pid())";
        schema::migrator(&[STEPS[0], (2, "cut off", cut)]).run(&pool).await.unwrap_err();
        pool.close().await;

        let store = Store::open(&url, 2).await.unwrap();

        let half = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'half'";
        let half: i64 = query_scalar(half).fetch_one(&store.pool).await.unwrap();
        assert_eq!(half, 0);
        assert_eq!(store.epoch().await, Ok(1));
        store.close().await;
    })
    .await;
}

/// What a newer relay that leaves room for this one would have noted.
const LATER: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) \
    VALUES (99, 'later', TRUE, '\\x00', 0)";

#[tokio::test]
async fn a_server_that_acknowledges_too_early_is_refused() {
    with_database(async |url| {
        let name = url.rsplit('/').next().unwrap();
        let early = format!("ALTER DATABASE {name} SET synchronous_commit = off");
        administrator().await.execute(AssertSqlSafe(early)).await.unwrap();

        let opened = Store::open(&url, 2).await;

        assert!(matches!(opened.unwrap_err(), StorageError::NotDurable(_)));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let opened = Store::open("postgres://nobody@127.0.0.1:1/nothing", 2).await;

    assert_eq!(opened.unwrap_err(), StorageError::Unavailable);
}

#[tokio::test]
async fn connections_that_are_cut_are_replaced() {
    with_database(async |url| {
        let store = Store::open(&url, 2).await.unwrap();
        assert_eq!(store.epoch().await, Ok(1));
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
        other.execute(cut).await.unwrap();
        other.close().await.unwrap();

        // A connection that broke answers once with an error, and is gone with it.
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(store.epoch().await);
        }

        assert_eq!(answers.last(), Some(&Ok(1)));
        assert!(answers.iter().all(|a| matches!(a, Ok(1) | Err(StorageError::Unavailable))));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn one_node_leads_until_its_time_is_over() {
    with_store(async |store| {
        let [one, two] = [1, 2].map(|byte| NodeId::from_bytes([byte; 16]));
        let (minute, at) =
            (Duration::from_secs(60), |seconds| NOW.after(Duration::from_secs(seconds)));
        let lead = async |node, now: Timestamp| {
            store.lead("sweep", node, now.after(minute), now).await.unwrap()
        };

        assert!(lead(one, NOW).await);
        assert!(!lead(two, NOW).await);
        assert!(lead(one, at(1)).await);
        assert!(!lead(two, at(60)).await);
        assert!(lead(two, at(61)).await);
        assert!(!lead(one, at(61)).await);
    })
    .await;
}

/// Makes a database for `test`, and drops it afterwards.
async fn with_database(test: impl AsyncFnOnce(String)) {
    let name = format!("sealwire_{:016x}", random());
    let create = format!("CREATE DATABASE {name}");
    administrator().await.execute(AssertSqlSafe(create)).await.unwrap();
    let server = server();
    let (base, query) = server.split_once('?').unwrap_or((&server, ""));
    let (base, _) = base.rsplit_once('/').unwrap();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    test(format!("{base}/{name}{query}")).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    administrator().await.execute(AssertSqlSafe(drop)).await.unwrap();
}

async fn administrator() -> sqlx::PgConnection {
    sqlx::PgConnection::connect(&server()).await.unwrap()
}

fn server() -> String {
    std::env::var("SEALWIRE_TEST_POSTGRES")
        .expect("SEALWIRE_TEST_POSTGRES names no server; run the tests with `cargo xtask test`")
}

fn random() -> u64 {
    rand::rng().next_u64()
}
