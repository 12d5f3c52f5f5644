//! What is sent, and what must come of it.

use chat_core::codec::to_bytes;
use chat_core::frame::ClientFrame;
use chat_core::limits::FRAME_BYTES_MAX;

use super::opcode::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use super::{FIN, frame};

const PROTOCOL: Expect = Expect::Close(Some(1002));
const NOT_UTF8: Expect = Expect::Close(Some(1007));
const TOO_LARGE: Expect = Expect::Close(Some(1009));

/// Bytes on a connection.
pub struct Case {
    pub section: &'static str,
    pub what: String,
    pub in_json: bool,
    pub sends: Vec<u8>,
    pub expects: Expect,
}

/// How a case ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expect {
    /// The relay closes, with this code.
    Close(Option<u16>),
    /// A pong frame with these bytes.
    Pong(Vec<u8>),
    /// The answer to the application's own ping: the message arrived.
    Answer,
    /// The connection ends without a close frame.
    HangUp,
}

/// All of them.
pub fn cases() -> Vec<Case> {
    [framing(), fragments(), control(), closing(), text(), sizes()].into_iter().flatten().collect()
}

fn case(section: &'static str, what: impl Into<String>, sends: Vec<u8>, expects: Expect) -> Case {
    Case { section, what: what.into(), in_json: false, sends, expects }
}

fn in_json(section: &'static str, what: &str, sends: Vec<u8>, expects: Expect) -> Case {
    Case { section, what: what.into(), in_json: true, sends, expects }
}

/// A message that the relay answers.
fn question() -> Vec<u8> {
    to_bytes(&ClientFrame::Ping { request: 9 })
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

fn framing() -> Vec<Case> {
    let mut cases = vec![
        case("5.2", "one frame is a message", frame(FIN | BINARY, &question()), Expect::Answer),
        case("5.1", "a frame without a mask", [&[FIN | BINARY, 3], &b"abc"[..]].concat(), PROTOCOL),
        case("5.1", "a ping without a mask", vec![FIN | PING, 0], PROTOCOL),
    ];
    for bit in [0x40, 0x20, 0x10] {
        let what = format!("reserved bit {bit:#x}");
        cases.push(case("5.2", what, frame(FIN | bit | BINARY, &question()), PROTOCOL));
    }
    for reserved in (0x3..=0x7).chain(0xb..=0xf) {
        let what = format!("reserved opcode {reserved:#x}");
        cases.push(case("5.2", what, frame(FIN | reserved, b""), PROTOCOL));
    }
    cases
}

fn fragments() -> Vec<Case> {
    let whole = question();
    let (one, two) = whole.split_at(1);
    let first = frame(BINARY, one);
    let last = frame(FIN | CONTINUATION, two);
    let nothing = frame(CONTINUATION, b"");
    let broken = [frame(BINARY, one), frame(FIN | BINARY, two)].concat();
    let with_ping = [&first[..], &frame(FIN | PING, b"between"), &last].concat();
    let by_the_byte = {
        let mut bytes = frame(BINARY, b"");
        bytes.extend(whole.iter().flat_map(|byte| frame(CONTINUATION, &[*byte])));
        bytes.extend(frame(FIN | CONTINUATION, b""));
        bytes
    };
    vec![
        case("5.4", "two fragments", [&first[..], &last].concat(), Expect::Answer),
        case(
            "5.4",
            "empty fragments",
            [&first[..], &nothing, &nothing, &last].concat(),
            Expect::Answer,
        ),
        case("5.4", "a fragment for every byte", by_the_byte, Expect::Answer),
        case("5.4", "a ping between fragments", with_ping, Expect::Pong(b"between".to_vec())),
        case(
            "5.4",
            "a pong between fragments",
            [&first[..], &frame(FIN | PONG, b""), &last].concat(),
            Expect::Answer,
        ),
        case("5.4", "a message inside another", broken, PROTOCOL),
        case("5.4", "the end of nothing", frame(FIN | CONTINUATION, two), PROTOCOL),
        case("5.4", "the middle of nothing", frame(CONTINUATION, two), PROTOCOL),
        case("5.4", "the end, twice", [&first[..], &last, &last].concat(), Expect::Answer),
    ]
}

fn control() -> Vec<Case> {
    let full = [7; 125];
    vec![
        case("5.5.2", "a ping", frame(FIN | PING, b"hello"), Expect::Pong(b"hello".to_vec())),
        case("5.5.2", "a ping with nothing", frame(FIN | PING, b""), Expect::Pong(Vec::new())),
        case("5.5.2", "a ping that is full", frame(FIN | PING, &full), Expect::Pong(full.to_vec())),
        case("5.5", "a ping that is too long", frame(FIN | PING, &[7; 126]), PROTOCOL),
        case("5.5", "a ping in fragments", frame(PING, b"hel"), PROTOCOL),
        case("5.5", "a close in fragments", frame(CLOSE, &1000_u16.to_be_bytes()), PROTOCOL),
        case("5.5", "a close that is too long", close(1000, &[b'a'; 124]), PROTOCOL),
        case(
            "5.5.3",
            "a pong that nobody asked for",
            [frame(FIN | PONG, b"here"), frame(FIN | BINARY, &question())].concat(),
            Expect::Answer,
        ),
    ]
}

fn closing() -> Vec<Case> {
    let mut cases = vec![
        case("5.5.1", "a close without a code", frame(FIN | CLOSE, b""), Expect::Close(None)),
        case("5.5.1", "half a code", frame(FIN | CLOSE, &[3]), PROTOCOL),
        case("5.5.1", "a reason that is no UTF-8", close(1000, &[0xff, 0xfe]), NOT_UTF8),
        case(
            "5.5.1",
            "nothing counts after a close",
            [close(1000, b"bye"), frame(FIN | BINARY, &question())].concat(),
            Expect::Close(Some(1000)),
        ),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let what = format!("the code {code} comes back");
        cases.push(case("7.4.1", what, close(code, b"bye"), Expect::Close(Some(code))));
    }
    for code in [0, 999, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        cases.push(case("7.4.2", format!("no code: {code}"), close(code, b"bye"), PROTOCOL));
    }
    cases
}

fn text() -> Vec<Case> {
    let question = br#"{"type":"ping","request":9}"#;
    // §8.1: a character may be cut by the end of a fragment, and not by the end of a message.
    let padded = "{\"type\":\"ping\",\"request\":9,\"name\":\"κόσμε\"}".as_bytes();
    let cut = padded.len() - 3;
    let split = [frame(TEXT, &padded[..cut]), frame(FIN | CONTINUATION, &padded[cut..])].concat();
    let mut cases = vec![
        in_json("5.6", "text", frame(FIN | TEXT, question), Expect::Answer),
        in_json("5.6", "a character cut by a fragment's end", split, Expect::Answer),
        in_json(
            "8.1",
            "a character cut by the message's end",
            frame(FIN | TEXT, &padded[..cut]),
            NOT_UTF8,
        ),
    ];
    for (what, bytes) in [
        ("a byte that begins nothing", &[0x80][..]),
        ("two bytes for one ('/')", &[0xc0, 0xaf]),
        ("three bytes for one", &[0xe0, 0x80, 0xaf]),
        ("half of a surrogate pair", &[0xed, 0xa0, 0x80]),
        ("beyond the last character", &[0xf4, 0x90, 0x80, 0x80]),
        ("a byte that is never used", &[0xff]),
    ] {
        cases.push(in_json("8.1", what, frame(FIN | TEXT, bytes), NOT_UTF8));
    }
    cases
}

fn sizes() -> Vec<Case> {
    let half = vec![0; FRAME_BYTES_MAX / 2 + 1];
    let announced = [&[FIN | BINARY, 0x80 | 127][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    let fragments = [frame(BINARY, &half), frame(FIN | CONTINUATION, &half)].concat();
    vec![
        case(
            "10.4",
            "a frame beyond the limit",
            frame(FIN | BINARY, &vec![0; FRAME_BYTES_MAX + 1]),
            TOO_LARGE,
        ),
        case("10.4", "fragments that are too long together", fragments, TOO_LARGE),
        case("5.2", "a length with its highest bit set", announced, TOO_LARGE),
    ]
}
