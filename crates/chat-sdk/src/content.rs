//! Content: what a message means, once it is open.
//!
//! ```text
//!  kind        body (CBOR map)          what becomes of it
//!  text        words, and around them   a message people see
//!  title       the new name             the conversation's name, for its members only
//!  reaction    message, emoji, set      shown with that message
//!  edit        message, words           that message says this now
//!  delete      message                  that message is gone for everybody
//!  details     description, picture what the conversation is about, for its members only
//!  profile     name, status, …      who the sender is, for those they talk to
//!  settings    registers            what this account has settled, for its own devices
//!  keyring-lock a snapshot          a fresh lock of the keyring, for this account's own devices
//!  chain-request a device         somebody lacks that device's sender chain
//!  history-given an account       who came later can read now what was said before
//!  attachment  where a file is      a message people see, with a file
//!  …           kept as it came          a newer app wrote it; shown as "not supported" until then
//! ```
//!
//! A kind is never changed once released; a new meaning is a new kind. Normative:
//! `docs/protocol/content.md`.

mod attachment;
mod chain_request;
mod deletion;
pub(crate) mod details;
mod edit;
mod history_given;
pub(crate) mod lock;
mod picture;
pub(crate) mod profile;
mod reaction;
mod settings;
mod text;
mod title;

use std::fmt;

use chat_core::id::{AccountId, DeviceAddress, MessageId};

pub use self::attachment::{
    AttachedFile, Attachment, CAPTION_BYTES_MAX, FILE_NAME_BYTES_MAX, MEDIA_TYPE_BYTES_MAX,
    THUMBNAIL_BYTES_MAX, THUMBNAIL_PIXELS_MAX, Thumbnail,
};
pub use self::details::{DESCRIPTION_CHARS_MAX, Details};
pub use self::edit::Edit;
pub use self::lock::HandedLock;
pub use self::picture::PICTURE_BYTES_MAX;
pub use self::profile::{DISPLAY_NAME_CHARS_MAX, NumberedProfile, Profile, STATUS_CHARS_MAX};
pub use self::reaction::{EMOJI_BYTES_MAX, Reaction};
pub use self::settings::{REGISTERS_A_MESSAGE_MAX, Register};
pub use self::text::{MENTIONS_MAX, TEXT_BYTES_MAX, Text};
pub use self::title::TITLE_CHARS_MAX;
use crate::error::{Kind, Result};

/// What a message says.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// Words.
    Text(Text),
    /// A file, and words beside it.
    Attachment(Attachment),
    /// A new name for the conversation; empty for none.
    Title(String),
    /// An emoji on another message.
    Reaction(Reaction),
    /// Other words for another message.
    Edit(Edit),
    /// The end of another message.
    Delete(MessageId),
    /// What the conversation is about.
    Details(Details),
    /// Who its sender is.
    Profile(NumberedProfile),
    /// What this account has settled; for its own devices.
    Settings(Vec<Register>),
    /// A fresh lock of this account's keyring; for its own devices.
    KeyringLock(HandedLock),
    /// Its sender lacks the sender chain of this device.
    ChainRequest(DeviceAddress),
    /// What was said before this account came is wrapped for it now.
    HistoryGiven(AccountId),
    /// What was here was deleted by who had sent it. Never travels.
    Deleted,
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
            attachment::KIND => attachment::decode(body).map(Self::Attachment),
            title::KIND => title::decode(body).map(Self::Title),
            reaction::KIND => reaction::decode(body).map(Self::Reaction),
            edit::KIND => edit::decode(body).map(Self::Edit),
            deletion::KIND => deletion::decode(body).map(Self::Delete),
            details::KIND => details::decode(body).map(Self::Details),
            profile::KIND => profile::decode(body).map(Self::Profile),
            settings::KIND => settings::decode(body).map(Self::Settings),
            lock::KIND => lock::decode(body).map(Self::KeyringLock),
            chain_request::KIND => chain_request::decode(body).map(Self::ChainRequest),
            history_given::KIND => history_given::decode(body).map(Self::HistoryGiven),
            DELETED_KIND => Some(Self::Deleted),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unknown { kind: kind.to_owned(), body: body.to_vec() })
    }

    /// Tells whether a kind is one that these pages define, and no app's own.
    pub(crate) fn is_ours(kind: &str) -> bool {
        let ours =
            [text::KIND, attachment::KIND, title::KIND, reaction::KIND, edit::KIND, deletion::KIND];
        let for_all = [details::KIND, profile::KIND, history_given::KIND];
        let for_few = [settings::KIND, lock::KIND, chain_request::KIND];
        let aside = for_all.contains(&kind) || for_few.contains(&kind);
        ours.contains(&kind) || aside || kind == DELETED_KIND
    }

    /// The kind it travels under.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Text(_) => text::KIND,
            Self::Attachment(_) => attachment::KIND,
            Self::Title(_) => title::KIND,
            Self::Reaction(_) => reaction::KIND,
            Self::Edit(_) => edit::KIND,
            Self::Delete(_) => deletion::KIND,
            Self::Details(_) => details::KIND,
            Self::Profile(_) => profile::KIND,
            Self::Settings(_) => settings::KIND,
            Self::KeyringLock(_) => lock::KIND,
            Self::ChainRequest(_) => chain_request::KIND,
            Self::HistoryGiven(_) => history_given::KIND,
            Self::Deleted => DELETED_KIND,
            Self::Unknown { kind, .. } => kind,
        }
    }

    /// The body it travels as.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] beyond [`TEXT_BYTES_MAX`], [`MENTIONS_MAX`] or [`TITLE_CHARS_MAX`];
    /// [`Kind::ArgumentInvalid`] for what is no emoji.
    pub fn to_body(&self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => text::encode(text),
            Self::Attachment(attachment) => attachment::encode(attachment),
            Self::Title(title) => title::encode(title),
            Self::Reaction(reaction) => reaction::encode(reaction),
            Self::Edit(edit) => edit::encode(edit),
            Self::Delete(of) => Ok(deletion::encode(*of)),
            Self::Details(details) => details::encode(details),
            Self::Profile(profile) => profile::encode(profile),
            Self::Settings(registers) => settings::encode(registers),
            Self::KeyringLock(lock) => lock::encode(lock),
            Self::ChainRequest(of) => Ok(chain_request::encode(*of)),
            Self::HistoryGiven(to) => Ok(history_given::encode(*to)),
            Self::Deleted => Err(Kind::ArgumentInvalid.into()),
            Self::Unknown { body, .. } => Ok(body.clone()),
        }
    }

    /// The words, if it is words, or those beside a file.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            Self::Attachment(file) => Some(&*file.caption.text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn attachment(&self) -> Option<&Attachment> {
        match self {
            Self::Attachment(attachment) => Some(attachment),
            _ => None,
        }
    }

    /// The message that this is about, and is shown with, instead of being one itself.
    pub(crate) fn target(&self) -> Option<MessageId> {
        match self {
            Self::Reaction(reaction) => Some(reaction.to),
            Self::Edit(edit) => Some(edit.of),
            Self::Delete(of) => Some(*of),
            _ => None,
        }
    }

    /// Tells whether it is said beside the conversation: it takes effect, and is then forgotten.
    pub(crate) fn is_aside(&self) -> bool {
        let is_of_ours = matches!(self, Self::Settings(_) | Self::KeyringLock(_));
        let is_of_devices = matches!(self, Self::ChainRequest(_) | Self::HistoryGiven(_));
        is_of_ours || is_of_devices || matches!(self, Self::Details(_) | Self::Profile(_))
    }

    /// The first message of the thread it belongs to.
    pub(crate) fn thread(&self) -> Option<MessageId> {
        match self {
            Self::Text(text) => text.thread,
            Self::Attachment(file) => file.caption.thread,
            _ => None,
        }
    }

    /// Tells whether it mentions an account.
    pub(crate) fn mentions(&self, account: AccountId) -> bool {
        let words = match self {
            Self::Text(text) => text,
            Self::Attachment(file) => &file.caption,
            _ => return false,
        };
        words.mentions.contains(&account)
    }

    /// What a search finds it by: its words, be they the first or others.
    pub(crate) fn words(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            Self::Attachment(file) => Some(&file.caption.text),
            Self::Edit(edit) => Some(&edit.text.text),
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

/// What stands in the store where a message was deleted.
pub(crate) const DELETED_KIND: &str = "deleted";
/// Kinds that are no messages to look at, as a list in SQL.
pub(crate) const ASIDES: &str = "('title', 'details', 'profile', 'settings', 'keyring-lock', \
     'chain-request', 'history-given')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let message = MessageId::from_bytes([7; 16]);
        let around = Text {
            text: "and @you".into(),
            mentions: vec![AccountId::from_bytes([1; 16])],
            reply_to: Some(message),
            thread: Some(MessageId::from_bytes([8; 16])),
            forwarded: true,
        };
        for content in [
            Content::Text(words("hällo")),
            Content::Text(around.clone()),
            Content::Title("Trip".into()),
            Content::Reaction(Reaction::new(message, "👩🏽‍🚀", true)),
            Content::Reaction(Reaction::new(message, "👍", false)),
            Content::Edit(Edit::new(message, around)),
            Content::Delete(message),
        ] {
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

        assert_eq!(Content::read("text", &body), Content::Text(words("hi")));
    }

    #[test]
    fn nothing_of_content_is_printed() {
        assert_eq!(format!("{:?}", Content::Text(words("secret"))), "Content(text, ..)");
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_sealed() {
        let text = Content::Text(words(&"x".repeat(TEXT_BYTES_MAX + 1)));
        let mentions = vec![AccountId::from_bytes([1; 16]); MENTIONS_MAX + 1];
        let crowd = Content::Text(Text { mentions, ..Text::default() });
        let title = Content::Title("x".repeat(TITLE_CHARS_MAX + 1));

        assert_eq!(text.to_body().unwrap_err().code(), "too_large");
        assert_eq!(title.to_body().unwrap_err().code(), "too_large");
        assert_eq!(crowd.to_body().unwrap_err().code(), "too_large");
    }

    #[test]
    fn what_is_no_emoji_is_refused_and_not_believed() {
        for emoji in ["", "two words", "line\n", &"x".repeat(EMOJI_BYTES_MAX + 1)] {
            let reaction = Reaction::new(MessageId::from_bytes([7; 16]), emoji, true);
            let came = chat_core::codec::to_bytes(&reaction);

            let refused = Content::Reaction(reaction).to_body();

            assert_eq!(refused.unwrap_err().code(), "argument_invalid");
            assert!(matches!(Content::read("reaction", &came), Content::Unknown { .. }));
        }
    }

    #[test]
    fn a_deleted_message_is_a_place_and_never_travels() {
        assert_eq!(Content::Deleted.to_body().unwrap_err().code(), "argument_invalid");
    }

    fn words(text: &str) -> Text {
        text.to_owned().into()
    }
}
