//! What is said aside: it takes effect when it is opened, and is then forgotten.
//!
//! A tombstone stays, so that what comes twice counts once.

use rusqlite::Transaction;

use chat_core::time::Timestamp;

use crate::content::Content;
use crate::context::Own;
use crate::error::Result;
use crate::event::Event;
use crate::store::conversations::ConversationRow;
use crate::store::messages::MessageRow;
use crate::store::tombstones::{self, Gone};
use crate::{asking, details, keyring, profile, settings};

/// Lets something said aside take effect, as far as its sender may; gives what to tell the app.
pub(super) fn apply(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    message: &MessageRow,
    content: &Content,
    now: Timestamp,
) -> Result<Vec<Event>> {
    let (id, sender) = (message.conversation, message.sender.account);
    tombstones::bury(tx, id, message.id, message.sequence, Gone::Applied, now)?;
    match content {
        Content::Settings(registers) if settings::is_among_us(tx, own, &row.membership)? => {
            settings::merge(tx, own, registers, now)
        }
        Content::KeyringLock(lock) if settings::is_among_us(tx, own, &row.membership)? => {
            Ok(Vec::from_iter(keyring::hear(tx, lock)?.then_some(Event::KeyringRenewed)))
        }
        Content::ChainRequest(of) => {
            asking::hear(tx, own, id, message.sender, *of).map(|()| Vec::new())
        }
        Content::HistoryGiven(to) if *to == own.account() => {
            let is_theirs = row.membership.may_give_history(sender);
            let given = Event::HistoryGiven { conversation: id, by: sender };
            Ok(Vec::from_iter(is_theirs.then_some(given)))
        }
        Content::Profile(profile) => profile::hear(tx, own, id, sender, profile),
        Content::Details(details) => details::hear(tx, row, message, details),
        _ => Ok(Vec::new()),
    }
}
