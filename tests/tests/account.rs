//! Accounts, devices, keys and tokens, between the SDK and a real relay.

#![allow(clippy::unwrap_used)]

mod hostile;
mod line;
mod lost;

use std::sync::Arc;
use std::time::Duration;

use chat_core::id::AccountId;
use chat_core::limits::ONE_TIME_PREKEYS_MAX;
use chat_core::reject::RejectCode;
use chat_core::time::Timestamp;
use chat_sdk::account::{self, Setup};
use chat_sdk::api::Api;
use chat_sdk::clock::{Clock, ManualClock};
use chat_sdk::context::Context;
use chat_sdk::prekeys::{Occasion, replenish};
use chat_sdk::random::Randomness;
use chat_sdk::store::{Place, Store, StoreKey};
use chat_sdk::transport::{Network, Origin, Transport};
use chat_sdk::verification::{Trust, mark_verified, safety_number, trust};
use chat_sdk::{Kind, PasswordHardening, devices};
use relay_server::testing::TestRelay;

use self::line::Line;

const PASSWORD: &str = "correct horse battery staple";
/// What Argon2 has to be in production takes a second in a debug build.
const CHEAP: PasswordHardening = PasswordHardening { memory_kib: 8, passes: 1, lanes: 1 };

#[tokio::test]
async fn an_account_is_opened_again_without_a_network() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::File {
        path: folder.path().join("alice.store"),
        key: StoreKey::from_bytes([7; 32]),
    };
    let first = setup_on(&relay, Store::open(place()).await.unwrap(), &clock());
    let (registered, phrase) = account::register(first, "alice", PASSWORD).await.unwrap();
    registered.store.close().await;
    let again = setup_on(&relay, Store::open(place()).await.unwrap(), &clock());
    relay.stop().await;

    let opened = account::open(again).await.unwrap();

    assert_eq!(opened.own.address, registered.own.address);
    assert_eq!(opened.own.identity_key, registered.own.identity_key);
    assert_eq!(opened.own.username, "alice");
    assert_eq!(phrase.words().split(' ').count(), 24);
}

#[tokio::test]
async fn a_second_device_has_the_same_identity_and_is_in_the_list() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;

    let laptop = logged_in(&relay, "alice").await;

    assert_eq!(laptop.own.account(), phone.own.account());
    assert_eq!(laptop.own.workspace, phone.own.workspace);
    assert_eq!(laptop.own.identity_key, phone.own.identity_key);
    assert_ne!(laptop.own.address, phone.own.address);
    devices::refresh_own(&phone).await.unwrap();
    for device in [&phone, &laptop] {
        let listed = devices::list_own(device).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed.iter().filter(|listed| listed.is_this).count(), 1);
    }
}

#[tokio::test]
async fn two_devices_that_enrol_at_once_are_both_in_the_list() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;

    let (laptop, tablet) = tokio::join!(logged_in(&relay, "alice"), logged_in(&relay, "alice"));

    let all = devices::refresh_own(&phone).await.unwrap();
    for device in [phone, laptop, tablet] {
        assert!(all.active_device(device.own.address.device).is_some());
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_told_alike() {
    let relay = TestRelay::start().await;
    registered(&relay, "alice").await;

    let wrong = account::log_in(setup(&relay).await, "alice", "guess").await.unwrap_err();
    let unknown = account::log_in(setup(&relay).await, "nobody", PASSWORD).await.unwrap_err();
    let impossible = account::log_in(setup(&relay).await, "../admin", PASSWORD).await.unwrap_err();

    assert_eq!(wrong.code(), "wrong_password");
    for other in [unknown, impossible] {
        assert_eq!(other.to_string(), wrong.to_string());
    }
}

#[tokio::test]
async fn a_taken_name_is_refused_and_the_store_stays_empty() {
    let relay = TestRelay::start().await;
    registered(&relay, "alice").await;
    let second = setup(&relay).await;

    let error = account::register(second.clone(), "alice", PASSWORD).await.unwrap_err();

    assert_eq!(error.code(), "name_taken");
    assert_eq!(account::open(second).await.unwrap_err().code(), "store_empty");
}

#[tokio::test]
async fn a_name_that_breaks_the_rules_is_refused() {
    let relay = TestRelay::start().await;

    for name in ["al", "Alice", "alice!", "a/b"] {
        let error = account::register(setup(&relay).await, name, PASSWORD).await.unwrap_err();
        assert_eq!(error.code(), "name_invalid", "{name}");
    }
}

#[tokio::test]
async fn an_empty_password_is_refused() {
    let relay = TestRelay::start().await;

    let error = account::register(setup(&relay).await, "alice", "").await.unwrap_err();

    assert_eq!(error.code(), "argument_invalid");
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_unreachable() {
    let relay = TestRelay::start().await;
    let alone = setup(&relay).await;
    relay.stop().await;

    let registering = account::register(alone.clone(), "alice", PASSWORD).await.unwrap_err();
    let logging_in = account::log_in(alone, "alice", PASSWORD).await.unwrap_err();

    for error in [registering, logging_in] {
        assert_eq!(error.code(), "relay_unreachable");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_store_has_one_account() {
    let relay = TestRelay::start().await;
    let first = setup(&relay).await;
    account::register(first.clone(), "alice", PASSWORD).await.unwrap();

    let registering = account::register(first.clone(), "bob", PASSWORD).await.unwrap_err();
    let logging_in = account::log_in(first, "alice", PASSWORD).await.unwrap_err();

    assert_eq!(registering.code(), "store_in_use");
    assert_eq!(logging_in.code(), "store_in_use");
}

#[tokio::test]
async fn a_store_belongs_to_one_relay() {
    let (relay, other) = (TestRelay::start().await, TestRelay::start().await);
    let first = setup(&relay).await;
    let store = first.store.clone();
    account::register(first, "alice", PASSWORD).await.unwrap();

    let error = account::open(setup_on(&other, store, &clock())).await.unwrap_err();

    assert_eq!(error.code(), "address_invalid");
}

#[tokio::test]
async fn two_people_see_the_same_safety_number() {
    let relay = TestRelay::start().await;
    let (alice, bob) = (registered(&relay, "alice").await, registered(&relay, "bob").await);

    let to_bob = devices::find(&alice, "bob").await.unwrap().account;
    let to_alice = devices::find(&bob, "alice").await.unwrap().account;

    let at_alice = safety_number(&alice, to_bob).await.unwrap();
    let at_bob = safety_number(&bob, to_alice).await.unwrap();
    assert_eq!(at_alice.to_string(), at_bob.to_string());
    assert!(at_alice.matches_qr(&at_bob.qr_payload()));
    assert_eq!(trust(&alice, to_bob).await.unwrap(), Trust::FirstUse);
    mark_verified(&alice, to_bob).await.unwrap();
    assert_eq!(trust(&alice, to_bob).await.unwrap(), Trust::Verified);
}

#[tokio::test]
async fn nobody_is_found_under_a_name_that_nobody_has() {
    let relay = TestRelay::start().await;
    let alice = registered(&relay, "alice").await;

    assert_eq!(devices::find(&alice, "nobody").await.unwrap_err().code(), "not_found");
    assert_eq!(devices::find(&alice, "no/body").await.unwrap_err().code(), "name_invalid");
    let stranger = AccountId::from_bytes([9; 16]);
    assert_eq!(devices::fetch(&alice, stranger).await.unwrap_err().code(), "not_found");
    assert_eq!(safety_number(&alice, stranger).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn a_removed_device_is_refused_and_others_see_that_it_is_gone() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;
    let laptop = logged_in(&relay, "alice").await;
    let bob = registered(&relay, "bob").await;
    let alice = devices::find(&bob, "alice").await.unwrap().account;
    let lost = laptop.own.address.device;

    devices::refresh_own(&phone).await.unwrap();
    devices::remove_own(&phone, lost).await.unwrap();

    assert_eq!(laptop.relay.own_account().await.unwrap_err().kind(), Kind::DeviceRemoved);
    assert_eq!(laptop.relay.connect().await.unwrap_err().kind(), Kind::DeviceRemoved);
    let seen = devices::fetch(&bob, alice).await.unwrap().into_devices().unwrap();
    assert!(seen.active_device(lost).is_none());
    assert_eq!(devices::remove_own(&phone, lost).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_device_removes_another_that_it_had_not_heard_of_the_latest_from() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;
    let laptop = logged_in(&relay, "alice").await;
    let _tablet = logged_in(&relay, "alice").await;

    // The laptop's list is one behind, so that its first attempt conflicts.
    devices::remove_own(&laptop, phone.own.address.device).await.unwrap();

    let listed = devices::list_own(&laptop).await.unwrap();
    let removed = listed.iter().filter(|listed| listed.removed_at.is_some()).count();
    assert_eq!((listed.len(), removed), (3, 1));
}

#[tokio::test]
async fn logging_out_removes_the_device_and_empties_the_store() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;
    let first = setup(&relay).await;
    let laptop = account::log_in(first.clone(), "alice", PASSWORD).await.unwrap();

    account::log_out(&laptop).await.unwrap();

    let left = devices::refresh_own(&phone).await.unwrap();
    assert!(left.active_device(laptop.own.address.device).is_none());
    assert_eq!(account::open(first.clone()).await.unwrap_err().code(), "store_empty");
    account::log_in(first, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_anybody_noticing() {
    let clock = clock();
    let relay = TestRelay::builder().clock(Arc::new(RelayClock(clock.clone()))).start().await;
    let store = Store::in_memory().await.unwrap();
    let first = setup_on(&relay, store, &clock);
    let (alice, _) = account::register(first, "alice", PASSWORD).await.unwrap();

    for _ in 0..5 {
        clock.advance(Duration::from_secs(16 * 60));
        assert_eq!(alice.relay.own_account().await.unwrap().username, "alice");
    }
    drop(alice.relay.connect().await.unwrap());
}

#[tokio::test]
async fn a_device_whose_clock_stands_still_learns_of_expiry_from_the_relay() {
    let clock = clock();
    let relay = TestRelay::builder().clock(Arc::new(RelayClock(clock.clone()))).start().await;
    let slow = ManualClock::at(clock.now());
    let store = Store::in_memory().await.unwrap();
    let first = setup_on(&relay, store, &slow);
    let (alice, _) = account::register(first, "alice", PASSWORD).await.unwrap();

    clock.advance(Duration::from_secs(3600));

    assert_eq!(alice.relay.own_account().await.unwrap().username, "alice");
    clock.advance(Duration::from_secs(3600));
    drop(alice.relay.connect().await.unwrap());
}

#[tokio::test]
async fn two_processes_of_one_device_do_not_spend_a_refresh_token_twice() {
    let clock = clock();
    let relay = TestRelay::builder().clock(Arc::new(RelayClock(clock.clone()))).start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::File {
        path: folder.path().join("alice.store"),
        key: StoreKey::from_bytes([7; 32]),
    };
    let app = setup_on(&relay, Store::open(place()).await.unwrap(), &clock);
    let (app, _) = account::register(app, "alice", PASSWORD).await.unwrap();
    let extension = setup_on(&relay, Store::open(place()).await.unwrap(), &clock);
    let extension = account::open(extension).await.unwrap();

    for _ in 0..4 {
        clock.advance(Duration::from_secs(16 * 60));
        let (a, b) = tokio::join!(app.relay.own_account(), extension.relay.own_account());
        assert_eq!(a.unwrap().account, b.unwrap().account);
    }
}

#[tokio::test]
async fn ten_requests_at_once_renew_a_token_once() {
    let clock = clock();
    let relay = TestRelay::builder().clock(Arc::new(RelayClock(clock.clone()))).start().await;
    let store = Store::in_memory().await.unwrap();
    let (alice, _) =
        account::register(setup_on(&relay, store, &clock), "alice", PASSWORD).await.unwrap();
    let alice = Arc::new(alice);
    clock.advance(Duration::from_secs(3600));

    let requests = (0..10).map(|_| {
        let alice = Arc::clone(&alice);
        tokio::spawn(async move { alice.relay.own_account().await })
    });

    // A second spending of the refresh token would have ended its family.
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap().unwrap();
    }
    clock.advance(Duration::from_secs(3600));
    alice.relay.own_account().await.unwrap();
}

#[tokio::test]
async fn every_bundle_verifies_and_no_one_time_prekey_is_handed_out_twice() {
    let relay = TestRelay::start().await;
    let (alice, bob) = (registered(&relay, "alice").await, registered(&relay, "bob").await);
    let account = devices::find(&alice, "bob").await.unwrap().account;
    let known = devices::current(&alice, &[account]).await.unwrap();
    let certificate = known[0].active_device(bob.own.address.device).unwrap();

    let mut indexes = Vec::new();
    for _ in 0..3 {
        let bundles = alice.relay.fetch_bundles(vec![bob.own.address]).await.unwrap();
        let [bundle] = bundles.try_into().unwrap();
        let verified = bundle.verify(certificate).unwrap();
        indexes.push(verified.one_time.unwrap().index);
    }

    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), 3);
    let left = bob.relay.prekey_count().await.unwrap();
    assert_eq!((left.number, left.remaining as usize), (1, ONE_TIME_PREKEYS_MAX - 3));
}

#[tokio::test]
async fn prekeys_that_run_low_are_replenished_by_the_next_set() {
    let relay = TestRelay::start().await;
    let bob = registered(&relay, "bob").await;

    replenish(&bob, Occasion::Routine).await.unwrap();
    assert_eq!(bob.relay.prekey_count().await.unwrap().number, 1, "there was no need");
    replenish(&bob, Occasion::Low).await.unwrap();

    let left = bob.relay.prekey_count().await.unwrap();
    assert_eq!((left.number, left.remaining as usize), (2, ONE_TIME_PREKEYS_MAX));
}

#[tokio::test]
async fn a_refresh_token_counts_once() {
    let relay = TestRelay::start().await;
    let alice = registered(&relay, "alice").await;
    let refresh = alice.store.write(chat_sdk::store::account::take_refresh).await.unwrap().unwrap();
    let body = chat_core::api::auth::Refresh { refresh: refresh.to_string(), signature: None };

    alice.relay.api().refresh(&body).await.unwrap();
    let replayed = alice.relay.api().refresh(&body).await.unwrap_err();

    assert_eq!(replayed.reject().unwrap().code, RejectCode::TokenReplayed);
    assert_eq!(replayed.code(), "logged_out");
}

// ── helpers ─────────────────────────────────────────────────────────────────────────────────────

/// The relay's clock, moved with the SDK's.
#[derive(Debug)]
struct RelayClock(ManualClock);

impl relay_server::clock::Clock for RelayClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_800_000_000_000))
}

async fn setup(relay: &TestRelay) -> Setup {
    setup_on(relay, Store::in_memory().await.unwrap(), &clock())
}

fn setup_on(relay: &TestRelay, store: Store, clock: &ManualClock) -> Setup {
    let origin = Origin::parse(relay.url()).unwrap();
    Setup {
        api: Api::over(Arc::new(Network::to(origin).unwrap())),
        store,
        clock: Arc::new(clock.clone()),
        randomness: Randomness::system().unwrap(),
        hardening: CHEAP,
        sessions_a_message_max: chat_core::limits::SESSIONS_A_MESSAGE_MAX,
    }
}

async fn registered(relay: &TestRelay, name: &str) -> Context {
    account::register(setup(relay).await, name, PASSWORD).await.unwrap().0
}

async fn logged_in(relay: &TestRelay, name: &str) -> Context {
    account::log_in(setup(relay).await, name, PASSWORD).await.unwrap()
}

async fn bad_line(relay: &TestRelay) -> (Arc<Line>, Setup) {
    let network = Network::to(Origin::parse(relay.url()).unwrap()).unwrap();
    let line = Arc::new(Line::over(network));
    let transport: Arc<dyn Transport> = Arc::clone(&line) as _;
    (line, Setup { api: Api::over(transport), ..setup(relay).await })
}
