//! A conversation's name: a CBOR map with the name at key 0, empty to take it away.
//!
//! Names are not in the membership log, since the relay reads that. The last one sent counts.

use chat_core::codec::{from_bytes, to_bytes};
use minicbor::{Decode, Encode};

use crate::error::{Kind, Result};

pub(super) const KIND: &str = "title";

/// Longest name, in characters.
pub const TITLE_CHARS_MAX: usize = 200;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    title: String,
}

pub(super) fn encode(title: &str) -> Result<Vec<u8>> {
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err(Kind::TooLarge.into());
    }
    Ok(to_bytes(&Body { title: title.to_owned() }))
}

pub(super) fn decode(body: &[u8]) -> Option<String> {
    let title = from_bytes::<Body>(body).ok()?.title;
    (title.chars().count() <= TITLE_CHARS_MAX).then_some(title)
}
