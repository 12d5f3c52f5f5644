//! Frames: what client and relay say over a WebSocket.
//!
//! ```text
//!  client                                     relay
//!    │ authenticate ───────────────────────────▶ │     unless the upgrade carried a bearer token
//!    │ ◀────────────────────────────── connected │
//!    │ ◀───────────────────── deliver (backlog)  │     at most a window without acknowledgement
//!    │ ◀────────────────────────────── caught_up │
//!    │ send ───────────────────────────────────▶ │
//!    │ ◀─────────────────────── accepted, reject │     accepted: it is on disk
//!    │ acknowledge, receipt, typing, ping ─────▶ │
//!    │ presence, presence:follow ──────────────▶ │
//!    │ ◀ receipt, typing, presence, membership, devices_changed, prekeys_low, deleted, draining, pong
//! ```
//!
//! One frame is one WebSocket message: binary under the sub-protocol `sealwire.v1.cbor`, text under
//! `sealwire.v1.json`. A frame of an unknown kind is refused by name and the connection survives.
//! Normative: `docs/protocol/wire.md` §3.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::List;
use crate::deletion::SignedDeletion;
use crate::envelope::Envelope;
use crate::id::{AccountId, BlobId, ConversationId, DeviceAddress, MessageId, WorkspaceId};
use crate::limits::{BLOBS_A_MESSAGE_MAX, FOLLOWED_MAX, PRESENCES_A_FRAME_MAX};
use crate::presence::{Availability, Presence};
use crate::receipt::{Sequence, SignedReceipt};
use crate::reject::Reject;
use crate::time::Timestamp;

/// Where the WebSocket is, at a relay.
pub const SOCKET_PATH: &str = "/v1/socket";
/// The WebSocket sub-protocol of CBOR frames.
pub const SUBPROTOCOL_CBOR: &str = "sealwire.v1.cbor";
/// The WebSocket sub-protocol of JSON frames.
pub const SUBPROTOCOL_JSON: &str = "sealwire.v1.json";

/// What a client says.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum ClientFrame {
    /// Says who this is; the first frame where the upgrade could not.
    #[n(0)]
    #[serde(rename = "authenticate")]
    Authenticate {
        /// An access token.
        #[n(0)]
        token: String,
    },
    /// Sends a message.
    #[n(1)]
    #[serde(rename = "message:send")]
    Send {
        /// Repeated in the answer.
        #[n(0)]
        request: u32,
        /// The sealed message, with everybody's wraps.
        #[n(1)]
        envelope: Envelope,
        /// The blobs that are to live as long as the message does.
        #[n(2)]
        #[serde(skip_serializing_if = "Option::is_none", default)]
        blobs: Option<List<BlobId, BLOBS_A_MESSAGE_MAX>>,
    },
    /// Says that everything up to a sequence is safely stored on this device.
    #[n(2)]
    #[serde(rename = "message:acknowledge")]
    Acknowledge {
        /// In which conversation.
        #[n(0)]
        conversation: ConversationId,
        /// Up to which message.
        #[n(1)]
        up_to: Sequence,
    },
    /// Tells senders how far this device has got.
    #[n(3)]
    #[serde(rename = "message:receipt")]
    Receipt {
        /// The signed receipt.
        #[n(0)]
        receipt: SignedReceipt,
    },
    /// Somebody is typing, or no longer.
    #[n(4)]
    #[serde(rename = "typing")]
    Typing {
        /// Where.
        #[n(0)]
        conversation: ConversationId,
        /// Whether they are.
        #[n(1)]
        state: Typing,
    },
    /// Asks whether the relay is there.
    #[n(5)]
    #[serde(rename = "ping")]
    Ping {
        /// Repeated in the answer.
        #[n(0)]
        request: u32,
    },
    /// Says how available this device's owner is.
    #[n(6)]
    #[serde(rename = "presence")]
    Presence {
        /// Where; everywhere, and in place of what was said before, if this is absent.
        #[n(0)]
        #[serde(skip_serializing_if = "Option::is_none", default)]
        workspace: Option<WorkspaceId>,
        /// How available.
        #[n(1)]
        availability: Availability,
    },
    /// Asks to be told about the presence of accounts, in place of those followed before.
    #[n(7)]
    #[serde(rename = "presence:follow")]
    FollowPresence {
        /// In which workspace.
        #[n(0)]
        workspace: WorkspaceId,
        /// Whose; none, to be told no more.
        #[n(1)]
        accounts: List<AccountId, FOLLOWED_MAX>,
    },
}

/// What a relay says.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum RelayFrame {
    /// The client is known now.
    #[n(0)]
    #[serde(rename = "connected")]
    Connected {
        /// Who the relay takes it for.
        #[n(0)]
        address: DeviceAddress,
        /// Changes when the relay was restored from a backup; a client then starts its cursors anew.
        #[n(1)]
        epoch: u64,
        /// The relay's clock.
        #[n(2)]
        now: Timestamp,
    },
    /// The message is durable.
    #[n(1)]
    #[serde(rename = "message:accepted")]
    Accepted {
        /// The number the client gave.
        #[n(0)]
        request: u32,
        /// Where it stands in its conversation; the first place, if it was sent before.
        #[n(1)]
        sequence: Sequence,
        /// When the relay accepted it.
        #[n(2)]
        at: Timestamp,
    },
    /// A message for this device.
    #[n(2)]
    #[serde(rename = "message:new")]
    Deliver {
        /// Its place in its conversation.
        #[n(0)]
        sequence: Sequence,
        /// When the relay accepted it.
        #[n(1)]
        at: Timestamp,
        /// The message, with this recipient's wrap only.
        #[n(2)]
        envelope: Envelope,
    },
    /// A message is gone: deleted, or its timer ended.
    #[n(3)]
    #[serde(rename = "message:deleted")]
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
        #[serde(skip_serializing_if = "Option::is_none", default)]
        deletion: Option<SignedDeletion>,
    },
    /// Everything that waited for this device has been sent.
    #[n(4)]
    #[serde(rename = "caught_up")]
    CaughtUp,
    /// Somebody's receipt.
    #[n(5)]
    #[serde(rename = "message:receipt")]
    Receipt {
        /// The signed receipt.
        #[n(0)]
        receipt: SignedReceipt,
    },
    /// Somebody is typing, or no longer.
    #[n(6)]
    #[serde(rename = "typing")]
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
    /// A membership log has grown, or this account was added to one.
    #[n(7)]
    #[serde(rename = "membership")]
    Membership {
        /// Which.
        #[n(0)]
        conversation: ConversationId,
        /// The index of its last entry.
        #[n(1)]
        index: u64,
    },
    /// An account that shares a conversation has another device list.
    #[n(8)]
    #[serde(rename = "devices_changed")]
    DevicesChanged {
        /// Whose.
        #[n(0)]
        account: AccountId,
        /// Its number.
        #[n(1)]
        number: u32,
    },
    /// This device should upload a new prekey set.
    #[n(9)]
    #[serde(rename = "prekeys_low")]
    PrekeysLow {
        /// How many one-time prekeys are left.
        #[n(0)]
        remaining: u32,
    },
    /// The relay is about to leave.
    #[n(10)]
    #[serde(rename = "draining")]
    Draining {
        /// When to come back.
        #[n(0)]
        return_after_ms: u64,
    },
    /// A refusal.
    #[n(11)]
    #[serde(rename = "reject")]
    Reject {
        /// The number the client gave, if it got as far as that.
        #[n(0)]
        request: Option<u32>,
        /// Why.
        #[n(1)]
        reject: Reject,
    },
    /// The relay is there.
    #[n(12)]
    #[serde(rename = "pong")]
    Pong {
        /// The number the client gave.
        #[n(0)]
        request: u32,
    },
    /// The presence of accounts that this device follows.
    #[n(13)]
    #[serde(rename = "presence")]
    Presence {
        /// What has changed.
        #[n(0)]
        presences: List<Presence, PRESENCES_A_FRAME_MAX>,
    },
    /// An account that shares a conversation was deleted.
    #[n(14)]
    #[serde(rename = "account_deleted")]
    AccountDeleted {
        /// Whose.
        #[n(0)]
        account: AccountId,
    },
}

/// Whether somebody is typing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Typing {
    /// They are.
    #[n(1)]
    Started,
    /// No longer.
    #[n(2)]
    Stopped,
}
