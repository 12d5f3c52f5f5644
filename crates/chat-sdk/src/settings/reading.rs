//! Whether others are told what was read; and our own devices, where others are not.
//!
//! ```text
//!  looked at ─▶ told to all     a signed receipt, from which our other devices know too
//!           └─▶ told to nobody  register "read": the place, for our other devices only
//! ```
//!
//! Nobody is told in a direct conversation with somebody blocked, and nowhere if the account wants
//! it so. Then a timer that waits until everybody has seen a message does not begin at its sender.

use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use super::{Name, is_set, set};
use crate::blocking;
use crate::client::Client;
use crate::context::Own;
use crate::error::Result;
use crate::store::{conversations, messages};

impl Client {
    /// Whether others are told what this account has looked at; they are, unless it was switched
    /// off.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn tells_seen(&self) -> Result<bool> {
        let is_off = |tx: &Transaction<'_>| is_set(tx, Name::Discreet, &[]);
        Ok(!self.hub.context.store.read(is_off).await?)
    }

    /// Tells nobody any more what this account has looked at, on any of its devices. That it holds
    /// a message is told as before.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn stop_telling_seen(&self) -> Result<()> {
        self.set_discreet(true).await
    }

    /// Tells others again what this account looks at from now on; what it looked at meanwhile is
    /// told with the next.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn tell_seen(&self) -> Result<()> {
        self.set_discreet(false).await
    }

    async fn set_discreet(&self, discreet: bool) -> Result<()> {
        let own = self.hub.context.own.clone();
        let write = move |tx: &Transaction<'_>| {
            if is_set(tx, Name::Discreet, &[])? == discreet {
                return Ok(());
            }
            set(tx, &own, Name::Discreet, &[], &discreet).map(drop)
        };
        self.hub.context.store.write(write).await?;
        self.hub.settle();
        Ok(())
    }
}

/// Tells whether nobody is to hear what is read in a conversation; if so, notes it for our other
/// devices.
pub(crate) fn is_read_in_secret(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    up_to: Sequence,
) -> Result<bool> {
    let is_secret = is_set(tx, Name::Discreet, &[])? || blocking::keeps_quiet(tx, conversation)?;
    if is_secret {
        set(tx, own, Name::Read, conversation.as_bytes(), &up_to)?;
    }
    Ok(is_secret)
}

/// Takes from another device of ours how far it has read.
pub(super) fn hear(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<()> {
    let up_to: Option<Sequence> = super::get(tx, Name::Read, conversation.as_bytes())?;
    match up_to {
        Some(up_to) if conversations::load(tx, conversation)?.is_some() => {
            messages::see(tx, conversation, up_to, now)
        }
        _ => Ok(()),
    }
}
