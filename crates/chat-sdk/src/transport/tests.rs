//! A relay that misbehaves, on a socket of its own.

use std::net::SocketAddr;

use chat_core::codec::to_bytes;
use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::reject::RejectCode;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};

use super::*;
use crate::error::Kind;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn network(address: SocketAddr) -> Network {
    Network::to(Origin::parse(&format!("http://{address}")).unwrap()).unwrap()
}

fn token() -> AccessToken {
    AccessToken::new("a-token".to_owned())
}

fn request() -> Request {
    let path = "/v1/account".to_owned();
    Request { method: Method::Get, path, body: None, token: Some(token()) }
}

/// Reads a request's head.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// A relay that gives one answer, whatever it is asked.
async fn answering(answer: String) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    address
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect() {
    let (elsewhere, address) = listen().await;
    let relay = answering(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{address}/\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;

    let answer = network(relay).request(request()).await.unwrap();

    assert_eq!(answer.status, 307);
    let visit = elsewhere.into_std().unwrap().accept();
    assert_eq!(visit.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let (listener, relay) = listen().await;
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut written = 0_usize;
        while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {
            written += 64 * 1024;
        }
        written
    });

    let error = network(relay).request(request()).await.unwrap_err();

    assert_eq!(error.kind(), Kind::RelayFault);
    assert!(endless.await.unwrap() < 2 * ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let relay = answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".into()).await;

    let error = network(relay).request(request()).await.unwrap_err();

    assert_eq!(error.kind(), Kind::RelayUnreachable);
}

#[tokio::test]
async fn a_refused_upgrade_says_why() {
    let body = r#"{"code":"device_removed","message":"Removed."}"#;
    let relay = answering(format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;

    let error = network(relay).connect(&token()).await.unwrap_err();

    assert_eq!(error.kind(), Kind::DeviceRemoved);
}

#[tokio::test]
async fn a_refused_upgrade_without_a_word_goes_by_its_status() {
    let relay = answering("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".into()).await;

    let error = network(relay).connect(&token()).await.unwrap_err();

    assert_eq!(error.reject().unwrap().code, RejectCode::TokenExpired);
}

/// A relay that accepts one WebSocket, says `messages`, and tells how it was asked.
async fn saying(
    protocol: Option<&'static str>,
    messages: Vec<Message>,
) -> (SocketAddr, oneshot::Receiver<(String, String)>) {
    let (listener, address) = listen().await;
    let (asked, how) = oneshot::channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the form of tungstenite's callback")]
        let answer = |upgrade: &Upgrade, mut response: Response| {
            let bearer = upgrade.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
            asked.send((upgrade.uri().to_string(), bearer)).unwrap();
            if let Some(protocol) = protocol {
                let protocol = HeaderValue::from_static(protocol);
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
            }
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(stream, answer).await else { return };
        for message in messages {
            if socket.send(message).await.is_err() {
                return;
            }
        }
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    });
    (address, how)
}

fn pong(request: u32) -> RelayFrame {
    RelayFrame::Pong { request }
}

fn binary(bytes: Vec<u8>) -> Message {
    Message::Binary(bytes.into())
}

#[tokio::test]
async fn frames_come_in_order_and_unknown_ones_are_passed_over() {
    let unknown = vec![0x82, 0x18, 0x63, 0xa0]; // [99, {}]
    let messages = vec![binary(to_bytes(&pong(1))), binary(unknown), binary(to_bytes(&pong(2)))];
    let (relay, how) = saying(Some(SUBPROTOCOL_CBOR), messages).await;

    let mut link = network(relay).connect(&token()).await.unwrap();

    let (uri, bearer) = how.await.unwrap();
    assert_eq!((uri.as_str(), bearer.as_str()), (SOCKET_PATH, "Bearer a-token"));
    assert_eq!(link.stream.next().await.unwrap(), Some(pong(1)));
    assert_eq!(link.stream.next().await.unwrap(), Some(pong(2)));
    assert_eq!(link.stream.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_relay_of_another_protocol_is_not_talked_to() {
    let (relay, _how) = saying(None, Vec::new()).await;

    let error = network(relay).connect(&token()).await.unwrap_err();

    assert!(matches!(error.kind(), Kind::RelayFault), "{error:?}");
}

#[tokio::test]
async fn what_is_no_frame_ends_the_connection() {
    for message in [binary(vec![0xff]), binary(Vec::new()), Message::text("hello")] {
        let (relay, _how) = saying(Some(SUBPROTOCOL_CBOR), vec![message]).await;
        let mut link = network(relay).connect(&token()).await.unwrap();

        assert_eq!(link.stream.next().await.unwrap_err().kind(), Kind::RelayFault);
    }
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_not_read() {
    let huge = binary(vec![0; FRAME_BYTES_MAX + 1]);
    let (relay, _how) = saying(Some(SUBPROTOCOL_CBOR), vec![huge]).await;
    let mut link = network(relay).connect(&token()).await.unwrap();

    assert_eq!(link.stream.next().await.unwrap_err().kind(), Kind::Offline);
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_not_sent() {
    let (relay, _how) = saying(Some(SUBPROTOCOL_CBOR), Vec::new()).await;
    let mut link = network(relay).connect(&token()).await.unwrap();
    let huge = ClientFrame::Authenticate { token: "x".repeat(FRAME_BYTES_MAX) };

    assert_eq!(link.sink.send(&huge).await.unwrap_err().kind(), Kind::TooLarge);
}
