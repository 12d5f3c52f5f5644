//! The end of a message, for everybody: `{ 0: message }`.
//!
//! Counts only if it comes from the account that sent the message. Every device erases the words
//! and keeps a place that says so; what the relay holds goes by its own rules.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::MessageId;
use minicbor::{Decode, Encode};

pub(super) const KIND: &str = "delete";

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    of: MessageId,
}

pub(super) fn encode(of: MessageId) -> Vec<u8> {
    to_bytes(&Body { of })
}

pub(super) fn decode(body: &[u8]) -> Option<MessageId> {
    from_bytes::<Body>(body).ok().map(|body| body.of)
}
