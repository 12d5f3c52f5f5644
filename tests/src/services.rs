//! PostgreSQL and Redis, as `cargo xtask test` started them.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// The URL of the Redis server.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn redis() -> String {
    service("SEALWIRE_TEST_REDIS")
}

/// Makes a PostgreSQL database for `story`, hands over its URL, and drops it afterwards.
///
/// # Panics
///
/// If there is no server.
#[allow(clippy::expect_used)]
pub async fn with_database(story: impl AsyncFnOnce(&str)) {
    let server = service("SEALWIRE_TEST_POSTGRES");
    let (base, _) = server.rsplit_once('/').expect("the server's URL names a database");
    let name = format!("sealwire_story_{:016x}", rand::random::<u64>());
    administer(&server, format!("CREATE DATABASE {name}")).await;
    story(&format!("{base}/{name}")).await;
    administer(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

#[allow(clippy::expect_used)]
async fn administer(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.expect("PostgreSQL does not answer");
    connection.execute(AssertSqlSafe(statement)).await.expect("PostgreSQL refuses");
}

#[allow(clippy::panic)]
fn service(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server; run the tests with `cargo xtask test`")
    })
}
