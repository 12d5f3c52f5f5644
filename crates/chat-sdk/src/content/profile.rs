//! Who somebody is, in their own words: `{ 0: number, ? 1: name, ? 2: status, ? 3: picture }`.
//!
//! Goes into a conversation with the first thing that its author says there, so it is read by
//! people whom the author talks to, and by nobody else. The highest number counts.

use std::fmt;

use chat_core::codec::{Bytes, from_bytes, to_bytes};
use minicbor::{Decode, Encode};

use super::picture::PICTURE_BYTES_MAX;
use crate::error::{Kind, Result};

pub(super) const KIND: &str = "profile";

/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Longest status, in characters.
pub const STATUS_CHARS_MAX: usize = 250;

/// Who somebody is, in their own words.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Profile {
    /// What they are called; nobody checks that, so it is shown beside the username.
    pub name: Option<String>,
    /// What they are up to.
    pub status: Option<String>,
    /// What they look like: a reference to an attachment, or a small picture itself.
    pub picture: Option<Vec<u8>>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(..)")
    }
}

/// A profile, and which it is of those its account has had.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct NumberedProfile {
    /// Rises with each change.
    pub number: u64,
    /// The profile.
    pub profile: Profile,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    number: u64,
    #[n(1)]
    name: Option<String>,
    #[n(2)]
    status: Option<String>,
    #[n(3)]
    picture: Option<Bytes<PICTURE_BYTES_MAX>>,
}

pub(crate) fn encode(numbered: &NumberedProfile) -> Result<Vec<u8>> {
    let Profile { name, status, picture } = numbered.profile.clone();
    if !fits(name.as_deref(), DISPLAY_NAME_CHARS_MAX) || !fits(status.as_deref(), STATUS_CHARS_MAX)
    {
        return Err(Kind::TooLarge.into());
    }
    let picture = picture.map(Bytes::new).transpose();
    let picture = picture.map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body { number: numbered.number, name, status, picture }))
}

pub(crate) fn decode(body: &[u8]) -> Option<NumberedProfile> {
    let Body { number, name, status, picture } = from_bytes(body).ok()?;
    let fits_all =
        fits(name.as_deref(), DISPLAY_NAME_CHARS_MAX) && fits(status.as_deref(), STATUS_CHARS_MAX);
    let picture = picture.map(Bytes::into_vec);
    fits_all.then_some(NumberedProfile { number, profile: Profile { name, status, picture } })
}

fn fits(text: Option<&str>, chars_max: usize) -> bool {
    text.is_none_or(|text| text.chars().count() <= chars_max && !text.chars().any(char::is_control))
}
