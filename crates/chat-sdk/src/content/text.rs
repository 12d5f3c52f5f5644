//! Words: a CBOR map with the text at key 0, and what stands around it.
//!
//! ```text
//!  { 0: text, ? 1: [accounts mentioned], ? 2: message answered, ? 3: first message of the thread,
//!    ? 4: true if it was forwarded }
//! ```
//!
//! An answer names the message it answers and never quotes it: a quote could be made up.

use std::fmt;

use chat_core::codec::{List, from_bytes, to_bytes};
use chat_core::id::{AccountId, MessageId};
use minicbor::{Decode, Encode};

use crate::error::{Kind, Result};

pub(super) const KIND: &str = "text";

/// Longest text, in bytes of UTF-8; leaves room for what is around it in a payload.
pub const TEXT_BYTES_MAX: usize = 100 * 1024;
/// Most accounts that one text may mention.
pub const MENTIONS_MAX: usize = 100;

/// Words, and what they refer to.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Text {
    /// The words.
    pub text: String,
    /// Who is mentioned; at most [`MENTIONS_MAX`].
    pub mentions: Vec<AccountId>,
    /// The message that this answers.
    pub reply_to: Option<MessageId>,
    /// The first message of the thread that this belongs to.
    pub thread: Option<MessageId>,
    /// Whether somebody else had said it, elsewhere.
    pub forwarded: bool,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    text: String,
    #[n(1)]
    mentions: Option<List<AccountId, MENTIONS_MAX>>,
    #[n(2)]
    reply_to: Option<MessageId>,
    #[n(3)]
    thread: Option<MessageId>,
    #[n(4)]
    forwarded: Option<bool>,
}

pub(super) fn encode(text: &Text) -> Result<Vec<u8>> {
    if text.text.len() > TEXT_BYTES_MAX {
        return Err(Kind::TooLarge.into());
    }
    let mentions =
        List::new(text.mentions.clone()).map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body {
        text: text.text.clone(),
        mentions: (!mentions.is_empty()).then_some(mentions),
        reply_to: text.reply_to,
        thread: text.thread,
        forwarded: text.forwarded.then_some(true),
    }))
}

pub(super) fn decode(body: &[u8]) -> Option<Text> {
    let body = from_bytes::<Body>(body).ok()?;
    Some(Text {
        text: body.text,
        mentions: body.mentions.map(|mentions| mentions.to_vec()).unwrap_or_default(),
        reply_to: body.reply_to,
        thread: body.thread,
        forwarded: body.forwarded.unwrap_or_default(),
    })
}
