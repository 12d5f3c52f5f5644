//! WebSockets by the book: what RFC 6455 asks of a server, case by case.
//!
//! Each case names its section. It sends bytes of its own making over a connection that has been
//! authenticated, and says what must come of them.

mod cases;
mod handshake;

use chat_core::codec::to_bytes;
use chat_core::frame::{RelayFrame, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use relay_server::testing::TestRelay;

use self::cases::{Case, Expect, cases};
use crate::people::Person;
use crate::raw::Raw;

/// Opcodes of §5.2.
pub mod opcode {
    pub const CONTINUATION: u8 = 0x0;
    pub const TEXT: u8 = 0x1;
    pub const BINARY: u8 = 0x2;
    pub const CLOSE: u8 = 0x8;
    pub const PING: u8 = 0x9;
    pub const PONG: u8 = 0xa;
}

/// The first bit of a frame: nothing of this message follows.
pub const FIN: u8 = 0x80;

#[tokio::test]
async fn every_case_ends_as_its_section_says() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut wrong = Vec::new();

    for case in cases() {
        let got = outcome(&relay, &alice, &case).await;
        if got != case.expects {
            wrong.push(format!("§{} {}: {got:?}, not {:?}", case.section, case.what, case.expects));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn outcome(relay: &TestRelay, alice: &Person, case: &Case) -> Expect {
    let subprotocol = if case.in_json { SUBPROTOCOL_JSON } else { SUBPROTOCOL_CBOR };
    let mut raw = open(relay.url(), &alice.tokens.access, subprotocol).await;
    raw.send(&case.sends).await;
    loop {
        let Some((head, payload)) = next_frame(&mut raw).await else { return Expect::HangUp };
        match head & 0x0f {
            opcode::CLOSE => {
                let code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                // §7.1.1: the server ends the TCP connection first.
                assert!(raw.rest().await.is_empty(), "§7.1.1 {}", case.what);
                return Expect::Close(code);
            }
            opcode::PONG => return Expect::Pong(payload),
            opcode::TEXT if payload.starts_with(br#"{"type":"pong""#) => return Expect::Answer,
            opcode::BINARY if payload == to_bytes(&RelayFrame::Pong { request: 9 }) => {
                return Expect::Answer;
            }
            // What the relay has to say by itself.
            opcode::TEXT | opcode::BINARY | opcode::PING => {}
            other => panic!("§5.2 {}: opcode {other}", case.what),
        }
    }
}

/// Upgrades a connection.
async fn open(url: &str, token: &str, subprotocol: &str) -> Raw {
    let mut raw = Raw::connect(url).await;
    let request = format!(
        "GET /v1/socket HTTP/1.1\r\nhost: relay\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: {subprotocol}\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    raw.send(request.as_bytes()).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    raw
}

/// The first byte and the payload of the relay's next frame.
async fn next_frame(raw: &mut Raw) -> Option<(u8, Vec<u8>)> {
    let head = raw.take(2).await?;
    assert_eq!(head[0] & 0x70, 0, "§5.2: no extension was agreed on, so no reserved bit is set");
    assert_eq!(head[1] & 0x80, 0, "§5.1: a server must not mask");
    let length = match head[1] {
        126 => u64::from(u16::from_be_bytes(raw.take(2).await?.try_into().unwrap())),
        127 => u64::from_be_bytes(raw.take(8).await?.try_into().unwrap()),
        short => u64::from(short),
    };
    let payload = raw.take(usize::try_from(length).unwrap()).await?;
    Some((head[0], payload))
}

/// A frame as clients send it (§5.2), masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middling @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(middling).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
