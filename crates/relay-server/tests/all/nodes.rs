//! Two nodes on one store: with the bus between them, and with the bus lost.
//!
//! Each test runs on both stands: SQLite and a bus inside this process, PostgreSQL and Redis.

use std::sync::Arc;

use chat_core::api::account::OwnAccount;
use chat_core::membership::Change;
use chat_core::reject::RejectCode;
use relay_server::bus::local::LocalHub;
use relay_server::config::{BlobStore, Rates};
use relay_server::random;
use relay_server::storage::Storage;
use relay_server::storage::sqlite::Store;
use relay_server::testing::TestRelay;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::blobs;
use crate::people::{Person, Rest};
use crate::socket::Socket;

const ORIGIN: &str = "http://relay.test";
/// Messages an account may send in a minute on PostgreSQL and Redis.
const A_MINUTE: u32 = 30;

async fn a_message_reaches_the_other_node(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let (alice, bob) = (Person::register(here, "alice").await, person(there, here, "bob").await);
    let chat = alice.direct(&bob).await;
    let mut bobs = bob.connect_idle().await;
    let mut alices = alice.connect_idle().await;

    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    assert_eq!(bobs.delivery().await.0, 1);

    bobs.send_message(&bob.message(&chat, &[&alice]).seal()).await.unwrap();
    assert_eq!(alices.delivery().await.0, 2);
}

async fn a_change_of_members_or_devices_is_known_on_the_other_node(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let bob = person(there, here, "bob").await;
    let carol = person(there, here, "carol").await;
    let mut group = alice.group(&[&bob, &carol]).await;
    let mut bobs = bob.connect_idle().await;
    bobs.send_message(&bob.message(&group, &[&alice, &carol]).seal()).await.unwrap();
    let before = group.clone();

    alice.change(&mut group, Change::Remove { account: carol.account }).await.unwrap();
    let laptop = alice.with_another_device().await;

    let stale = bob.message(&before, &[&alice, &carol]).seal();
    let refused = bobs.send_message(&stale).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::StaleMembership);
    let refused = bobs.send_message(&bob.message(&group, &[&alice]).seal()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::StaleDevices);
    let fresh = bob.message(&group, &[&alice, &laptop]).seal();
    assert_eq!(bobs.send_message(&fresh).await, Ok(2));
}

async fn a_device_removed_on_one_node_is_cut_off_on_the_other(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let laptop = alice.with_another_device().await;
    let laptop = Person { rest: Rest::at(there), ..laptop };
    let mut socket = laptop.connect_idle().await;

    let phone = Person { devices: laptop.devices.clone(), ..alice };
    let list = phone.list_without(laptop.device.address.device);
    phone.put("/v1/account/devices", &list).await.unwrap();

    assert_eq!(socket.refusal().await, RejectCode::DeviceRemoved);
    let refused = laptop.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::DeviceRemoved);
}

async fn a_newer_connection_on_another_node_displaces_the_older(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let mut older = alice.connect_idle().await;

    let mut newer = Socket::open(there.url(), Some(&alice.tokens.access)).await.unwrap();
    newer.connected().await;

    assert_eq!(older.refusal().await, RejectCode::Displaced);
    newer.settle().await;
}

async fn a_log_in_may_begin_on_one_node_and_end_on_the_other(pair: Pair) {
    use chat_core::api::auth::{
        DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, Tokens, device_login_input,
    };
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let address = alice.device.address;

    let start = DeviceLoginStart { address };
    let challenge: DeviceChallenge =
        alice.rest.post("/v1/auth/device/start", None, &start).await.unwrap();
    let input = device_login_input(ORIGIN, &challenge.nonce, address);
    let signature = alice.device.sign(chat_core::label::DEVICE_LOGIN, &input);
    let finish = DeviceLoginFinish { address, nonce: challenge.nonce, signature };
    let tokens: Tokens =
        Rest::at(there).post("/v1/auth/device/finish", None, &finish).await.unwrap();

    // And the token of one is good at the other.
    let own: OwnAccount = alice.rest.get("/v1/account", &tokens.access).await.unwrap();
    assert_eq!(own.account, alice.account);
}

async fn a_device_removed_elsewhere_is_cut_off_all_the_same(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let laptop = alice.with_another_device().await;
    let laptop = Person { rest: Rest::at(there), ..laptop };
    let mut socket = laptop.connect_idle().await;

    let phone = Person { devices: laptop.devices.clone(), ..alice };
    let list = phone.list_without(laptop.device.address.device);
    phone.put("/v1/account/devices", &list).await.unwrap();
    there.relay().look_at_heads().await;

    assert_eq!(socket.refusal().await, RejectCode::DeviceRemoved);
}

async fn everything_still_arrives(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let bob = person(there, here, "bob").await;
    let chat = alice.direct(&bob).await;
    let mut bobs = bob.connect_idle().await;
    let mut alices = alice.connect_idle().await;

    for _ in 0..3 {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    there.relay().look_at_heads().await;
    for expected in 1..=3 {
        assert_eq!(bobs.delivery().await.0, expected);
    }
    bobs.acknowledge(chat.id(), 3).await;

    // A gap that nobody told of is noticed by the next look, and filled in order.
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    there.relay().look_at_heads().await;
    assert_eq!(bobs.delivery().await.0, 4);
}

async fn who_logs_out_on_one_node_is_cut_off_on_the_other(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = person(there, here, "alice").await;
    let mut alices = alice.connect_idle().await;

    let token = Some(alice.tokens.access.as_str());
    let (status, _) = Rest::at(here).raw("POST", "/v1/auth/logout", token, None).await;
    assert_eq!(status, 204);

    assert_eq!(alices.refusal().await, RejectCode::TokenInvalid);
    assert_eq!(alices.close_code().await, 1008);
    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
}

async fn who_logs_out_elsewhere_is_cut_off_all_the_same(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = person(there, here, "alice").await;
    let mut alices = alice.connect_idle().await;
    Rest::at(here).raw("POST", "/v1/auth/logout", Some(&alice.tokens.access), None).await;

    there.relay().look_at_heads().await;

    assert_eq!(alices.refusal().await, RejectCode::TokenInvalid);
    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
}

async fn a_limit_holds_for_all_nodes_together(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let bob = person(there, here, "bob").await;
    let chat = alice.direct(&bob).await;
    let mut at_one = alice.connect_idle().await;
    for _ in 0..A_MINUTE - 5 {
        at_one.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    at_one.close().await;

    let elsewhere = Person { rest: Rest::at(there), ..alice.clone() };
    let mut at_other = elsewhere.connect_idle().await;
    let mut more = 0;
    let refused = loop {
        match at_other.send_message(&alice.message(&chat, &[&bob]).seal()).await {
            Ok(_) => more += 1,
            Err(refused) => break refused,
        }
    };

    assert_eq!(refused.code, RejectCode::RateLimited);
    assert!(refused.retry_after_ms.is_some());
    // This node learns what the other counted from the answer to its first message; until that is
    // there, and while the minute goes on, a few pass.
    assert!((5..A_MINUTE - 5).contains(&more), "{more}");
}

async fn an_upload_goes_on_at_the_other_node(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let (alice, bob) = (Person::register(here, "alice").await, person(there, here, "bob").await);
    let elsewhere = Person { rest: Rest::at(there), ..Person::clone(&alice) };
    let bytes = blobs::content(300_000);
    let blob = blobs::create(&alice, bytes.len()).await.unwrap().blob;

    blobs::put(&alice, blob, 0, &bytes[..200_000]).await.unwrap();
    blobs::put(&elsewhere, blob, 150_000, &bytes[150_000..250_000]).await.unwrap();
    let done = blobs::put(&alice, blob, 250_000, &bytes[250_000..]).await.unwrap();

    assert_eq!(done.offset, done.bytes);
    let (status, answered) = blobs::get(&bob, blob, None).await;
    assert_eq!(status, 200);
    assert!(answered == bytes, "the bytes are not those that were uploaded");
}

/// A device that sends a piece again because it heard nothing, while the first is still on its way.
async fn uploads_of_one_blob_at_both_nodes_leave_one_of_them(pair: Pair) {
    let Pair { here, there, .. } = &pair;
    let alice = Person::register(here, "alice").await;
    let elsewhere = Person { rest: Rest::at(there), ..Person::clone(&alice) };
    let [old, new] = [vec![1; 200_000], vec![2; 200_000]];
    let blob = blobs::create(&alice, 400_000).await.unwrap().blob;

    for start in [0, 200_000] {
        let (one, other) = tokio::join!(
            blobs::put(&alice, blob, start, &old),
            blobs::put(&elsewhere, blob, start, &new),
        );
        let placed = [one, other].into_iter().flatten().map(|it| it.offset).collect::<Vec<_>>();
        assert!(placed.iter().all(|offset| *offset == start as u64 + 200_000), "{placed:?}");
        assert!(!placed.is_empty());
    }

    let (_, answered) = blobs::get(&alice, blob, None).await;
    for half in answered.chunks(200_000) {
        assert!(half == old || half == new, "two uploads were mixed");
    }
    assert_eq!(answered.len(), 400_000);
}

/// Two nodes, and what they stand on.
struct Pair {
    here: TestRelay,
    there: TestRelay,
    /// Where PostgreSQL is, if they stand on it.
    database: String,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Between {
    TheBus,
    Nothing,
}

async fn on_sqlite(between: Between, test: impl AsyncFnOnce(Pair)) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("shared.db")).await.unwrap();
    let store: Arc<dyn Storage> = Arc::new(store);
    let hub = LocalHub::default();
    let other = if between == Between::TheBus { hub.clone() } else { LocalHub::default() };
    let blobs = || BlobStore::Disk(folder.path().join("blobs"));
    let node = |hub| {
        let node = TestRelay::builder().sharing(&hub, store.clone());
        node.blob_store(blobs()).origin(ORIGIN).start()
    };
    let database = String::new();
    test(Pair { here: node(hub).await, there: node(other).await, database }).await;
}

async fn on_postgres(between: Between, test: impl AsyncFnOnce(Pair)) {
    let folder = TempDir::new().unwrap();
    let server = service("SEALWIRE_TEST_POSTGRES");
    let name = format!("sealwire_{:016x}", u64::from_le_bytes(random::bytes()));
    let mut administrator = PgConnection::connect(&server).await.unwrap();
    administrator.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/{name}");
    let node = || {
        let rates = Rates { messages_a_minute: A_MINUTE, ..Rates::GENEROUS };
        let blobs = BlobStore::Disk(folder.path().join("blobs"));
        let node =
            TestRelay::builder().postgres(&url).blob_store(blobs).origin(ORIGIN).rates(rates);
        match between {
            Between::TheBus => node.redis(service("SEALWIRE_TEST_REDIS")),
            Between::Nothing => node,
        }
    };
    test(Pair { here: node().start().await, there: node().start().await, database: url }).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    administrator.execute(AssertSqlSafe(drop)).await.unwrap();
}

fn service(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server; run the tests with `cargo xtask test`")
    })
}

macro_rules! on_both_stands {
    ($between:ident: $($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::super::on_sqlite(super::super::Between::$between, super::super::$name).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::super::on_postgres(super::super::Between::$between, super::super::$name)
                    .await;
            })*
        }
    };
}

mod with_a_bus {
    on_both_stands! {
        TheBus:
        a_message_reaches_the_other_node,
        a_change_of_members_or_devices_is_known_on_the_other_node,
        a_device_removed_on_one_node_is_cut_off_on_the_other,
        a_newer_connection_on_another_node_displaces_the_older,
        who_logs_out_on_one_node_is_cut_off_on_the_other,
        a_log_in_may_begin_on_one_node_and_end_on_the_other,
        an_upload_goes_on_at_the_other_node,
        uploads_of_one_blob_at_both_nodes_leave_one_of_them,
    }
}

mod without_a_bus {
    on_both_stands! {
        Nothing:
        everything_still_arrives,
        a_device_removed_elsewhere_is_cut_off_all_the_same,
        who_logs_out_elsewhere_is_cut_off_all_the_same,
    }
}

#[tokio::test]
async fn who_is_suspended_on_the_command_line_is_cut_off_at_once_on_every_node() {
    on_postgres(Between::TheBus, async |pair: Pair| {
        let Pair { here, there, database } = &pair;
        let bob = person(there, here, "bob").await;
        let mut socket = bob.connect_idle().await;

        let mut program = crate::cli::program();
        let program = program.args(["admin", "suspend", "bob", "--database", database]);
        let output = program.args(["--redis", &service("SEALWIRE_TEST_REDIS")]).output().await;

        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(said.contains("end now"), "{said}");
        assert_eq!(socket.refusal().await, RejectCode::AccountSuspended);
    })
    .await;
}

#[tokio::test]
async fn a_limit_holds_for_all_nodes_together_in_redis() {
    on_postgres(Between::TheBus, a_limit_holds_for_all_nodes_together).await;
}

/// Somebody who registers at one node and uses the other.
async fn person(uses: &TestRelay, registers_at: &TestRelay, name: &str) -> Person {
    let person = Person::register(registers_at, name).await;
    Person { rest: Rest::at(uses), ..person }
}
