//! One entry of a membership log: what it says, and how it travels.
//!
//! Whether it may stand where it claims to stand is decided by [`Membership`](super::Membership).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, Digest, List};
use crate::device::AccountDevices;
use crate::envelope::{Expiry, WrapScheme};
use crate::id::{AccountId, ConversationId, DeviceAddress, WorkspaceId};
use crate::label::{self, Label};
use crate::limits::{CHANNEL_MEMBERS_MAX, GROUP_MEMBERS_MAX, MEMBERS_AN_ENTRY_MAX};
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// What a conversation is.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Two people; nobody joins, nobody is removed.
    #[n(1)]
    Direct,
    /// A closed circle.
    #[n(2)]
    Group,
    /// Workspace-wide, with history for those who join.
    #[n(3)]
    Channel,
    /// Attached to a document.
    #[n(4)]
    Document,
}

impl ConversationKind {
    /// Whether it is found by those who are not in it, joined by them, and read from its beginning,
    /// as far as its policy says.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Channel | Self::Document)
    }

    /// Most members a conversation of this kind may have.
    #[must_use]
    pub const fn members_max(self) -> usize {
        match self {
            Self::Direct => 2,
            Self::Group => GROUP_MEMBERS_MAX,
            Self::Channel | Self::Document => CHANNEL_MEMBERS_MAX,
        }
    }
}

/// What a member may do.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes part.
    #[n(1)]
    Member,
    /// Also decides who else does.
    #[n(2)]
    Admin,
}

/// Whom the policy allows something.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// Every member.
    #[n(1)]
    Members,
    /// Admins only.
    #[n(2)]
    Admins,
}

impl Allowed {
    /// Tells whether somebody with `role` is allowed.
    #[must_use]
    pub fn allows(self, role: Role) -> bool {
        self == Self::Members || role == Role::Admin
    }
}

/// How somebody becomes a member.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Joining {
    /// Somebody who may adds them.
    #[default]
    #[n(1)]
    Added,
    /// Or they join by themselves: whoever is in the workspace, and no guest there.
    #[n(2)]
    Workspace,
}

/// From where on a new member may read.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// From the message after they came.
    #[default]
    #[n(1)]
    FromJoining,
    /// From the first message.
    #[n(2)]
    FromBeginning,
}

/// What becomes of somebody's messages when their account is deleted.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Departed {
    /// They stay.
    #[default]
    #[n(1)]
    Keep,
    /// The relay erases them, as if their timers had ended.
    #[n(2)]
    Erase,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The rules of a conversation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Policy {
    /// Who may send messages.
    #[n(0)]
    pub post: Allowed,
    /// Who may add members.
    #[n(1)]
    pub add: Allowed,
    /// Who may change name, topic and icon.
    #[n(2)]
    pub rename: Allowed,
    /// How messages are wrapped; there is no negotiation and no silent fall back.
    #[n(3)]
    pub scheme: WrapScheme,
    /// The timer of messages that name none.
    #[n(4)]
    pub timer: Option<Expiry>,
    /// Who may delete messages of others, for everybody; nobody, if this is absent.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delete: Option<Allowed>,
    /// How somebody becomes a member; other than the default only for channels and documents.
    #[n(6)]
    #[cbor(skip_if = "is_default")]
    #[serde(default, skip_serializing_if = "is_default")]
    pub join: Joining,
    /// From where on a new member may read; other than the default only for channels and
    /// documents, and only where wraps are for accounts: no other wrap can be made for them later.
    #[n(7)]
    #[cbor(skip_if = "is_default")]
    #[serde(default, skip_serializing_if = "is_default")]
    pub history: History,
    /// What becomes of the messages of an account that is deleted.
    #[n(8)]
    #[cbor(skip_if = "is_default")]
    #[serde(default, skip_serializing_if = "is_default")]
    pub departed: Departed,
}

impl Policy {
    /// Everybody posts, admins add, wraps by ratchet, nothing expires.
    pub const DEFAULT: Self = Self {
        post: Allowed::Members,
        add: Allowed::Admins,
        rename: Allowed::Members,
        scheme: WrapScheme::Ratchet,
        timer: None,
        delete: None,
        join: Joining::Added,
        history: History::FromJoining,
        departed: Departed::Keep,
    };

    /// What channels begin with: whoever is in the workspace joins and reads from the beginning, by
    /// wraps for accounts.
    pub const CHANNEL: Self = Self {
        scheme: WrapScheme::HpkeXwing,
        join: Joining::Workspace,
        history: History::FromBeginning,
        ..Self::DEFAULT
    };

    /// What conversations about a document begin with: members add members, and all read from the
    /// beginning.
    pub const DOCUMENT: Self = Self {
        add: Allowed::Members,
        scheme: WrapScheme::HpkeXwing,
        history: History::FromBeginning,
        ..Self::DEFAULT
    };
}

/// A member as an entry names them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Member {
    /// Who.
    #[n(0)]
    pub account: AccountId,
    /// With which role.
    #[n(1)]
    pub role: Role,
}

/// What an entry changes.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The first entry: the conversation begins.
    #[n(1)]
    Create {
        /// What it is.
        #[n(0)]
        kind: ConversationKind,
        /// Where it is.
        #[n(1)]
        workspace: WorkspaceId,
        /// Its first members, the author among them.
        #[n(2)]
        members: List<Member, MEMBERS_AN_ENTRY_MAX>,
        /// Its rules.
        #[n(3)]
        policy: Policy,
        /// Sixteen random bytes, so that no two conversations begin alike.
        #[n(4)]
        nonce: Bytes<16>,
        /// The document it is attached to, for [`ConversationKind::Document`].
        #[n(5)]
        document: Option<String>,
    },
    /// New members.
    #[n(2)]
    Add {
        /// Who joins.
        #[n(0)]
        members: List<Member, MEMBERS_AN_ENTRY_MAX>,
    },
    /// Somebody is removed, by an admin.
    #[n(3)]
    Remove {
        /// Who goes.
        #[n(0)]
        account: AccountId,
    },
    /// The author goes.
    #[n(4)]
    Leave,
    /// Somebody's role changes, by an admin.
    #[n(5)]
    SetRole {
        /// Whose.
        #[n(0)]
        account: AccountId,
        /// To what.
        #[n(1)]
        role: Role,
    },
    /// The rules change, by an admin.
    #[n(6)]
    SetPolicy {
        /// To what.
        #[n(0)]
        policy: Policy,
    },
    /// The author becomes a member, where the policy lets the workspace join.
    #[n(7)]
    Join,
}

/// A link of the log.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct MembershipEntry {
    /// [`VERSION`](super::VERSION).
    #[n(0)]
    pub version: u8,
    /// In which log; absent in the first entry, whose hash decides it.
    #[n(1)]
    pub conversation: Option<ConversationId>,
    /// Its place: 0 for the first.
    #[n(2)]
    pub index: u64,
    /// The digest of the entry before; [`Digest::ZERO`] for the first.
    #[n(3)]
    pub previous: Digest,
    /// Whose decision it was, signed on which device.
    #[n(4)]
    pub author: DeviceAddress,
    /// When, by the author's clock; never before the entry before.
    #[n(5)]
    pub at: Timestamp,
    /// What changes.
    #[n(6)]
    pub change: Change,
}

impl Signable for MembershipEntry {
    const LABEL: Label = label::MEMBERSHIP_ENTRY;
}

/// An entry as it travels: beside it, who is to be asked for the key.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct SignedEntry {
    /// Who signed it, as they say.
    #[n(0)]
    pub signer: DeviceAddress,
    /// The entry.
    #[n(1)]
    pub entry: Unverified<MembershipEntry>,
}

impl SignedEntry {
    /// Checks the signature with the key that `devices`, the signer's own, holds for the device.
    ///
    /// A device that was removed still counts for what it signed before.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`], or [`VerifyError::Misplaced`] for an unknown device, a device that
    /// was removed before the entry's time, or an entry that names another author.
    pub fn verify(
        self,
        devices: &AccountDevices,
    ) -> Result<Verified<MembershipEntry>, VerifyError> {
        let misplaced = VerifyError::Misplaced;
        if devices.account() != self.signer.account {
            return Err(misplaced);
        }
        let certificate =
            devices.device_at(self.signer.device, Timestamp::default()).ok_or(misplaced)?;
        let entry = self.entry.verify(&certificate.key)?;
        let in_time = devices.device_at(self.signer.device, entry.at).is_some();
        if entry.author != self.signer || !in_time {
            return Err(misplaced);
        }
        Ok(entry)
    }
}
