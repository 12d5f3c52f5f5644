//! What an account settles for itself, and has alike on all its devices: pinned, muted, blocked …
//!
//! ```text
//!  set ─▶ register, pending ──connected──▶ sealed message in the account's own conversation
//!                                                       │
//!  other devices ◀── merged: (counter, device) decides ─┘
//! ```
//!
//! The account's own conversation is a group of one, begun when something is settled for the first
//! time. It is wrapped for the account's envelope keys, so that a device that comes later reads all
//! of it as history. Two devices may begin one each: all are read, the first is written to. Nobody
//! sees it among the conversations. Normative: `docs/protocol/settings.md`.

mod conversation;
mod own;
mod reading;

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Expiry;
use chat_core::id::{AccountId, ConversationId};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rusqlite::Transaction;

pub use self::conversation::ConversationSettings;
pub(crate) use self::own::{conversation, is_among_us, note_if_own, publish, tell_again};
pub(crate) use self::reading::is_read_in_secret;
use crate::content::Register;
use crate::context::Own;
use crate::error::Result;
use crate::event::Event;
use crate::store::settings as registers;

/// A register by name; what it holds is its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Name {
    Pinned,
    Archived,
    Muted,
    Unread,
    Timer,
    Blocked,
    Profile,
    /// Whether nobody is told what was read.
    Discreet,
    /// How far a conversation was read that nobody is told of.
    Read,
}

impl Name {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Archived => "archived",
            Self::Muted => "muted",
            Self::Unread => "unread",
            Self::Timer => "timer",
            Self::Blocked => "blocked",
            Self::Profile => "profile",
            Self::Discreet => "discreet",
            Self::Read => "read",
        }
    }

    /// Whether it is about a conversation.
    fn is_of_conversation(name: &str) -> bool {
        [Self::Pinned, Self::Archived, Self::Muted, Self::Unread, Self::Timer, Self::Read]
            .iter()
            .any(|known| known.code() == name)
    }
}

/// A value as it is kept; absent where it was never set or cannot be read.
pub(crate) fn get<T: for<'b> Decode<'b, ()>>(
    tx: &Transaction<'_>,
    name: Name,
    subject: &[u8],
) -> Result<Option<T>> {
    let value = registers::get(tx, name.code(), subject)?;
    Ok(value.and_then(|value| from_bytes(&value).ok()))
}

/// Whether something is set to yes.
pub(crate) fn is_set(tx: &Transaction<'_>, name: Name, subject: &[u8]) -> Result<bool> {
    Ok(get(tx, name, subject)?.unwrap_or_default())
}

/// Settles something, on this device and, when there is a connection, on the others.
pub(crate) fn set<T: Encode<()>>(
    tx: &Transaction<'_>,
    own: &Own,
    name: Name,
    subject: &[u8],
    value: &T,
) -> Result<bool> {
    registers::set(tx, own.address.device, name.code(), subject, &to_bytes(value))
}

/// As [`set`], with a value that is CBOR already.
pub(crate) fn set_raw(
    tx: &Transaction<'_>,
    own: &Own,
    name: Name,
    subject: &[u8],
    value: &[u8],
) -> Result<()> {
    registers::set(tx, own.address.device, name.code(), subject, value).map(drop)
}

/// Takes what another device of this account has settled; gives what is to be told to the app.
pub(crate) fn merge(
    tx: &Transaction<'_>,
    own: &Own,
    heard: &[Register],
    now: Timestamp,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for register in heard {
        if !registers::merge(tx, register)? {
            continue;
        }
        let subject = &*register.subject;
        if let (true, Ok(id)) =
            (register.name == Name::Read.code(), ConversationId::try_from(subject))
        {
            reading::hear(tx, id, now)?;
        }
        events.extend(if Name::is_of_conversation(&register.name) {
            ConversationId::try_from(subject).ok().map(|id| Event::Settings { conversation: id })
        } else if register.name == Name::Blocked.code() {
            AccountId::try_from(subject).ok().map(|account| Event::Blocked { account })
        } else if register.name == Name::Profile.code() {
            Some(Event::Profile { account: own.account() })
        } else {
            None
        });
    }
    Ok(events)
}

/// A timer as a register holds it: mode 0 is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptTimer {
    #[n(0)]
    expiry: Option<Expiry>,
}

/// The timer that this account has chosen for what it says in a conversation.
pub(crate) fn timer(tx: &Transaction<'_>, id: ConversationId) -> Result<Option<Expiry>> {
    Ok(get::<KeptTimer>(tx, Name::Timer, id.as_bytes())?.and_then(|kept| kept.expiry))
}

/// Until when a conversation is quiet, if it is.
pub(crate) fn muted_until(tx: &Transaction<'_>, id: ConversationId) -> Result<Option<Timestamp>> {
    let until: Option<u64> = get(tx, Name::Muted, id.as_bytes())?;
    Ok(until.filter(|until| *until > 0).map(Timestamp::from_millis))
}

#[cfg(test)]
mod tests;
