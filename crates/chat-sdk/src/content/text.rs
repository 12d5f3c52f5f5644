//! Words: a CBOR map with the text at key 0.

use chat_core::codec::{from_bytes, to_bytes};
use minicbor::{Decode, Encode};

use crate::error::{Kind, Result};

pub(super) const KIND: &str = "text";

/// Longest text, in bytes of UTF-8; leaves room for what is around it in a payload.
pub const TEXT_BYTES_MAX: usize = 100 * 1024;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    text: String,
}

pub(super) fn encode(text: &str) -> Result<Vec<u8>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Kind::TooLarge.into());
    }
    Ok(to_bytes(&Body { text: text.to_owned() }))
}

pub(super) fn decode(body: &[u8]) -> Option<String> {
    from_bytes::<Body>(body).ok().map(|body| body.text)
}
