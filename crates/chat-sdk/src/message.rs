//! Messages as apps see them, and what an app says when it sends one.

use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode, Suite};
use chat_core::id::{AccountId, ConversationId, DeviceId, MessageId};
use chat_core::limits::EXPIRY_MAX;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;

use crate::content::{Attachment, Content, Text};
use crate::error::{Kind, Result};

/// A message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Chosen by its sender; the same on every device.
    pub id: MessageId,
    /// Where it belongs.
    pub conversation: ConversationId,
    /// Who sent it.
    pub sender: Contact,
    /// From which of their devices.
    pub device: DeviceId,
    /// What it says; after an edit, what it says now.
    pub content: Content,
    /// When it was last edited, by its sender's clock.
    pub edited_at: Option<Timestamp>,
    /// The emoji on it, the one that came first first.
    pub reactions: Vec<Reactions>,
    /// When, by the sender's clock.
    pub sent_at: Timestamp,
    /// Its place in the conversation; absent until the relay has accepted it.
    pub sequence: Option<Sequence>,
    /// What became of it. Of a received message: [`Status::Seen`] once it was looked at here.
    pub status: Status,
    /// Why it failed, as a stable code, if it did.
    pub failure: Option<String>,
    /// Whether this account sent it.
    pub outgoing: bool,
    /// Its timer.
    pub timer: Option<Timer>,
    /// When it vanishes; absent while its timer does not run.
    pub expires_at: Option<Timestamp>,
    /// What can be shown to others about who sent it.
    pub authenticity: Authenticity,
}

impl Message {
    /// The words, if it is words.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.content.text()
    }
}

/// An emoji on a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reactions {
    /// Which.
    pub emoji: String,
    /// Who set it, the first one first.
    pub by: Vec<Contact>,
}

/// How much of a conversation this account has not looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Unseen {
    /// How many messages of others.
    pub messages: u64,
    /// How many of these mention this account.
    pub mentions: u64,
}

/// An account and its name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Contact {
    /// Who.
    pub account: AccountId,
    /// Their name, as the relay has it; the id where the name is not known yet.
    pub username: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Status {
    /// Stored here, to be sent.
    Queued,
    /// The relay has it.
    Sent,
    /// Every other member has it, on one device at least.
    Delivered,
    /// Every other member has looked at it.
    Seen,
    /// The relay refused it for good; see [`Message::failure`].
    Failed,
}

/// What a message proves to somebody who was not there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Authenticity {
    /// Nothing: only its recipients know who sent it.
    Deniable,
    /// Its sender signed it.
    Signed,
}

impl From<Suite> for Authenticity {
    fn from(suite: Suite) -> Self {
        match suite {
            Suite::Deniable | Suite::Chained | Suite::HandOut => Self::Deniable,
            Suite::Signed => Self::Signed,
        }
    }
}

/// A self-destruct timer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Timer {
    /// Runs from the moment the relay accepts the message.
    AfterSent(Duration),
    /// Runs from the moment the message is seen; for its sender, from when everybody has.
    AfterSeen(Duration),
}

impl Timer {
    /// A timer that runs from sending.
    #[must_use]
    pub const fn after_sent(duration: Duration) -> Self {
        Self::AfterSent(duration)
    }

    /// A timer that runs from reading.
    #[must_use]
    pub const fn after_seen(duration: Duration) -> Self {
        Self::AfterSeen(duration)
    }

    /// As it travels.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for no time at all, or beyond a year.
    pub fn to_expiry(self) -> Result<Expiry> {
        let (mode, after) = match self {
            Self::AfterSent(after) => (ExpiryMode::AfterSent, after),
            Self::AfterSeen(after) => (ExpiryMode::AfterSeen, after),
        };
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        if after_ms == 0 || after > EXPIRY_MAX {
            return Err(Kind::ArgumentInvalid.into());
        }
        Ok(Expiry { mode, after_ms })
    }
}

impl From<Expiry> for Timer {
    fn from(expiry: Expiry) -> Self {
        match expiry.mode {
            ExpiryMode::AfterSent => Self::AfterSent(expiry.after()),
            ExpiryMode::AfterSeen => Self::AfterSeen(expiry.after()),
        }
    }
}

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) content: Content,
    pub(crate) timer: Option<Timer>,
    pub(crate) compression: Compression,
}

/// Whether a body may be compressed before it is sealed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Compression {
    /// It may not.
    #[default]
    Never,
    /// The app has said that it may.
    Allowed,
}

impl Draft {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Content::Text(text.into().into()))
    }

    /// The words or the file of a message again, for another conversation; `None` if it has neither.
    /// Who said them, whom they mention, what they answer and their timer do not go with them.
    #[must_use]
    pub fn forward(message: &Message) -> Option<Self> {
        if let Content::Attachment(file) = &message.content {
            // The blob and its key go along: nothing is uploaded again.
            file.file.as_ref()?;
            let caption =
                Text { text: file.caption.text.clone(), forwarded: true, ..Text::default() };
            return Some(Self::of(Content::Attachment(Attachment { caption, ..file.clone() })));
        }
        let text = message.text()?.to_owned();
        Some(Self::of(Content::Text(Text { text, forwarded: true, ..Text::default() })))
    }

    /// Content of a kind that the app itself knows.
    pub fn other(kind: impl Into<String>, body: Vec<u8>) -> Self {
        Self::of(Content::Unknown { kind: kind.into(), body })
    }

    pub(crate) const fn of(content: Content) -> Self {
        Self { content, timer: None, compression: Compression::Never }
    }

    /// The same, compressed if it is long and gets shorter.
    ///
    /// **Only for what one author wrote**, and nobody else had a hand in: whoever can put text
    /// beside a secret finds the secret in the lengths. Not for quotes, forwards, previews, or what
    /// a bot makes of what it was told.
    #[must_use]
    pub fn compressed(self) -> Self {
        Self { compression: Compression::Allowed, ..self }
    }

    /// The same, as an answer to `message`.
    #[must_use]
    pub fn replying_to(self, message: MessageId) -> Self {
        self.with(|text| text.reply_to = Some(message))
    }

    /// The same, in the thread that `first` began.
    #[must_use]
    pub fn in_thread(self, first: MessageId) -> Self {
        self.with(|text| text.thread = Some(first))
    }

    /// The same, mentioning somebody; at most [`MENTIONS_MAX`](crate::content::MENTIONS_MAX) may be.
    #[must_use]
    pub fn mentioning(self, account: AccountId) -> Self {
        self.with(|text| text.mentions.push(account))
    }

    /// Words alone have something around them.
    fn with(mut self, change: impl FnOnce(&mut Text)) -> Self {
        if let Content::Text(text) = &mut self.content {
            change(text);
        }
        self
    }

    /// The same, to vanish; without this, the conversation's own timer applies, if it has one.
    #[must_use]
    pub fn expiring(self, timer: Timer) -> Self {
        Self { timer: Some(timer), ..self }
    }
}

/// Which messages to list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub(crate) before: Option<MessageId>,
    pub(crate) limit: u32,
    pub(crate) thread: Option<MessageId>,
}

impl Page {
    /// The newest `limit` messages.
    #[must_use]
    pub const fn latest(limit: u32) -> Self {
        Self { before: None, limit, thread: None }
    }

    /// The `limit` messages before `message`.
    #[must_use]
    pub const fn before(message: MessageId, limit: u32) -> Self {
        Self { before: Some(message), limit, thread: None }
    }

    /// The same, of one thread only: its first message and what was said in it.
    #[must_use]
    pub const fn in_thread(self, first: MessageId) -> Self {
        Self { thread: Some(first), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_survives_the_way_through_a_header() {
        let timer = Timer::after_seen(Duration::from_secs(5));

        assert_eq!(Timer::from(timer.to_expiry().unwrap()), timer);
    }

    #[test]
    fn a_timer_of_no_time_or_of_years_is_refused() {
        for after in [Duration::ZERO, EXPIRY_MAX + Duration::from_secs(1)] {
            let refused = Timer::after_sent(after).to_expiry();

            assert_eq!(refused.unwrap_err().code(), "argument_invalid");
        }
    }
}
