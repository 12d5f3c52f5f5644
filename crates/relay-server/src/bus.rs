//! What the nodes of a relay tell each other: hints, fast and lossy.
//!
//! ```text
//!  node A: publish([bob], Message 7) ─▶ who of these is where? ─▶ node B's channel ─▶ node B's inbox
//! ```
//!
//! Each node registers the accounts that are connected to it; an event goes once to each node that
//! has one of its recipients, the publishing node included. The database is the truth: with the bus
//! lost everything stays correct and only gets slower. So nothing here fails or waits for long;
//! what could not be told is counted, and a node that may have missed something is told
//! [`Notice::Missed`], upon which it looks at the heads of its conversations.

#[cfg(test)]
mod conformance;
pub mod local;
pub mod redis;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::deletion::SignedDeletion;
use chat_core::frame::Typing;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::{Sequence, SignedReceipt};
use minicbor::{Decode, Encode};
use tokio::sync::{Notify, mpsc};

use crate::storage::FamilyId;

/// Records up to this size travel with their event; larger ones are read from the database.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;
/// How many notices may wait in an inbox before the node is told that it missed some.
pub const INBOX_NOTICES_MAX: usize = 8192;

/// One process of the relay, from its start to its end.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode)]
#[cbor(transparent)]
pub struct NodeId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

impl NodeId {
    /// Takes sixteen bytes, drawn anew at each start.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One node's end of the bus; made together with its [`Inbox`].
#[async_trait]
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Says that `accounts` have a connection more each at this node.
    ///
    /// When it returns, the other nodes send their events here; unless the bus is lost, then it
    /// returns soon all the same, and the registration is made up for later. Call it before reading
    /// a backlog, and nothing falls between the two.
    async fn register(&self, accounts: &[AccountId]);

    /// Says that `accounts` have a connection less each at this node.
    async fn unregister(&self, accounts: &[AccountId]);

    /// Tells every node that has one of `recipients`. Never waits; events are sent in order.
    fn publish(&self, recipients: &[AccountId], event: BusEvent);

    /// How the bus is doing.
    fn health(&self) -> BusHealth;

    /// Withdraws this node's registrations and ends its connections.
    async fn close(&self);
}

/// What a node tells others.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
#[non_exhaustive]
pub enum BusEvent {
    /// A message was appended and is durable.
    #[n(0)]
    Message {
        /// Where.
        #[n(0)]
        conversation: ConversationId,
        /// At which place.
        #[n(1)]
        sequence: Sequence,
        /// The message, as the publisher encodes it; absent when it is too large to be sent along.
        #[n(2)]
        record: Option<Record>,
    },
    /// A membership log has grown.
    #[n(1)]
    Membership {
        /// Which.
        #[n(0)]
        conversation: ConversationId,
        /// The index of its last entry.
        #[n(1)]
        index: u64,
    },
    /// An account has another device list.
    #[n(2)]
    DevicesChanged {
        /// Whose.
        #[n(0)]
        account: AccountId,
        /// Its number.
        #[n(1)]
        number: u32,
    },
    /// A device has got or seen messages.
    #[n(3)]
    Receipt {
        /// The signed receipt.
        #[n(0)]
        receipt: SignedReceipt,
    },
    /// Somebody is typing, or no longer.
    #[n(4)]
    Typing {
        /// Where.
        #[n(0)]
        conversation: ConversationId,
        /// Who.
        #[n(1)]
        sender: DeviceAddress,
        /// Whether they are.
        #[n(2)]
        state: Typing,
    },
    /// A message is gone.
    #[n(5)]
    Deleted {
        /// Where it was.
        #[n(0)]
        conversation: ConversationId,
        /// At which place.
        #[n(1)]
        sequence: Sequence,
        /// Which.
        #[n(2)]
        message: MessageId,
        /// By whose word, if it was deleted.
        #[n(3)]
        deletion: Option<SignedDeletion>,
    },
    /// A device has connected anew; its older connections are to be closed.
    #[n(6)]
    Displace {
        /// Which device.
        #[n(0)]
        address: DeviceAddress,
        /// The connection that stays, as the node that holds it numbers it.
        #[n(1)]
        connection: u64,
        /// The node that holds it.
        #[n(2)]
        node: NodeId,
    },
    /// A device was removed from its account; its connections are to be closed.
    #[n(7)]
    DeviceRemoved {
        /// Which device.
        #[n(0)]
        address: DeviceAddress,
    },
    /// A device has logged out, or its tokens were revoked; its connections are to be closed.
    #[n(9)]
    SessionEnded {
        /// Which device.
        #[n(0)]
        address: DeviceAddress,
        /// Which log-in of it.
        #[n(1)]
        family: FamilyId,
    },
    /// An account may show another presence; what it is, the board says.
    #[n(20)]
    Presence {
        /// Whose.
        #[n(0)]
        account: AccountId,
    },
    /// A device has few one-time prekeys left.
    #[n(8)]
    PrekeysLow {
        /// Which device.
        #[n(0)]
        address: DeviceAddress,
        /// How many.
        #[n(1)]
        remaining: u32,
    },
    /// An account may not act any more; its connections are to be closed.
    #[n(21)]
    AccountEnded {
        /// Whose.
        #[n(0)]
        account: AccountId,
        /// Why.
        #[n(1)]
        why: AccountEnding,
    },
    /// An operator has changed in the database who may act; the connections of an account are to be
    /// looked at anew.
    #[n(23)]
    StandingChanged {
        /// Whose.
        #[n(0)]
        account: AccountId,
    },
    /// An account was deleted; whoever shares a conversation with it is told.
    #[n(22)]
    AccountDeleted {
        /// Whose.
        #[n(0)]
        account: AccountId,
    },
}

/// Why an account is cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(index_only)]
pub enum AccountEnding {
    /// An admin has suspended it.
    #[n(1)]
    Suspended,
    /// It was deleted.
    #[n(2)]
    Deleted,
}

/// Bytes that travel with an event; cloning shares them.
#[derive(Clone, Eq, PartialEq)]
pub struct Record(pub Bytes);

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes)", self.0.len())
    }
}

impl<C> Encode<C> for Record {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Record {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self(Bytes::copy_from_slice(d.bytes()?)))
    }
}

/// What a node finds in its inbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// Something for accounts that are connected here.
    Event {
        /// Those of the recipients that the publisher believed to be here.
        recipients: Arc<[AccountId]>,
        /// What happened.
        event: BusEvent,
    },
    /// Events may have been lost: look at the heads of the conversations.
    Missed,
}

/// How the bus is doing, as counts since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BusHealth {
    /// Whether the other nodes can be reached at the moment.
    pub connected: Connected,
    /// Events sent to nodes, one for each node.
    pub published: u64,
    /// Events that were given up.
    pub lost: u64,
    /// Events that came in.
    pub received: u64,
}

/// Whether the other nodes can be reached.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Connected {
    /// They can.
    Yes,
    /// They cannot; it is being tried again.
    #[default]
    No,
}

/// Where a node's notices arrive, in order. One that is not emptied fast enough loses events,
/// never memory.
#[derive(Debug)]
pub struct Inbox {
    notices: mpsc::Receiver<Notice>,
    signals: Arc<Signals>,
}

/// The other end of an [`Inbox`].
#[derive(Clone, Debug)]
struct Outlet {
    notices: mpsc::Sender<Notice>,
    signals: Arc<Signals>,
}

#[derive(Debug, Default)]
struct Signals {
    missed: AtomicBool,
    wake: Notify,
    received: AtomicU64,
}

fn inbox() -> (Outlet, Inbox) {
    let (sender, receiver) = mpsc::channel(INBOX_NOTICES_MAX);
    let signals = Arc::new(Signals::default());
    (Outlet { notices: sender, signals: signals.clone() }, Inbox { notices: receiver, signals })
}

impl Inbox {
    /// Waits for the next notice; `None` when the node's end of the bus was closed.
    ///
    /// May be dropped while it waits without losing anything.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            if self.signals.missed.swap(false, Ordering::SeqCst) {
                return Some(Notice::Missed);
            }
            tokio::select! {
                notice = self.notices.recv() => return notice,
                () = self.signals.wake.notified() => {}
            }
        }
    }
}

impl Outlet {
    /// Puts an event in, or notes that one was missed.
    fn put(&self, recipients: Arc<[AccountId]>, event: BusEvent) -> Put {
        match self.notices.try_send(Notice::Event { recipients, event }) {
            Ok(()) => {
                self.signals.received.fetch_add(1, Ordering::Relaxed);
                Put::Done
            }
            Err(_) => {
                self.miss();
                Put::Missed
            }
        }
    }

    /// How many events were put in.
    fn received(&self) -> u64 {
        self.signals.received.load(Ordering::Relaxed)
    }

    fn miss(&self) {
        self.signals.missed.store(true, Ordering::SeqCst);
        self.signals.wake.notify_one();
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Put {
    Done,
    Missed,
}
