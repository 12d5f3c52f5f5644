//! A reaction: one emoji on one message, set or taken back. `{ 0: message, 1: emoji, 2: bool }`.
//!
//! Of each account the last word on each emoji counts. What an emoji is changes with every Unicode
//! version, so any short string without control characters or white space is one.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::MessageId;
use minicbor::{Decode, Encode};

use crate::error::{Kind, Result};

pub(super) const KIND: &str = "reaction";

/// Longest emoji, in bytes of UTF-8: families with skin tones take about forty.
pub const EMOJI_BYTES_MAX: usize = 64;

/// An emoji on a message, set or taken back.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
#[non_exhaustive]
pub struct Reaction {
    /// The message it is on.
    #[n(0)]
    pub to: MessageId,
    /// Which one; at most [`EMOJI_BYTES_MAX`].
    #[n(1)]
    pub emoji: String,
    /// Whether it is set, or taken back.
    #[n(2)]
    pub set: bool,
}

impl Reaction {
    pub(crate) fn new(to: MessageId, emoji: impl Into<String>, set: bool) -> Self {
        Self { to, emoji: emoji.into(), set }
    }

    fn is_short_and_visible(&self) -> bool {
        let is_visible = |c: char| !c.is_control() && !c.is_whitespace();
        (1..=EMOJI_BYTES_MAX).contains(&self.emoji.len()) && self.emoji.chars().all(is_visible)
    }
}

pub(super) fn encode(reaction: &Reaction) -> Result<Vec<u8>> {
    if !reaction.is_short_and_visible() {
        return Err(Kind::ArgumentInvalid.into());
    }
    Ok(to_bytes(reaction))
}

pub(super) fn decode(body: &[u8]) -> Option<Reaction> {
    from_bytes(body).ok().filter(Reaction::is_short_and_visible)
}
