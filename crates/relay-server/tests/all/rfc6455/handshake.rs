//! The opening handshake (§4.2): what makes an upgrade, and what does not.

use chat_core::frame::SUBPROTOCOL_CBOR;
use relay_server::testing::TestRelay;

use crate::raw::Raw;

/// The headers of an upgrade, which a case replaces or leaves out.
const HEADERS: [(&str, &str); 6] = [
    ("host", "relay"),
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-protocol", SUBPROTOCOL_CBOR),
];

async fn ask(url: &str, line: &str, headers: &[(&str, &str)]) -> String {
    let mut raw = Raw::connect(url).await;
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw.send(format!("{line}\r\n{headers}\r\n").as_bytes()).await;
    raw.head().await
}

/// The usual headers, with `name` as `value`, or without it.
fn with<'a>(name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let rest = HEADERS.into_iter().filter(|(other, _)| *other != name);
    rest.chain(value.map(|value| (name, value))).collect()
}

#[tokio::test]
async fn an_upgrade_is_accepted_with_the_words_of_4_2_2() {
    let relay = TestRelay::start().await;

    let head = ask(relay.url(), "GET /v1/socket HTTP/1.1", &HEADERS).await.to_lowercase();

    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: websocket"), "{head}");
    assert!(head.contains("connection: upgrade"), "{head}");
    // The example of §1.3.
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(head.contains(&format!("sec-websocket-protocol: {SUBPROTOCOL_CBOR}")), "{head}");
}

#[tokio::test]
async fn names_are_compared_without_regard_to_case_and_in_lists() {
    let relay = TestRelay::start().await;

    for (name, value) in [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-protocol", "chat, sealwire.v1.cbor"),
    ] {
        let head = ask(relay.url(), "GET /v1/socket HTTP/1.1", &with(name, Some(value))).await;

        assert!(head.starts_with("HTTP/1.1 101 "), "{name}: {value}: {head}");
    }
}

#[tokio::test]
async fn extensions_are_not_agreed_to() {
    let relay = TestRelay::start().await;
    let offered =
        with("sec-websocket-extensions", Some("permessage-deflate; client_max_window_bits"));

    let head = ask(relay.url(), "GET /v1/socket HTTP/1.1", &offered).await.to_lowercase();

    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused() {
    let relay = TestRelay::start().await;

    for (name, value) in [
        ("connection", None),
        ("connection", Some("close")),
        ("upgrade", None),
        ("upgrade", Some("h2c")),
        ("sec-websocket-key", None),
        ("sec-websocket-version", None),
        ("sec-websocket-version", Some("8")),
        ("sec-websocket-protocol", None),
        ("sec-websocket-protocol", Some("chat")),
    ] {
        let head = ask(relay.url(), "GET /v1/socket HTTP/1.1", &with(name, value)).await;

        assert!(head.starts_with("HTTP/1.1 400 "), "{name}: {value:?}: {head}");
    }
    for (line, status) in [("POST /v1/socket HTTP/1.1", 405), ("GET /v1/sockets HTTP/1.1", 404)] {
        let head = ask(relay.url(), line, &HEADERS).await;

        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {head}");
    }
    let head = ask(relay.url(), "GET /v1/socket HTTP/1.0", &HEADERS).await;
    assert!(head.contains(" 400 "), "HTTP/1.0: {head}");
}
