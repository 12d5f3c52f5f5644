//! What a conversation is about: `{ ? 0: description, ? 1: picture }`, both as they are from now on.
//!
//! Not in the membership log, since the relay reads that. The last one sent by somebody who may
//! rename the conversation counts.

use chat_core::codec::{Bytes, from_bytes, to_bytes};
use minicbor::{Decode, Encode};

use super::picture::PICTURE_BYTES_MAX;
use crate::error::{Kind, Result};

pub(super) const KIND: &str = "details";

/// Longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// What a conversation is about.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Details {
    /// In words.
    pub description: Option<String>,
    /// Its icon: a reference to an attachment, or a small picture itself.
    pub picture: Option<Vec<u8>>,
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Details(..)")
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    description: Option<String>,
    #[n(1)]
    picture: Option<Bytes<PICTURE_BYTES_MAX>>,
}

pub(crate) fn encode(details: &Details) -> Result<Vec<u8>> {
    let description = details.description.clone();
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        return Err(Kind::TooLarge.into());
    }
    let picture = details.picture.clone().map(Bytes::new).transpose();
    let picture = picture.map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body { description, picture }))
}

pub(crate) fn decode(body: &[u8]) -> Option<Details> {
    let Body { description, picture } = from_bytes(body).ok()?;
    let is_short = |text: &String| text.chars().count() <= DESCRIPTION_CHARS_MAX;
    let description_fits = description.as_ref().is_none_or(is_short);
    description_fits.then(|| Details { description, picture: picture.map(Bytes::into_vec) })
}
