//! What goes into the store and comes out of it, where chat-core has no type for it already.

use std::fmt;

use chat_core::api::account::Keyring;
use chat_core::device::AccountDevices;
use chat_core::envelope::{Envelope, EnvelopeKeys, Header};
use chat_core::id::{AccountId, BlobId, ConversationId, DeviceAddress, DeviceId, MessageId};
use chat_core::membership::Membership;
use chat_core::prekey::{OneTimePrekey, PrekeySet};
use chat_core::receipt::Sequence;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};

use super::workspaces::Joins;
use crate::audit::Anchor;

/// A registration: everything an account begins with, stored at once or not at all.
#[derive(Clone)]
pub struct NewAccount {
    /// Unique without regard to case; already checked by `limits::is_username`.
    pub username: String,
    /// The serialised OPAQUE record.
    pub opaque_record: Vec<u8>,
    /// Which workspace it joins, and as what.
    pub joins: Joins,
    /// Its identity key and first device list; says which account this is.
    pub devices: AccountDevices,
    /// Its first envelope keys.
    pub envelope_keys: Verified<EnvelopeKeys>,
    /// Its first device's prekeys.
    pub prekeys: NewPrekeys,
    /// Its sealed keyring.
    pub keyring: Keyring,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("account", &self.devices.account())
            .finish_non_exhaustive()
    }
}

/// An upload of prekeys: what `PrekeyUpload::verify` returns.
#[derive(Clone, Debug)]
pub struct NewPrekeys {
    /// The signed set; says whose prekeys these are.
    pub set: Verified<PrekeySet>,
    /// Its one-time prekeys.
    pub one_time: Vec<OneTimePrekey>,
}

/// What a log-in by password needs.
#[derive(Clone, Eq, PartialEq)]
pub struct LoginRecord {
    /// Whose it is.
    pub account: AccountId,
    /// The username as it was registered.
    pub username: String,
    /// The serialised OPAQUE record.
    pub opaque_record: Vec<u8>,
}

impl fmt::Debug for LoginRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRecord").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Whether a device may act.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DeviceState {
    /// It is listed and was not removed.
    Active,
    /// It was removed from its account.
    Removed,
    /// No such account, or no such device of it.
    Unknown,
}

/// The devices of an account that were not removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveDevices {
    /// Whose.
    pub account: AccountId,
    /// The number of its device list.
    pub number: u32,
    /// In the order of their ids.
    pub devices: Vec<DeviceId>,
    /// Whether the account was deleted: then nothing is wrapped for it.
    pub is_deleted: bool,
}

/// What a new device list changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DevicesReplaced {
    /// Devices that were not listed before.
    pub added: Vec<DeviceId>,
    /// Devices that were active before and no longer are.
    pub removed: Vec<DeviceId>,
}

/// What a piece of single-use state is for; state of one kind is not taken as another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PendingKind {
    /// The server's half of an OPAQUE log-in.
    Login,
    /// The nonce of a device log-in.
    Challenge,
    /// The nonce of a log-in by recovery phrase.
    Recovery,
    /// A ticket for a WebSocket whose upgrade cannot carry a header.
    Ticket,
}

/// The refresh tokens that follow from one log-in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode)]
#[cbor(transparent)]
pub struct FamilyId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

impl FamilyId {
    /// Takes sixteen random bytes.
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

/// A device, and the log-in that it speaks from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Session {
    /// Which device.
    pub address: DeviceAddress,
    /// Its refresh tokens.
    pub family: FamilyId,
}

/// Whether a session may act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SessionState {
    /// It may.
    Active,
    /// The device has logged out, or its tokens were revoked.
    Ended,
    /// An admin has suspended the account.
    Suspended,
    /// The device was removed from its account.
    Removed,
    /// There is no such device.
    Unknown,
}

/// What became of a refresh token that somebody wanted to spend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefreshOutcome {
    /// It is spent, and its successor is valid.
    Spent {
        /// Whose token it was.
        address: DeviceAddress,
        /// Its family, which the successor belongs to.
        family: FamilyId,
    },
    /// It was spent for the same successor a moment ago, and the successor was not spent since: a
    /// lost answer, or a thief who is quick. Nothing has changed.
    Repeated {
        /// Whose token it was.
        address: DeviceAddress,
        /// Its family.
        family: FamilyId,
    },
    /// It had been spent before; its whole family is revoked now.
    Replayed {
        /// Whose token it was.
        address: DeviceAddress,
        /// The revoked family.
        family: FamilyId,
    },
    /// It ran out, or its family was revoked.
    Expired,
    /// There is no such token.
    Unknown,
}

/// Where the audit log begins and ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditEnds {
    /// The last entry that is gone because it was old.
    pub before_first: Anchor,
    /// The last entry.
    pub last: Anchor,
}

/// A conversation as the relay checks against it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conversation {
    /// Its members, rules and head.
    pub membership: Membership,
    /// The sequence of its last message; zero before the first.
    pub last: Sequence,
}

/// A message to be appended.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// What `envelope.read_header()` returned.
    pub header: Header,
    /// The message with everybody's wraps.
    pub envelope: Envelope,
    /// The blobs that are kept as long as it is.
    pub blobs: Vec<BlobId>,
}

/// Where an appended message stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Its place; its first place, if it was sent before.
    pub sequence: Sequence,
    /// When it was first accepted.
    pub at: Timestamp,
    /// Whether it was there before this call.
    pub freshness: Freshness,
}

/// Whether a message is new to its conversation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Freshness {
    /// It was stored by this call and is to be delivered.
    New,
    /// A resend: it was stored before.
    Duplicate,
}

/// Why one message of a batch was not appended; the others were.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// There is no such conversation.
    #[error("there is no such conversation")]
    NotFound,
    /// The header names a membership entry that is not the head.
    #[error("the membership has changed since the message was sealed")]
    StaleMembership,
    /// A blob that it names is not there, not complete, or of another workspace.
    #[error("the message names a blob that is not there")]
    BlobMissing,
    /// Another device sent a message of this id.
    #[error("the message id belongs to another sender's message")]
    Conflict,
}

/// What a device has got to in one conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acknowledgement {
    /// Which device.
    pub address: DeviceAddress,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Everything up to here is safely stored on the device.
    pub up_to: Sequence,
}

/// A conversation with messages that a device has not acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backlog {
    /// For which device.
    pub address: DeviceAddress,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Read after this sequence.
    pub cursor: Sequence,
    /// The last sequence that the device's account may read.
    pub last: Sequence,
}

/// What a receipt changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ReceiptOutcome {
    /// It goes further than what was known and is worth telling others.
    Advanced,
    /// As much was known already.
    Known,
}

/// A message whose timer ended: only its place and its id are left.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Expired {
    /// Where it was.
    pub conversation: ConversationId,
    /// At which place.
    pub sequence: Sequence,
    /// Which.
    pub message: MessageId,
}
