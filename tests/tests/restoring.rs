//! A relay that was restored from a backup: everybody comes back by themselves.
//!
//! What the relay forgets is in `crates/relay-server/tests/all/backups.rs`; here is what that is to
//! people: nothing they had is lost, nothing comes twice, sessions go on, new ones begin with new
//! prekeys, and nobody types a password.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use chat_sdk::SystemClock;
use chat_sdk::clock::Clock as _;
use relay_server::config::Config;
use relay_server::operator::backup::backup;
use relay_server::operator::restore::restore;
use relay_server::testing::TestRelay;

use crate::people::{another_device, people, texts, within};

#[tokio::test]
async fn people_go_on_after_a_restore_as_if_nothing_had_happened() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let relay = TestRelay::builder().data(at("old")).start().await;
    let address = relay.address();
    let [alice, mut bob] = people(&relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("before").await.unwrap();
    assert_eq!(bob.hears().await, ["before"]);
    let at_bob = bob.only_conversation().await;
    at_bob.send("answer").await.unwrap();
    let mut alice = alice;
    assert_eq!(alice.hears().await, ["answer"]);

    keep(&at("old"), &at("copy")).await;
    // Accepted after the backup began: the relay forgets it, the people do not.
    chat.send("between").await.unwrap();
    assert_eq!(bob.hears().await, ["between"]);
    relay.stop().await;
    std::fs::remove_dir_all(at("old")).unwrap();
    let config = Config::with_data(at("new"));
    let restored = restore(&config, &at("copy"), SystemClock.now()).await.unwrap();
    let relay = TestRelay::builder().data(at("new")).listen(address).start().await;

    chat.send("after").await.unwrap();
    assert_eq!(bob.hears().await, ["after"]);
    at_bob.send("and back").await.unwrap();
    assert_eq!(alice.hears().await, ["and back"]);
    let everything = ["before", "answer", "between", "after", "and back"];
    assert_eq!(texts(&chat).await, everything);
    assert_eq!(texts(&at_bob).await, everything);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
    assert_eq!(restored.epoch.sessions, 2);
    relay.stop().await;
}

#[tokio::test]
async fn a_new_session_begins_with_prekeys_of_after_the_restore() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let relay = TestRelay::builder().data(at("old")).start().await;
    let address = relay.address();
    let [alice, mut bob, carol] = people(&relay, ["alice", "bob", "carol"]).await;
    keep(&at("old"), &at("copy")).await;
    relay.stop().await;
    let config = Config::with_data(at("new"));
    restore(&config, &at("copy"), SystemClock.now()).await.unwrap();
    let relay = TestRelay::builder().data(at("new")).listen(address).start().await;
    for person in [&alice.client, &bob.client, &carol.client] {
        within(person.sync()).await.unwrap();
    }

    alice.client.direct("bob").await.unwrap().send("to the old device").await.unwrap();
    assert_eq!(bob.hears().await, ["to the old device"]);
    let tablet = another_device(&relay, "carol").await;
    let chat = alice.client.direct("carol").await.unwrap();
    chat.send("to both").await.unwrap();

    let mut tablet = tablet;
    assert_eq!(tablet.hears().await, ["to both"]);
    relay.stop().await;
}

async fn keep(data: &Path, copy: &Path) {
    backup(&Config::with_data(data), copy, SystemClock.now()).await.unwrap();
}
