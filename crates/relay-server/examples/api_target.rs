//! A relay with somebody logged in, for programs that try its interfaces: `cargo xtask api-fuzz`.
//!
//! Says one line of JSON, and ends when nobody holds its input any more:
//!
//! ```text
//!  {"url":"http://127.0.0.1:40123","token":"ey…","account":"…","conversation":"…"}
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests")]

#[path = "../tests/all/people.rs"]
mod people;
#[path = "../tests/all/socket.rs"]
mod socket;

use relay_server::testing::TestRelay;

use crate::people::Person;

#[tokio::main]
async fn main() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let chat = alice.direct(&bob).await;
    let target = serde_json::json!({
        "url": relay.url(),
        "token": alice.tokens.access,
        "account": alice.account,
        "conversation": chat.id(),
    });
    println!("{target}");
    // An error is an end too.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await;
    relay.stop().await;
}
