//! Saying something about a message: an answer, an emoji, other words, its end.
//!
//! Each is a message of its own to everybody else: stored and queued when the call returns, shown
//! here at once, sent as soon as can be.

use chat_core::id::MessageId;
use rusqlite::Transaction;

use crate::content::{Content, Edit, Reaction};
use crate::conversation::{Conversation, queue};
use crate::error::Result;
use crate::event::Event;
use crate::expiry;
use crate::message::{Draft, Message};
use crate::outbox;
use crate::store::messages;

impl Conversation {
    /// Answers a message.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn reply(&self, to: MessageId, text: impl Into<String>) -> Result<MessageId> {
        self.send_with(Draft::text(text).replying_to(to)).await
    }

    /// Puts an emoji on a message.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such message here, or it was deleted;
    /// [`Kind::ArgumentInvalid`](crate::Kind::ArgumentInvalid) for what is no emoji.
    pub async fn react(&self, to: MessageId, emoji: impl Into<String>) -> Result<MessageId> {
        self.annotate(to, Content::Reaction(Reaction::new(to, emoji, true))).await
    }

    /// Takes an emoji off a message.
    ///
    /// # Errors
    ///
    /// As [`Self::react`].
    pub async fn unreact(&self, to: MessageId, emoji: impl Into<String>) -> Result<MessageId> {
        self.annotate(to, Content::Reaction(Reaction::new(to, emoji, false))).await
    }

    /// Gives a message of this account other words; whom it mentions is said anew with them.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such text of this account here.
    pub async fn edit(&self, message: MessageId, text: impl Into<String>) -> Result<MessageId> {
        self.annotate(message, Content::Edit(Edit::new(message, text.into().into()))).await
    }

    /// Deletes a message of this account, for everybody: the words are erased here at once and on
    /// every device when it hears of it. One that was never sent is just taken back.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such message of this account here.
    pub async fn delete(&self, message: MessageId) -> Result<()> {
        if !self.cancel(message).await? {
            self.annotate(message, Content::Delete(message)).await?;
            expiry::scrub(&self.hub).await?;
        }
        Ok(())
    }

    /// Takes back a message that was never sent; tells whether it was not.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn cancel(&self, message: MessageId) -> Result<bool> {
        let (id, now) = (self.id, self.hub.now());
        let cancel = move |tx: &Transaction<'_>| outbox::cancel(tx, id, message, now);
        let is_cancelled = self.hub.context.store.write(cancel).await?;
        if is_cancelled {
            expiry::scrub(&self.hub).await?;
        }
        Ok(is_cancelled)
    }

    async fn annotate(&self, target: MessageId, content: Content) -> Result<MessageId> {
        let annotation = queue(&self.hub, self.id, Draft::of(content)).await?;
        let changed = move |tx: &Transaction<'_>| {
            let row = messages::load(tx, target)?;
            row.map(|row| Message::from_row(tx, row)).transpose()
        };
        if let Some(changed) = self.hub.context.store.read(changed).await? {
            self.hub.emit(Event::Changed(changed));
        }
        Ok(annotation)
    }
}

#[cfg(test)]
mod tests;
