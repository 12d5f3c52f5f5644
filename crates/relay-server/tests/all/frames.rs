//! Frames: what a connection says first, and what ends it.

use chat_core::frame::{ClientFrame, RelayFrame, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use chat_core::reject::RejectCode;
use relay_server::testing::TestRelay;
use tokio_tungstenite::tungstenite::Message;

use crate::conversations::three;
use crate::people::Person;
use crate::socket::Socket;

#[tokio::test]
async fn the_first_frame_may_authenticate() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut socket = Socket::open(relay.url(), None).await.unwrap();

    let token = alice.tokens.access.clone();
    socket.send(&ClientFrame::Authenticate { token: token.clone() }).await;

    assert_eq!(socket.connected().await, alice.device.address);
    // Once is enough.
    socket.send(&ClientFrame::Authenticate { token }).await;
    assert_eq!(socket.refusal().await, RejectCode::Malformed);
    socket.settle().await;
}

#[tokio::test]
async fn anything_else_before_it_ends_the_connection() {
    let relay = TestRelay::start().await;
    let ping = chat_core::codec::to_bytes(&ClientFrame::Ping { request: 1 });

    for first in [Message::binary(ping), Message::binary(vec![0xff]), Message::text("hello")] {
        let mut socket = Socket::open(relay.url(), None).await.unwrap();
        socket.send_raw(first).await;

        assert_eq!(socket.refusal().await, RejectCode::Unauthenticated);
        assert_eq!(socket.close_code().await, 1008);
    }
    let mut socket = Socket::open(relay.url(), None).await.unwrap();
    socket.send(&ClientFrame::Authenticate { token: "no token".into() }).await;
    assert_eq!(socket.refusal().await, RejectCode::TokenInvalid);
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let relay = TestRelay::start().await;
    let mut socket = Socket::open(relay.url(), None).await.unwrap();

    assert_eq!(socket.refusal().await, RejectCode::Unauthenticated);
    assert_eq!(socket.close_code().await, 1008);
}

#[tokio::test]
async fn a_malformed_or_unknown_frame_is_refused_and_the_connection_survives() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut socket = alice.connect_idle().await;

    socket.send_raw(Message::binary(b"not cbor".to_vec())).await;
    assert_eq!(socket.refusal().await, RejectCode::Malformed);
    socket.send_raw(Message::text("{}")).await;
    assert_eq!(socket.refusal().await, RejectCode::Malformed);
    socket.send_raw(Message::binary(vec![0x82, 0x18, 0x63, 0xa0])).await;
    let named = socket
        .wait_for(|frame| match frame {
            RelayFrame::Reject { request: None, reject } => Some(reject),
            _ => None,
        })
        .await;

    assert_eq!(named.code, RejectCode::UnknownFrame);
    assert!(named.message.contains("99"));
    assert_eq!(socket.settle().await, []);
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut socket = alice.connect_idle().await;

    socket.send_raw(Message::binary(vec![0; 1_100_000])).await;

    // The rest of the frame is still under way when the relay closes, so the farewell may be lost
    // on the way; that it ends may not.
    while socket.next_raw().await.is_some() {}
    assert!(alice.connect().await.settle().await.len() < 3);
}

#[tokio::test]
async fn json_says_the_same_as_cbor() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let token = Some(bob.tokens.access.as_str());
    let mut bobs = Socket::open_as(relay.url(), token, SUBPROTOCOL_JSON, &[]).await.unwrap();
    bobs.connected().await;
    bobs.until_caught_up().await;
    let sealed = alice.message(&chat, &[&bob]).seal();

    alice.connect_idle().await.send_message(&sealed).await.unwrap();

    assert_eq!(bobs.delivery().await.1.payload, sealed.payload);
    assert_eq!(bobs.send_message(&bob.message(&chat, &[&alice]).seal()).await, Ok(2));
    bobs.send_raw(Message::text(r#"{"type":"message:shout"}"#)).await;
    assert_eq!(bobs.refusal().await, RejectCode::UnknownFrame);
}

#[tokio::test]
async fn an_upgrade_needs_a_subprotocol_and_no_foreign_page() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let token = Some(alice.tokens.access.as_str());
    let open = async |subprotocol, headers: &[(&'static str, &str)]| {
        Socket::open_as(relay.url(), token, subprotocol, headers).await.err().map(|r| r.code)
    };

    assert_eq!(open("chat.v9", &[]).await, Some(RejectCode::Malformed));
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(open(SUBPROTOCOL_CBOR, &foreign).await, Some(RejectCode::Forbidden));
    assert_eq!(open(SUBPROTOCOL_CBOR, &[("origin", "null")]).await, Some(RejectCode::Forbidden));
    let doubled = [("origin", relay.url()), ("origin", "https://evil.example")];
    assert_eq!(open(SUBPROTOCOL_CBOR, &doubled).await, Some(RejectCode::Forbidden));
    assert_eq!(open(SUBPROTOCOL_CBOR, &[("origin", relay.url())]).await, None);
}
