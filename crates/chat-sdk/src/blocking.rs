//! Blocking: what somebody says is not shown, and they are not told how far it got.
//!
//! ```text
//!  from somebody blocked   message, answer, emoji, edit    opened, counted, and dropped: a tombstone
//!                          deletion of their own           takes effect
//!                          name or details of a group      take effect: they are the group's
//!                          typing                          not told to the app
//!  to somebody blocked     receipts, in the direct conversation with them     none
//! ```
//!
//! Whom an account has blocked is known to its own devices only. In a group others still hear of
//! them, and a receipt there is for all: it says how far this account has read, not whom. The relay
//! delivers as ever, so nobody learns of it by being refused. What came while somebody was blocked
//! does not come back.

use chat_core::envelope::Header;
use chat_core::id::{AccountId, ConversationId};
use rusqlite::Transaction;

use crate::client::Client;
use crate::content::Content;
use crate::context::Own;
use crate::devices;
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::message::Contact;
use crate::settings::{self, Name};
use crate::store::{conversations, settings as registers};

impl Client {
    /// Blocks somebody, on all devices of this account.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for oneself, [`Kind::StoreFailed`].
    pub async fn block(&self, account: AccountId) -> Result<()> {
        self.set_blocked(account, true).await
    }

    /// Lets somebody be heard again. What they said meanwhile is gone.
    ///
    /// # Errors
    ///
    /// As [`Self::block`].
    pub async fn unblock(&self, account: AccountId) -> Result<()> {
        self.set_blocked(account, false).await
    }

    /// Who is blocked, by the order of their ids.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn blocked(&self) -> Result<Vec<Contact>> {
        let read = |tx: &Transaction<'_>| {
            registers::subjects(tx, Name::Blocked.code(), &[TRUE])?
                .iter()
                .filter_map(|subject| AccountId::try_from(&**subject).ok())
                .map(|account| devices::contact(tx, account))
                .collect()
        };
        self.hub.context.store.read(read).await
    }

    async fn set_blocked(&self, account: AccountId, blocked: bool) -> Result<()> {
        if account == self.account() {
            return Err(Kind::ArgumentInvalid.into());
        }
        let own = self.hub.context.own.clone();
        let write = move |tx: &Transaction<'_>| {
            let was = is_blocked(tx, account)?;
            if was != blocked {
                settings::set(tx, &own, Name::Blocked, account.as_bytes(), &blocked)?;
            }
            Ok(was != blocked)
        };
        if self.hub.context.store.write(write).await? {
            self.hub.emit(Event::Blocked { account });
            self.hub.settle();
        }
        Ok(())
    }
}

/// `true` in CBOR.
const TRUE: u8 = 0xf5;

/// Tells whether somebody is blocked.
pub(crate) fn is_blocked(tx: &Transaction<'_>, account: AccountId) -> Result<bool> {
    settings::is_set(tx, Name::Blocked, account.as_bytes())
}

/// Tells whether what was opened is to be dropped, since its sender is blocked.
pub(crate) fn silences(
    tx: &Transaction<'_>,
    own: &Own,
    header: &Header,
    content: &Content,
) -> Result<bool> {
    let sender = header.sender.account;
    let is_the_groups = matches!(content, Content::Title(_) | Content::Details(_));
    let takes_effect = is_the_groups || matches!(content, Content::Delete(_));
    Ok(sender != own.account() && !takes_effect && is_blocked(tx, sender)?)
}

/// Tells whether nobody is to hear of what was received or read here: it is a direct conversation
/// with somebody blocked.
pub(crate) fn keeps_quiet(tx: &Transaction<'_>, conversation: ConversationId) -> Result<bool> {
    let peer = conversations::load(tx, conversation)?.and_then(|row| row.peer);
    peer.map_or(Ok(false), |peer| is_blocked(tx, peer))
}
