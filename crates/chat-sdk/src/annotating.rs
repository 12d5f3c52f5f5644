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
use crate::message::{Draft, Message, Status};
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

    /// Gives a message of this account other words; whom it mentions is said anew with them. One
    /// that was never sent just says something else: then its own id is given.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such text of this account here.
    pub async fn edit(&self, message: MessageId, text: impl Into<String>) -> Result<MessageId> {
        let text = text.into();
        if self.rewrite(message, &text).await? {
            return Ok(message);
        }
        self.annotate(message, Content::Edit(Edit::new(message, text.into()))).await
    }

    /// Deletes a message for everybody: the words are erased here at once, at the relay as soon as
    /// it can be reached, and on every device when it hears of it. One that was never sent is just
    /// taken back. Messages of others are deleted by whom the conversation's policy lets.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::NotFound`](crate::Kind::NotFound) if there is no such message
    /// here that this account may delete.
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

    /// Sends a message again that has failed, as the newest one.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`](crate::Kind::NotFound) if there is no message of this account here that
    /// has failed; as [`Self::send`].
    pub async fn retry(&self, message: MessageId) -> Result<()> {
        let (id, now) = (self.id, self.hub.now());
        let retry = move |tx: &Transaction<'_>| outbox::retry(tx, id, message, now);
        self.hub.context.store.write(retry).await?;
        self.hub.emit(Event::Status { conversation: id, message, status: Status::Queued });
        self.hub.nudge.notify_one();
        Ok(())
    }

    /// Gives a message other words that was never sent; tells whether it was not.
    async fn rewrite(&self, message: MessageId, text: &str) -> Result<bool> {
        let (id, own, text) = (self.id, self.hub.context.own.clone(), text.to_owned());
        let rewrite = move |tx: &Transaction<'_>| outbox::rewrite(tx, &own, id, message, text);
        let changed = self.hub.context.store.write(rewrite).await?;
        let is_rewritten = changed.is_some();
        if let Some(changed) = changed {
            self.hub.emit(Event::Changed(changed));
        }
        Ok(is_rewritten)
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
