//! Content: what a message means, once it is open.
//!
//! ```text
//!  kind      body (CBOR map)          what becomes of it
//!  text      { 0: text }              a message people see
//!  title     { 0: text }              the conversation's name, for its members only
//!  …         kept as it came          a newer app wrote it; shown as "not supported" until then
//! ```
//!
//! A kind is never changed once released; a new meaning is a new kind. Normative:
//! `docs/protocol/envelope.md` §7.

mod text;
mod title;

use std::fmt;

pub use self::text::TEXT_BYTES_MAX;
pub use self::title::TITLE_CHARS_MAX;
use crate::error::Result;

/// What a message says.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// Words.
    Text(String),
    /// A new name for the conversation; empty for none.
    Title(String),
    /// Something this version does not know; kept as it came.
    Unknown {
        /// What kind of thing.
        kind: String,
        /// The thing itself.
        body: Vec<u8>,
    },
}

impl Content {
    /// Takes apart what a sealed content holds. What cannot be read is [`Self::Unknown`], never an
    /// error: the message came from somebody who may send it, and a newer version may read it.
    #[must_use]
    pub fn read(kind: &str, body: &[u8]) -> Self {
        let known = match kind {
            text::KIND => text::decode(body).map(Self::Text),
            title::KIND => title::decode(body).map(Self::Title),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unknown { kind: kind.to_owned(), body: body.to_vec() })
    }

    /// The kind it travels under.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Text(_) => text::KIND,
            Self::Title(_) => title::KIND,
            Self::Unknown { kind, .. } => kind,
        }
    }

    /// The body it travels as.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) beyond [`TEXT_BYTES_MAX`] or [`TITLE_CHARS_MAX`].
    pub fn to_body(&self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => text::encode(text),
            Self::Title(title) => title::encode(title),
            Self::Unknown { body, .. } => Ok(body.clone()),
        }
    }

    /// The words, if it is words.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What people write is not for logs.
        write!(f, "Content({}, ..)", self.kind())
    }
}

/// The kind of content that only renames the conversation, and is no message to look at.
pub(crate) const TITLE_KIND: &str = title::KIND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for content in [Content::Text("hällo".into()), Content::Title("Trip".into())] {
            let body = content.to_body().unwrap();

            assert_eq!(Content::read(content.kind(), &body), content);
        }
    }

    #[test]
    fn an_unknown_kind_is_kept_as_it_came() {
        let read = Content::read("poll", &[1, 2, 3]);

        assert_eq!(read, Content::Unknown { kind: "poll".into(), body: vec![1, 2, 3] });
        assert_eq!(read.to_body().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_known_kind_that_cannot_be_read_is_kept_too() {
        let read = Content::read("text", &[0xff]);

        assert_eq!(read, Content::Unknown { kind: "text".into(), body: vec![0xff] });
    }

    #[test]
    fn a_field_of_a_newer_version_is_passed_over() {
        // {0: "hi", 9: true}
        let body = [0xa2, 0x00, 0x62, b'h', b'i', 0x09, 0xf5];

        assert_eq!(Content::read("text", &body), Content::Text("hi".into()));
    }

    #[test]
    fn nothing_of_content_is_printed() {
        assert_eq!(format!("{:?}", Content::Text("secret".into())), "Content(text, ..)");
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_sealed() {
        let text = Content::Text("x".repeat(TEXT_BYTES_MAX + 1));
        let title = Content::Title("x".repeat(TITLE_CHARS_MAX + 1));

        assert_eq!(text.to_body().unwrap_err().code(), "too_large");
        assert_eq!(title.to_body().unwrap_err().code(), "too_large");
    }
}
