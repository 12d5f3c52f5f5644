//! Names of keys and channels, and what travels in a channel.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::AccountId;
use minicbor::{Decode, Encode};

use super::super::{BusEvent, INLINE_BYTES_MAX, NodeId};

/// Over how many groups the channels are spread; each group stays together in a cluster.
const GROUPS: u32 = 256;

/// The names this node uses.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    pub(super) node: NodeId,
}

impl Names {
    pub(super) fn new(prefix: &str, node: NodeId) -> Self {
        Self { prefix: prefix.to_owned(), node }
    }

    /// The sorted set of the nodes that have `account`; scores say until when, in Redis' own time.
    pub(super) fn account(&self, account: AccountId) -> String {
        format!("{}a:{account}", self.prefix)
    }

    /// The channel of a node.
    pub(super) fn channel(&self, node: NodeId) -> String {
        let hash = chat_core::codec::Digest::of(node.as_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        let group = u32::from_be_bytes([a, b, c, d]) % GROUPS;
        format!("{}{{p{group}}}n:{node}", self.prefix)
    }

    /// The channel of all nodes: who hears anything there may have missed something.
    pub(super) fn everybody(&self) -> String {
        format!("{}{{p0}}all", self.prefix)
    }

    /// A key that is gone when Redis has forgotten what it knew.
    pub(super) fn mark(&self) -> String {
        format!("{}m:{}", self.prefix, self.node)
    }
}

/// An event on its way to one node.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct Packet {
    /// Those of the recipients that the directory has at that node.
    #[n(0)]
    pub(super) recipients: Vec<AccountId>,
    #[n(1)]
    pub(super) event: BusEvent,
}

impl Packet {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        from_bytes(bytes).ok()
    }
}

/// The event as it travels: what is too large to be sent to every node is left in the database.
pub(super) fn trimmed(mut event: BusEvent) -> BusEvent {
    if let BusEvent::Message { record, .. } = &mut event
        && record.as_ref().is_some_and(|record| record.0.len() > INLINE_BYTES_MAX)
    {
        *record = None;
    }
    event
}
