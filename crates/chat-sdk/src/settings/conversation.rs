//! What an account settles about a conversation, and words that it has begun there.

use chat_core::id::MessageId;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use super::{KeptTimer, Name, is_set, muted_until, set, timer};
use crate::client::Client;
use crate::content::{Content, Text};
use crate::conversation::Conversation;
use crate::error::{Kind, Result};
use crate::message::{Timer, Unseen};
use crate::store::{conversations, drafts, settings as registers, timeline};

/// What this account has settled about a conversation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConversationSettings {
    /// It stands before those that are not pinned.
    pub pinned: bool,
    /// It is put away; nothing else comes of that.
    pub archived: bool,
    /// Nothing is to be rung about before this time.
    pub muted_until: Option<Timestamp>,
    /// It is to be shown as if something in it was unread.
    pub marked_unread: bool,
    /// The timer of what this account says there and names none for.
    pub timer: Option<Timer>,
}

impl ConversationSettings {
    pub(crate) fn load(tx: &Transaction<'_>, id: chat_core::id::ConversationId) -> Result<Self> {
        let subject = id.as_bytes();
        Ok(Self {
            pinned: is_set(tx, Name::Pinned, subject)?,
            archived: is_set(tx, Name::Archived, subject)?,
            muted_until: muted_until(tx, id)?,
            marked_unread: is_set(tx, Name::Unread, subject)?,
            timer: timer(tx, id)?.map(Into::into),
        })
    }

    /// Whether nothing is to be rung about at `now`.
    #[must_use]
    pub fn is_muted(&self, now: Timestamp) -> bool {
        self.muted_until.is_some_and(|until| until > now)
    }
}

impl Client {
    /// How much of all conversations this account has not looked at. Muted ones count; archived
    /// ones too.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn unseen(&self) -> Result<Unseen> {
        let now = self.hub.now();
        self.hub.context.store.read(move |tx| timeline::all_unseen(tx, now)).await
    }

    /// How much of what was settled here the account's other devices were not told yet.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn unsettled(&self) -> Result<usize> {
        let pending = |tx: &Transaction<'_>| Ok(registers::pending(tx, usize::MAX)?.len());
        self.hub.context.store.read(pending).await
    }
}

impl Conversation {
    /// What this account has settled about it, on any of its devices.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn settings(&self) -> Result<ConversationSettings> {
        let id = self.id;
        self.hub.context.store.read(move |tx| ConversationSettings::load(tx, id)).await
    }

    /// Pins it before others.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`], as for all that is settled here; the account's other devices are told
    /// when there is a connection.
    pub async fn pin(&self) -> Result<()> {
        self.settle(Name::Pinned, true).await
    }

    /// Takes the pin away.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn unpin(&self) -> Result<()> {
        self.settle(Name::Pinned, false).await
    }

    /// Puts it away.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn archive(&self) -> Result<()> {
        self.settle(Name::Archived, true).await
    }

    /// Fetches it back.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn unarchive(&self) -> Result<()> {
        self.settle(Name::Archived, false).await
    }

    /// Keeps it quiet until then; for ever, if no time is named.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn mute(&self, until: Option<Timestamp>) -> Result<()> {
        self.settle(Name::Muted, until.map_or(u64::MAX, Timestamp::as_millis)).await
    }

    /// Lets it be heard again.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn unmute(&self) -> Result<()> {
        self.settle(Name::Muted, 0_u64).await
    }

    /// Has it shown as unread until it is looked at again. Nobody else hears of that, and what was
    /// seen stays seen.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`].
    pub async fn mark_unread(&self) -> Result<()> {
        self.settle(Name::Unread, true).await
    }

    /// Chooses the timer of what this account says here and names none for. It goes before the one
    /// that the conversation's rules name; `None` leaves it to them.
    ///
    /// # Errors
    ///
    /// As [`Self::pin`]; [`Kind::ArgumentInvalid`] for a timer beyond its limits.
    pub async fn set_own_timer(&self, timer: Option<Timer>) -> Result<()> {
        let expiry = timer.map(Timer::to_expiry).transpose()?;
        self.settle(Name::Timer, KeptTimer { expiry }).await
    }

    async fn settle<T>(&self, name: Name, value: T) -> Result<()>
    where
        T: minicbor::Encode<()> + Send + 'static,
    {
        let (id, own) = (self.id, self.hub.context.own.clone());
        let write = move |tx: &Transaction<'_>| {
            // What was never settled needs no word that it is not.
            if is_default(&value) && registers::get(tx, name.code(), id.as_bytes())?.is_none() {
                return Ok(());
            }
            set(tx, &own, name, id.as_bytes(), &value).map(drop)
        };
        self.hub.context.store.write(write).await?;
        self.hub.settle();
        Ok(())
    }

    // ── words that were begun ───────────────────────────────────────────────────────────────────

    /// Keeps words that were begun here, on this device only; empty words take them away.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] for more than one text may have, [`Kind::StoreFailed`].
    pub async fn save_draft(&self, words: impl Into<Text>) -> Result<()> {
        let (id, now, words) = (self.id, self.hub.now(), words.into());
        let thread = words.thread;
        let is_empty = words.text.is_empty() && words.reply_to.is_none();
        let body = Content::Text(words).to_body()?;
        let save = move |tx: &Transaction<'_>| {
            conversations::load(tx, id)?.ok_or(Kind::NotFound)?;
            if is_empty {
                drafts::clear(tx, id, thread).map(drop)
            } else {
                drafts::save(tx, id, thread, &body, now)
            }
        };
        self.hub.context.store.write(save).await
    }

    /// Words that were begun here, in a thread if one is named, and not sent.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn draft(&self, thread: Option<MessageId>) -> Result<Option<Text>> {
        let id = self.id;
        let body = self.hub.context.store.read(move |tx| drafts::load(tx, id, thread)).await?;
        Ok(body.and_then(|body| match Content::read("text", &body) {
            Content::Text(text) => Some(text),
            _ => None,
        }))
    }
}

/// `false`, `0`, and no timer: what holds where nothing was settled.
fn is_default(value: &impl minicbor::Encode<()>) -> bool {
    matches!(&*chat_core::codec::to_bytes(value), [0xf4] | [0x00] | [0xa0])
}
