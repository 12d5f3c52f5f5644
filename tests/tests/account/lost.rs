//! Requests and answers that get lost on the way.

use chat_sdk::account::{self, Setup};
use relay_server::testing::TestRelay;

use super::*;

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_repeated_without_harm() {
    let relay = TestRelay::start().await;
    let (line, setup) = bad_line(&relay).await;
    let (bob, _) = account::register(setup, "bob", PASSWORD).await.unwrap();

    line.lose_answer_to("/v1/prekeys");
    let lost = replenish(&bob, Occasion::Low).await.unwrap_err();
    replenish(&bob, Occasion::Routine).await.unwrap();

    assert_eq!(lost.kind(), Kind::RelayUnreachable);
    let left = bob.relay.prekey_count().await.unwrap();
    assert_eq!((left.number, left.remaining as usize), (2, ONE_TIME_PREKEYS_MAX));
    let kept = bob.store.read(chat_sdk::prekeys::load).await.unwrap();
    assert_eq!(kept.len(), 2, "nothing was made anew");
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_a_registration() {
    let relay = TestRelay::start().await;
    let (line, setup) = bad_line(&relay).await;

    line.lose_answer_to("/v1/auth/register/finish");
    let (alice, _) = account::register(setup, "alice", PASSWORD).await.unwrap();

    assert_eq!(alice.relay.own_account().await.unwrap().account, alice.own.account());
}

#[tokio::test]
async fn a_registration_that_never_arrives_leaves_no_account() {
    let relay = TestRelay::start().await;
    let (line, setup) = bad_line(&relay).await;

    line.lose_request_to("/v1/auth/register/finish");
    let error = account::register(setup.clone(), "alice", PASSWORD).await.unwrap_err();

    assert_eq!(error.code(), "relay_unreachable");
    account::register(setup, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_enrolment_whose_answer_is_lost_is_an_enrolment() {
    let relay = TestRelay::start().await;
    let phone = registered(&relay, "alice").await;
    let (line, setup) = bad_line(&relay).await;

    line.lose_answer_to("/v1/devices/enrol");
    let laptop = account::log_in(setup, "alice", PASSWORD).await.unwrap();

    let all = devices::refresh_own(&phone).await.unwrap();
    assert_eq!(all.active().count(), 2);
    assert!(all.active_device(laptop.own.address.device).is_some());
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_is_asked_for_again() {
    let clock = clock();
    let relay = TestRelay::builder().clock(Arc::new(RelayClock(clock.clone()))).start().await;
    let (line, setup) = bad_line(&relay).await;
    let setup = Setup { clock: Arc::new(clock.clone()), ..setup };
    let (alice, _) = account::register(setup, "alice", PASSWORD).await.unwrap();
    clock.advance(Duration::from_secs(3600));

    line.lose_answer_to("/v1/auth/refresh");
    let account = alice.relay.own_account().await.unwrap();

    assert_eq!(account.username, "alice");
    assert_eq!(alice.relay.own_account().await.unwrap().username, "alice");
}
