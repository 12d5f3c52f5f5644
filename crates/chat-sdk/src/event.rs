//! Events: what an app that listens is told, each after what it tells of is committed.
//!
//! The stream is bounded. A listener that is too slow loses events, is told how many, and reads
//! from the store what it missed; nothing of the store is lost.

use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::presence::Presence;
use chat_core::time::Timestamp;
use tokio::sync::broadcast;

use crate::attachments::Transferred;
use crate::message::{Message, Status};

/// How many events wait for a listener before it loses the oldest.
pub const EVENTS_MAX: usize = 1024;

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message has come, from somebody else or from another device of this account.
    Message(Message),
    /// A message shows something else: it was edited, reacted to, or deleted by its sender.
    Changed(Message),
    /// A message of this account has got further, or failed.
    Status {
        /// Where.
        conversation: ConversationId,
        /// Which.
        message: MessageId,
        /// How far.
        status: Status,
    },
    /// A file of this account's message has come further on its way to the relay.
    Transferred {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        message: MessageId,
        /// How far.
        transferred: Transferred,
    },
    /// A message is gone: its timer ended, here or at the relay.
    Expired {
        /// Where it was.
        conversation: ConversationId,
        /// Which.
        message: MessageId,
    },
    /// A conversation is new, or has another title.
    Conversation {
        /// Which.
        conversation: ConversationId,
    },
    /// Another device of this account has settled something about a conversation.
    Settings {
        /// Which.
        conversation: ConversationId,
    },
    /// Somebody was blocked, or no longer is.
    Blocked {
        /// Who.
        account: AccountId,
    },
    /// Somebody says something else of themselves.
    Profile {
        /// Who.
        account: AccountId,
    },
    /// Another device of this account has put its keyring under a new lock, and this device has it.
    KeyringRenewed,
    /// A conversation's members or rules have changed.
    Membership {
        /// Which.
        conversation: ConversationId,
        /// The index of the last entry of its log.
        index: u64,
    },
    /// What was said in a conversation before this account came was wrapped for it, all of it or what
    /// was said last. The newest page is fetched at once; the rest when it is looked for.
    HistoryGiven {
        /// Where.
        conversation: ConversationId,
        /// By whom.
        by: AccountId,
    },
    /// Somebody is typing, or no longer.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        account: AccountId,
        /// Whether they are.
        typing: bool,
    },
    /// Somebody who is followed is there, or no longer, as the relay says.
    Presence(Presence),
    /// Somebody this account shares a conversation with has deleted their account, or was removed.
    AccountDeleted {
        /// Who.
        account: AccountId,
    },
    /// The connection to the relay has changed.
    Connection(ConnectionState),
    /// Something people, or logs, should know of.
    Warning(Warning),
    /// This listener was too slow and lost this many events.
    Lagged(u64),
}

/// How it stands with the relay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The app wants no connection.
    Offline,
    /// On the way.
    Connecting,
    /// There is one.
    Connected,
    /// It was lost or did not come about; the next attempt is at this time.
    Waiting {
        /// By the client's clock.
        until: Timestamp,
    },
    /// The device was logged out or removed; nothing but a new log-in helps.
    LoggedOut,
}

/// What does not fit, and whose it is. None of these stops anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Somebody shows another identity key than before; it is not used until accepted.
    IdentityChanged {
        /// Who.
        account: AccountId,
    },
    /// A device list was offered that its account did not sign, or that leads back.
    DeviceListForged {
        /// Whose.
        account: AccountId,
    },
    /// Somebody sealed a message by a list of this account's devices that is no longer the newest:
    /// the relay may be withholding lists.
    DeviceListStale {
        /// Who went by the old list.
        account: AccountId,
    },
    /// A membership log was offered that does not verify, or is not the one others see.
    MembershipFork {
        /// Of which conversation.
        conversation: ConversationId,
    },
    /// The relay shows us nothing more of a conversation, although nobody has signed that we are out
    /// of it. Until it does, nothing can be sent there.
    MembershipWithheld {
        /// Of which conversation.
        conversation: ConversationId,
    },
    /// Prekeys were offered as a device's that it did not sign; they were not used.
    PrekeysForged {
        /// Whose they claimed to be.
        device: DeviceAddress,
    },
    /// The relay erased a message long before its timer ends; it is gone here too.
    ErasedEarly {
        /// Where it was.
        conversation: ConversationId,
        /// Which.
        message: MessageId,
    },
    /// Messages of a device never came: withheld, or vanished on the way by their timers.
    GapNoticed {
        /// Where.
        conversation: ConversationId,
        /// From which device.
        sender: DeviceAddress,
        /// How many.
        missing: u64,
    },
    /// A message came after one that its device sent later: held back or replayed on the way. It is
    /// shown where the relay says that it stands.
    OutOfOrder {
        /// Where.
        conversation: ConversationId,
        /// From which device.
        sender: DeviceAddress,
        /// Which.
        message: MessageId,
    },
    /// A device has sent two different messages as the same one in its count.
    DeviceForked {
        /// Where.
        conversation: ConversationId,
        /// Which device.
        sender: DeviceAddress,
    },
    /// A message was not from whom it claims, was altered, or cannot be opened; it is not shown.
    NotAuthentic {
        /// Where.
        conversation: ConversationId,
        /// From whom it claims to be.
        sender: DeviceAddress,
        /// Which.
        message: MessageId,
    },
    /// A message came from somebody who was not a member; it is not shown.
    NotAMember {
        /// Where.
        conversation: ConversationId,
        /// From whom.
        sender: DeviceAddress,
        /// Which.
        message: MessageId,
    },
    /// A message held nothing for this device; it is not shown.
    NotForThisDevice {
        /// Where.
        conversation: ConversationId,
        /// From whom.
        sender: DeviceAddress,
        /// Which.
        message: MessageId,
    },
    /// A device has not answered for a week, so its session could not be renewed against quantum
    /// computers. Told once a day; after a month a new session is started before anything is sent.
    SessionOld {
        /// Which device.
        device: DeviceAddress,
    },
    /// A receipt was not signed by the device it names; it was not counted.
    ReceiptForged {
        /// Whose it claims to be.
        reader: DeviceAddress,
    },
}

/// A listener's place in the stream of events.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    pub(crate) fn of(sender: &broadcast::Sender<Event>) -> Self {
        Self(sender.subscribe())
    }

    /// The next event; `None` once the client is closed. May be dropped and called again without
    /// losing one.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// An event that is there already, if one is.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.0.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_is_told_how_many_it_lost() {
        let sender = broadcast::Sender::new(2);
        let mut events = Events::of(&sender);

        for _ in 0..5 {
            sender.send(Event::Connection(ConnectionState::Connecting)).unwrap();
        }
        drop(sender);

        assert!(matches!(events.next().await, Some(Event::Lagged(3))));
        assert!(matches!(events.next().await, Some(Event::Connection(_))));
        assert!(matches!(events.next().await, Some(Event::Connection(_))));
        assert!(events.next().await.is_none());
    }
}
