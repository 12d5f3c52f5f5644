//! Frames to WebSocket messages and back, in the encoding that the sub-protocol names.

use axum::extract::ws::Message;
use chat_core::codec::{DecodeError, from_bytes, to_bytes};
use chat_core::frame::{ClientFrame, RelayFrame, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use chat_core::reject::{Reject, RejectCode};

/// The highest number of a frame that clients may send, in CBOR.
const KINDS_MAX: u32 = 7;
/// The names of the frames that clients may send, in JSON.
const KINDS: [&str; 8] = [
    "authenticate",
    "message:send",
    "message:acknowledge",
    "message:receipt",
    "typing",
    "ping",
    "presence",
    "presence:follow",
];

/// How frames are written on one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Binary messages of CBOR.
    Cbor,
    /// Text messages of JSON.
    Json,
}

impl Encoding {
    /// The encoding of a sub-protocol.
    #[must_use]
    pub fn of(subprotocol: &[u8]) -> Option<Self> {
        match subprotocol {
            name if name == SUBPROTOCOL_CBOR.as_bytes() => Some(Self::Cbor),
            name if name == SUBPROTOCOL_JSON.as_bytes() => Some(Self::Json),
            _ => None,
        }
    }

    /// Writes a frame.
    #[must_use]
    pub fn write(self, frame: &RelayFrame) -> Message {
        match self {
            Self::Cbor => Message::binary(to_bytes(frame)),
            // INVARIANT: no frame holds what JSON cannot; an empty text is never written.
            Self::Json => Message::text(serde_json::to_string(frame).unwrap_or_default()),
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// [`RejectCode::UnknownFrame`] with the frame's name, [`RejectCode::TooLarge`] for a field
    /// beyond its limit, [`RejectCode::Malformed`].
    pub fn read(self, message: &Message) -> Result<ClientFrame, Reject> {
        match (self, message) {
            (Self::Cbor, Message::Binary(bytes)) => read_cbor(bytes),
            (Self::Json, Message::Text(text)) => read_json(text.as_str()),
            (Self::Cbor, _) => Err(malformed("this connection speaks CBOR in binary messages")),
            (Self::Json, _) => Err(malformed("this connection speaks JSON in text messages")),
        }
    }
}

fn read_cbor(bytes: &[u8]) -> Result<ClientFrame, Reject> {
    from_bytes(bytes).map_err(|error| {
        let mut decoder = minicbor::Decoder::new(bytes);
        let kind = decoder.array().ok().and_then(|_| decoder.u32().ok());
        match (error, kind) {
            (_, Some(kind)) if kind > KINDS_MAX => unknown(&kind.to_string()),
            (DecodeError::TooLong, _) => RejectCode::TooLarge.into(),
            (error, _) => malformed(&error.to_string()),
        }
    })
}

fn read_json(text: &str) -> Result<ClientFrame, Reject> {
    #[derive(serde::Deserialize)]
    struct Tagged {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Tagged>(text) {
        Ok(Tagged { kind }) if !KINDS.contains(&kind.as_str()) => unknown(&kind),
        _ if is_too_long(&error) => RejectCode::TooLarge.into(),
        _ => malformed(&error.to_string()),
    })
}

/// The error of a list or of bytes beyond their limit is a sentence by the time it gets here.
fn is_too_long(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text.contains("too long for this field") || text.contains("exceed the limit")
}

fn unknown(kind: &str) -> Reject {
    let kind: String = kind.chars().take(40).collect();
    Reject::from(RejectCode::UnknownFrame)
        .saying(format!("This relay does not know frames of the kind {kind:?}."))
}

fn malformed(why: &str) -> Reject {
    let why: String = why.chars().take(200).collect();
    Reject::from(RejectCode::Malformed).saying(format!("The frame could not be read: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_read_a_ping() {
        let ping = ClientFrame::Ping { request: 7 };
        let cbor = Message::binary(to_bytes(&ping));
        let json = Message::text(serde_json::to_string(&ping).unwrap());

        assert_eq!(Encoding::Cbor.read(&cbor), Ok(ping.clone()));
        assert_eq!(Encoding::Json.read(&json), Ok(ping));
        assert_eq!(Encoding::Json.read(&cbor).unwrap_err().code, RejectCode::Malformed);
    }

    #[test]
    fn a_frame_of_an_unknown_kind_is_named() {
        let cbor = Message::binary([0x82, 0x18, 0x63, 0xa0].as_slice());
        let json = Message::text(r#"{"type":"message:shout","loud":true}"#);

        let refused = Encoding::Cbor.read(&cbor).unwrap_err();
        assert_eq!(refused.code, RejectCode::UnknownFrame);
        assert!(refused.message.contains("99"));
        let refused = Encoding::Json.read(&json).unwrap_err();
        assert_eq!(refused.code, RejectCode::UnknownFrame);
        assert!(refused.message.contains("message:shout"));
    }

    #[test]
    fn every_frame_clients_may_send_is_a_known_kind() {
        let frames =
            [ClientFrame::Authenticate { token: String::new() }, ClientFrame::Ping { request: 1 }];

        for frame in frames {
            let json = serde_json::to_value(&frame).unwrap();
            assert!(KINDS.iter().any(|kind| json["type"] == *kind));
        }
    }

    #[test]
    fn what_is_no_frame_is_malformed() {
        for bytes in [&b""[..], b"\xff\xff", b"hello", b"\x82\x05\xa0"] {
            let refused = Encoding::Cbor.read(&Message::binary(bytes.to_vec())).unwrap_err();
            assert_eq!(refused.code, RejectCode::Malformed);
        }
        for text in ["", "{", "[]", r#"{"type":"ping"}"#] {
            let refused = Encoding::Json.read(&Message::text(text)).unwrap_err();
            assert_eq!(refused.code, RejectCode::Malformed);
        }
    }
}
