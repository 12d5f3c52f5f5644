//! Membership: a hash-chained log of signed entries, checked alike by the relay and by everybody.
//!
//! ```text
//!  create ◀─hash─ add ◀─hash─ set role ◀─hash─ remove          each signed by a member's device
//!    │                                           │
//!    └─ SHA-256 begins the conversation's id     └─ the head that message headers name
//! ```
//!
//! The relay refuses an entry that does not verify; a device refuses it when the relay did not.
//! Names, topics and icons are absent: they are sealed content. Normative:
//! `docs/protocol/membership.md`.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, Digest, List};
use crate::device::AccountDevices;
use crate::envelope::{Expiry, WrapScheme};
use crate::id::{AccountId, ConversationId, DeviceAddress, WorkspaceId};
use crate::label::{self, Label};
use crate::limits::{CHANNEL_MEMBERS_MAX, EXPIRY_MAX, GROUP_MEMBERS_MAX, MEMBERS_AN_ENTRY_MAX};
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// The version entries are written in.
pub const VERSION: u8 = 1;

/// What a conversation is.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
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

/// The rules of a conversation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
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
}

impl Policy {
    /// Everybody posts, admins add, wraps by ratchet, nothing expires.
    pub const DEFAULT: Self = Self {
        post: Allowed::Members,
        add: Allowed::Admins,
        rename: Allowed::Members,
        scheme: WrapScheme::Ratchet,
        timer: None,
    };
}

/// A member as an entry names them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
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
}

/// A link of the log.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct MembershipEntry {
    /// [`VERSION`].
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

/// Why an entry does not continue a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// It names another entry, or place, than the head; somebody else was first.
    #[error("the entry does not continue the head of the log; catch up and try again")]
    Stale,
    /// It belongs to another conversation, or its version is unknown.
    #[error("the entry does not belong to this log")]
    Misplaced,
    /// Its author was not a member, or may not do this.
    #[error("the author of the entry is not allowed to do this")]
    NotAllowed,
    /// It adds a member twice, removes nobody, or leaves nobody to decide.
    #[error("the entry makes no sense for the members there are")]
    Senseless,
    /// There would be too many members.
    #[error("the conversation would have too many members")]
    TooMany,
}

/// A conversation's members and rules, as its log says.
///
/// Its encoding is for the own store of whoever verified the log; it proves nothing to others.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Membership {
    #[n(0)]
    id: ConversationId,
    #[n(1)]
    workspace: WorkspaceId,
    #[n(2)]
    kind: ConversationKind,
    #[n(3)]
    document: Option<String>,
    #[n(4)]
    members: BTreeMap<AccountId, Role>,
    #[n(5)]
    policy: Policy,
    #[n(6)]
    index: u64,
    #[n(7)]
    head: Digest,
    #[n(8)]
    at: Timestamp,
}

impl Membership {
    /// Begins with a creation entry.
    ///
    /// # Errors
    ///
    /// [`MembershipError`]; [`MembershipError::Misplaced`] if it is no creation entry.
    pub fn create(entry: &Verified<MembershipEntry>) -> Result<Self, MembershipError> {
        let Change::Create { kind, workspace, members, policy, document, .. } = &entry.change
        else {
            return Err(MembershipError::Misplaced);
        };
        let is_first = entry.index == 0
            && entry.previous == Digest::ZERO
            && entry.conversation.is_none()
            && entry.version == VERSION;
        if !is_first {
            return Err(MembershipError::Misplaced);
        }
        if document.is_some() != (*kind == ConversationKind::Document)
            || document.as_ref().is_some_and(|id| id.is_empty() || id.len() > 256)
        {
            return Err(MembershipError::Senseless);
        }
        let mut membership = Self {
            id: ConversationId::of_creation(entry.source().signed_bytes()),
            workspace: *workspace,
            kind: *kind,
            document: document.clone(),
            members: BTreeMap::new(),
            policy: checked(*policy)?,
            index: 0,
            head: entry.digest(),
            at: entry.at,
        };
        membership.insert(members)?;
        let author = membership.members.get(&entry.author.account);
        let complete = *kind != ConversationKind::Direct || membership.members.len() == 2;
        if author != Some(&Role::Admin) || !complete {
            return Err(MembershipError::Senseless);
        }
        Ok(membership)
    }

    /// Continues with the next entry, or leaves everything as it is.
    ///
    /// # Errors
    ///
    /// [`MembershipError`], the first rule that the entry breaks.
    pub fn apply(&mut self, entry: &Verified<MembershipEntry>) -> Result<(), MembershipError> {
        if entry.conversation != Some(self.id) || entry.version != VERSION {
            return Err(MembershipError::Misplaced);
        }
        if Some(entry.index) != self.index.checked_add(1)
            || entry.previous != self.head
            || entry.at < self.at
        {
            return Err(MembershipError::Stale);
        }
        let mut next = self.clone();
        next.change(entry.author.account, &entry.change)?;
        next.index = entry.index;
        next.head = entry.digest();
        next.at = entry.at;
        *self = next;
        Ok(())
    }

    fn change(&mut self, author: AccountId, change: &Change) -> Result<(), MembershipError> {
        let role = self.role(author).ok_or(MembershipError::NotAllowed)?;
        let allow = |allowed: bool| allowed.then_some(()).ok_or(MembershipError::NotAllowed);
        let is_admin = role == Role::Admin;
        let is_open = self.kind != ConversationKind::Direct;
        match change {
            Change::Create { .. } => return Err(MembershipError::Misplaced),
            Change::Add { members } => {
                let grants_admin = members.iter().any(|member| member.role == Role::Admin);
                allow(is_open && self.policy.add.allows(role) && (is_admin || !grants_admin))?;
                if members.is_empty() {
                    return Err(MembershipError::Senseless);
                }
                self.insert(members)?;
            }
            Change::Remove { account } => {
                allow(is_open && is_admin)?;
                self.members.remove(account).ok_or(MembershipError::Senseless)?;
            }
            Change::Leave => {
                allow(is_open)?;
                self.members.remove(&author);
            }
            Change::SetRole { account, role } => {
                allow(is_open && is_admin)?;
                *self.members.get_mut(account).ok_or(MembershipError::Senseless)? = *role;
            }
            Change::SetPolicy { policy } => {
                allow(is_admin)?;
                self.policy = checked(*policy)?;
            }
        }
        self.check_somebody_decides()
    }

    fn insert(&mut self, members: &[Member]) -> Result<(), MembershipError> {
        for member in members {
            if self.members.insert(member.account, member.role).is_some() {
                return Err(MembershipError::Senseless);
            }
        }
        if self.members.len() > self.kind.members_max() {
            return Err(MembershipError::TooMany);
        }
        Ok(())
    }

    /// Nobody is left, or somebody is an admin.
    fn check_somebody_decides(&self) -> Result<(), MembershipError> {
        let somebody = self.members.is_empty() || self.members.values().any(|r| *r == Role::Admin);
        somebody.then_some(()).ok_or(MembershipError::Senseless)
    }

    /// The conversation.
    #[must_use]
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// Where it is.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ConversationKind {
        self.kind
    }

    /// The document it is attached to.
    #[must_use]
    pub fn document(&self) -> Option<&str> {
        self.document.as_deref()
    }

    /// Its rules.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The index of its last entry.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The digest of its last entry.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The time of its last entry; the next may not be earlier.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Its members.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member> {
        self.members.iter().map(|(account, role)| Member { account: *account, role: *role })
    }

    /// The role of `account`, if it is a member.
    #[must_use]
    pub fn role(&self, account: AccountId) -> Option<Role> {
        self.members.get(&account).copied()
    }

    /// Tells whether `account` may send messages.
    #[must_use]
    pub fn may_post(&self, account: AccountId) -> bool {
        self.role(account).is_some_and(|role| self.policy.post.allows(role))
    }

    /// The entry that would come next.
    #[must_use]
    pub fn next_entry(
        &self,
        author: DeviceAddress,
        change: Change,
        now: Timestamp,
    ) -> MembershipEntry {
        MembershipEntry {
            version: VERSION,
            conversation: Some(self.id),
            index: self.index.saturating_add(1),
            previous: self.head,
            author,
            at: now.max(self.at),
            change,
        }
    }
}

fn checked(policy: Policy) -> Result<Policy, MembershipError> {
    let within = |timer: Expiry| u128::from(timer.after_ms) <= EXPIRY_MAX.as_millis();
    policy.timer.is_none_or(within).then_some(policy).ok_or(MembershipError::Senseless)
}

#[cfg(test)]
mod tests;
