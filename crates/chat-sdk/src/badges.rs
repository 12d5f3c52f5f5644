//! Badges: what is unread, before this device has caught up.
//!
//! The relay counts by *seen* receipts, which it has anyway. It cannot tell words from reactions, and
//! hears nothing from who reads without telling: its count is for the moment between a start and
//! the first synchronisation. What people mark as unread is between their own devices, sealed.

pub use chat_core::api::unread::{Unread, UnreadConversation, UnreadWorkspace};

use crate::client::Client;
use crate::error::Result;

impl Client {
    /// What this account has not seen, by conversation and by workspace, as far as the relay can
    /// know: at least as much as [`Conversation::unseen`](crate::Conversation::unseen) says once
    /// everything is here.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`](crate::Kind::RelayUnreachable), or what befalls every request.
    pub async fn unread_at_relay(&self) -> Result<Unread> {
        self.hub.context.relay.unread().await
    }
}
