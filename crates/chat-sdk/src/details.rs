//! What a conversation is about: a description and an icon, read by its members only.

use rusqlite::Transaction;

use crate::content::{Content, Details, details};
use crate::conversation::{Conversation, queue};
use crate::error::Result;
use crate::event::Event;
use crate::message::Draft;
use crate::store::conversations::ConversationRow;
use crate::store::messages::MessageRow;
use crate::store::profiles;

impl Conversation {
    /// Its description and icon, as far as they were heard of here.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn details(&self) -> Result<Details> {
        let id = self.id;
        let body = self.hub.context.store.read(move |tx| profiles::load_details(tx, id)).await?;
        Ok(body.and_then(|body| details::decode(&body)).unwrap_or_default())
    }

    /// Gives it another description; empty to take it away. The icon stays.
    ///
    /// # Errors
    ///
    /// As [`Self::rename`]; [`Kind::TooLarge`](crate::Kind::TooLarge).
    pub async fn describe(&self, description: impl Into<String> + Send) -> Result<()> {
        let description = Some(description.into()).filter(|text| !text.is_empty());
        let before = self.details().await?;
        self.say_details(Details { description, ..before }).await
    }

    /// Gives it another icon: a reference to an attachment, or a small picture; `None` to take it
    /// away. The description stays.
    ///
    /// # Errors
    ///
    /// As [`Self::rename`]; [`Kind::TooLarge`](crate::Kind::TooLarge) beyond
    /// [`PICTURE_BYTES_MAX`](crate::content::PICTURE_BYTES_MAX).
    pub async fn set_icon(&self, picture: Option<Vec<u8>>) -> Result<()> {
        let before = self.details().await?;
        self.say_details(Details { picture, ..before }).await
    }

    async fn say_details(&self, details: Details) -> Result<()> {
        queue(&self.hub, self.id, Draft::of(Content::Details(details))).await?;
        self.hub.emit(Event::Conversation { conversation: self.id });
        Ok(())
    }
}

/// Takes what somebody says a conversation is about, if they may.
pub(crate) fn hear(
    tx: &Transaction<'_>,
    row: &ConversationRow,
    message: &MessageRow,
    said: &Details,
) -> Result<Vec<Event>> {
    let membership = &row.membership;
    let role = membership.role(message.sender.account);
    let is_direct = membership.kind() == chat_core::membership::ConversationKind::Direct;
    let may = !is_direct && role.is_some_and(|role| membership.policy().rename.allows(role));
    let conversation = message.conversation;
    let is_news = may && profiles::keep_details(tx, conversation, &details::encode(said)?)?;
    Ok(if is_news { vec![Event::Conversation { conversation }] } else { Vec::new() })
}
