//! Tokens: what they are good for, how long, and what a replay costs.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::account::OwnAccount;
use chat_core::api::auth::{Refresh, Tokens, refresh_input};
use chat_core::frame::RelayFrame;
use chat_core::label;
use chat_core::limits::{ACCESS_TOKEN_LIFETIME, LOGIN_WITHIN};
use chat_core::reject::RejectCode;
use relay_server::auth::refresh::FORGIVEN_FOR;
use relay_server::clock::ManualClock;
use relay_server::testing::TestRelay;

use crate::people::{NOW, Person, Rest};
use crate::socket::Socket;

#[tokio::test]
async fn an_expired_access_token_is_refused_and_a_refresh_gives_another() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let alice = Person::register(&relay, "alice").await;

    clock.advance(ACCESS_TOKEN_LIFETIME + Duration::from_secs(61));

    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenExpired);
    let refused = Socket::open(relay.url(), Some(&alice.tokens.access)).await.err().unwrap();
    assert_eq!(refused.code, RejectCode::TokenExpired);
    let tokens = refresh(&alice.rest, &alice.tokens.refresh).await.unwrap();
    assert!(alice.rest.get::<OwnAccount>("/v1/account", &tokens.access).await.is_ok());
}

#[tokio::test]
async fn a_replayed_refresh_token_ends_its_family_and_the_connection() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut socket = alice.connect_idle().await;
    let next = refresh(&alice.rest, &alice.tokens.refresh).await.unwrap();

    let replayed = refresh(&alice.rest, &alice.tokens.refresh).await.unwrap_err();

    assert_eq!(replayed.code, RejectCode::TokenReplayed);
    let successor = refresh(&alice.rest, &next.refresh).await.unwrap_err();
    assert!(matches!(successor.code, RejectCode::TokenExpired | RejectCode::TokenInvalid));
    assert_eq!(socket.refusal().await, RejectCode::TokenInvalid);
    assert_eq!(socket.close_code().await, 1008);
}

#[tokio::test]
async fn what_is_no_token_is_invalid() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);

    for token in ["x", "a.b.c", ""] {
        let refused = rest.get::<OwnAccount>("/v1/account", token).await.unwrap_err();
        let without = token.is_empty();
        let code = if without { RejectCode::Unauthenticated } else { RejectCode::TokenInvalid };
        assert_eq!(refused.code, code);
    }
    let refused = refresh(&rest, "AAAA").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
}

#[tokio::test]
async fn a_device_logs_in_with_its_key_for_this_relay_only() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;

    let tokens = alice.log_in_by_device(relay.url()).await.unwrap();
    let elsewhere = alice.log_in_by_device("https://another.example").await.unwrap_err();

    assert_eq!(tokens.address, alice.device.address);
    assert_eq!(elsewhere.code, RejectCode::InvalidCredentials);
    let mut stranger = alice.clone();
    stranger.device.key = crate::people::random_key();
    let forged = stranger.log_in_by_device(relay.url()).await.unwrap_err();
    assert_eq!(forged, elsewhere);
    stranger.device.address.device = chat_core::id::DeviceId::from_bytes([9; 16]);
    let unknown = stranger.log_in_by_device(relay.url()).await.unwrap_err();
    assert_eq!(unknown, elsewhere);
}

#[tokio::test]
async fn a_challenge_is_good_for_a_minute() {
    use chat_core::api::auth::{
        DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, device_login_input,
    };
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let alice = Person::register(&relay, "alice").await;
    let address = alice.device.address;
    let start = DeviceLoginStart { address };
    let challenge: DeviceChallenge =
        alice.rest.post("/v1/auth/device/start", None, &start).await.unwrap();

    clock.advance(LOGIN_WITHIN + Duration::from_secs(1));

    let input = device_login_input(relay.url(), &challenge.nonce, address);
    let signature = alice.device.sign(label::DEVICE_LOGIN, &input);
    let finish = DeviceLoginFinish { address, nonce: challenge.nonce, signature };
    let refused =
        alice.rest.post::<Tokens>("/v1/auth/device/finish", None, &finish).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::InvalidCredentials);
}

#[tokio::test]
async fn logging_out_ends_the_tokens_and_the_connection() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut socket = alice.connect_idle().await;

    let (status, _) =
        alice.rest.raw("POST", "/v1/auth/logout", Some(&alice.tokens.access), None).await;

    assert_eq!(status, 204);
    assert!(refresh(&alice.rest, &alice.tokens.refresh).await.is_err());
    let said = socket
        .wait_for(|frame| match frame {
            RelayFrame::Reject { reject, .. } => Some(reject.code),
            _ => None,
        })
        .await;
    assert_eq!(said, RejectCode::TokenInvalid);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_to_who_can_sign() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let alice = Person::register(&relay, "alice").await;
    let request = signed(&alice, &alice.tokens.refresh, relay.url());
    let lost: Tokens = alice.rest.post("/v1/auth/refresh", None, &request).await.unwrap();

    clock.advance(FORGIVEN_FOR);
    let again: Tokens = alice.rest.post("/v1/auth/refresh", None, &request).await.unwrap();

    assert_eq!(again.refresh, lost.refresh, "the same successor");
    assert!(alice.rest.get::<OwnAccount>("/v1/account", &again.access).await.is_ok());
    let next = refresh(&alice.rest, &again.refresh).await.unwrap();
    assert_ne!(next.refresh, again.refresh);
    let replayed = alice.rest.post::<Tokens>("/v1/auth/refresh", None, &request).await.unwrap_err();
    assert_eq!(replayed.code, RejectCode::TokenReplayed, "the successor is spent");
}

#[tokio::test]
async fn nobody_else_is_forgiven_and_nobody_for_long() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let thief = Person::register(&relay, "mallory").await;
    let stories = [("anna", 0, false), ("berta", 0, true), ("clara", 11, false)];
    for (name, seconds, is_a_thiefs) in stories {
        let person = Person::register(&relay, name).await;
        let token = &person.tokens.refresh;
        let own = signed(&person, token, relay.url());
        let next: Tokens = person.rest.post("/v1/auth/refresh", None, &own).await.unwrap();

        clock.advance(Duration::from_secs(seconds));
        let request = match (seconds, is_a_thiefs) {
            (0, false) => Refresh { refresh: token.clone(), signature: None },
            (_, true) => signed(&thief, token, relay.url()),
            _ => own,
        };
        let refused =
            person.rest.post::<Tokens>("/v1/auth/refresh", None, &request).await.unwrap_err();

        assert_eq!(refused.code, RejectCode::TokenReplayed, "{name}");
        assert!(refresh(&person.rest, &next.refresh).await.is_err(), "{name}: all are revoked");
        let access = person.rest.get::<OwnAccount>("/v1/account", &next.access).await;
        assert_eq!(access.unwrap_err().code, RejectCode::TokenInvalid, "{name}");
    }
}

#[tokio::test]
async fn a_claim_signed_for_another_relay_is_none() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let elsewhere = signed(&alice, &alice.tokens.refresh, "https://another.example");
    let _: Tokens = alice.rest.post("/v1/auth/refresh", None, &elsewhere).await.unwrap();

    let refused =
        alice.rest.post::<Tokens>("/v1/auth/refresh", None, &elsewhere).await.unwrap_err();

    assert_eq!(refused.code, RejectCode::TokenReplayed);
}

#[tokio::test]
async fn who_has_logged_out_is_refused_with_the_token_that_is_still_young() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let elsewhere = alice.log_in_by_device(relay.url()).await.unwrap();

    alice.rest.raw("POST", "/v1/auth/logout", Some(&alice.tokens.access), None).await;

    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
    let refused = Socket::open(relay.url(), Some(&alice.tokens.access)).await.err().unwrap();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
    let other = alice.rest.get::<OwnAccount>("/v1/account", &elsewhere.access).await;
    assert!(other.is_ok(), "another log-in of the device goes on");
}

fn signed(person: &Person, token: &str, origin: &str) -> Refresh {
    let signature = person.device.sign(label::REFRESH, &refresh_input(origin, token));
    Refresh { refresh: token.to_owned(), signature: Some(signature) }
}

async fn refresh(rest: &Rest, token: &str) -> Result<Tokens, chat_core::reject::Reject> {
    let request = Refresh { refresh: token.to_owned(), signature: None };
    rest.post("/v1/auth/refresh", None, &request).await
}
