//! Tokens: what they are good for, how long, and what a replay costs.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::account::OwnAccount;
use chat_core::api::auth::{Refresh, Tokens};
use chat_core::frame::RelayFrame;
use chat_core::limits::{ACCESS_TOKEN_LIFETIME, LOGIN_WITHIN};
use chat_core::reject::RejectCode;
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
    let signature = alice.device.sign(chat_core::label::DEVICE_LOGIN, &input);
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

async fn refresh(rest: &Rest, token: &str) -> Result<Tokens, chat_core::reject::Reject> {
    rest.post("/v1/auth/refresh", None, &Refresh { refresh: token.to_owned() }).await
}
