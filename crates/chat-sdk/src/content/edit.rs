//! Other words for a message: `{ 0: message, 1: body of a text }`.
//!
//! Counts only if it comes from the account that sent the message. What the message answers, its
//! thread and whether it was forwarded stay as they were.

use chat_core::codec::{Bytes, from_bytes, to_bytes};
use chat_core::id::MessageId;
use chat_core::limits::PAYLOAD_BYTES_MAX;
use minicbor::{Decode, Encode};

use super::text::{self, Text};
use crate::error::{Kind, Result};

pub(super) const KIND: &str = "edit";

/// Other words for a message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Edit {
    /// The message.
    pub of: MessageId,
    /// What it says now.
    pub text: Text,
}

impl Edit {
    pub(crate) fn new(of: MessageId, text: Text) -> Self {
        Self { of, text }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    of: MessageId,
    #[n(1)]
    text: Bytes<PAYLOAD_BYTES_MAX>,
}

pub(super) fn encode(edit: &Edit) -> Result<Vec<u8>> {
    let text = text::encode(&edit.text)?;
    let text = Bytes::new(text).map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body { of: edit.of, text }))
}

pub(super) fn decode(body: &[u8]) -> Option<Edit> {
    let body = from_bytes::<Body>(body).ok()?;
    Some(Edit { of: body.of, text: text::decode(&body.text)? })
}
