//! Conversations: membership logs, history, receipts.

use serde::{Deserialize, Serialize};

use crate::codec::{Digest, List};
use crate::deletion::SignedDeletion;
use crate::envelope::{Envelope, Wrap};
use crate::id::{ConversationId, MessageId};
use crate::limits::PAGE_MAX;
use crate::membership::SignedEntry;
use crate::receipt::{Sequence, SignedReceipt};
use crate::time::Timestamp;

/// `POST /v1/conversations` and `POST /v1/conversations/{id}/membership`: an entry to append.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppendEntry {
    /// The signed entry.
    pub entry: SignedEntry,
}

/// The answer: where the log stands now.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembershipHead {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The index of the last entry.
    pub index: u64,
    /// Its digest.
    pub head: Digest,
}

/// `GET /v1/conversations?after={id}`: the caller's conversations, in the order of their ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationPage {
    /// At most [`PAGE_MAX`].
    pub conversations: List<ConversationSummary, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// What the relay knows of a conversation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationSummary {
    /// Which.
    pub conversation: ConversationId,
    /// The index of its last membership entry.
    pub index: u64,
    /// The sequence of its last message.
    pub last: Sequence,
    /// What the caller's device acknowledged.
    pub cursor: Sequence,
}

/// `GET /v1/conversations/{id}/membership?from={index}`: entries from an index on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembershipPage {
    /// At most [`PAGE_MAX`], in order.
    pub entries: List<SignedEntry, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// `GET /v1/conversations/{id}/messages?after={sequence}`: history, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessagePage {
    /// At most [`PAGE_MAX`], in order.
    pub messages: List<StoredMessage, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// A place in a conversation's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoredMessage {
    /// The place.
    pub sequence: Sequence,
    /// When the relay accepted it.
    pub at: Timestamp,
    /// Which message.
    pub message: MessageId,
    /// The message with the caller's wrap; absent when it is gone.
    pub envelope: Option<Envelope>,
    /// By whose word it is gone, if it was deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deletion: Option<SignedDeletion>,
}

/// `POST /v1/conversations/{id}/deletions`: a message that is to be gone for everybody.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteMessage {
    /// The signed deletion.
    pub deletion: SignedDeletion,
}

/// `POST /v1/conversations/{id}/wraps`: the past, wrapped for a member who came later.
///
/// Normative: `docs/protocol/envelope.md` §8.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddWraps {
    /// At most [`PAGE_MAX`].
    pub wraps: List<AddedWrap, PAGE_MAX>,
}

/// One more wrap of a message that was accepted before.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedWrap {
    /// The place of the message.
    pub sequence: Sequence,
    /// Its secret, for an account.
    pub wrap: Wrap,
}

/// The answer.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WrapsAdded {
    /// How many were news: not those of a message that is gone, or that the account can open.
    pub added: u64,
}

/// `GET /v1/conversations/{id}/receipts`: each device's furthest, one of a kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipts {
    /// In no particular order.
    pub receipts: Vec<SignedReceipt>,
}
