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

mod entry;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::codec::Digest;
use crate::envelope::{Expiry, WrapScheme};
use crate::id::{AccountId, ConversationId, DeviceAddress, WorkspaceId};
use crate::limits::EXPIRY_MAX;
use crate::signed::Verified;
use crate::time::Timestamp;

pub use entry::{
    Allowed, Change, ConversationKind, Departed, History, Joining, Member, MembershipEntry, Policy,
    Role, SignedEntry,
};

/// The version entries are written in.
pub const VERSION: u8 = 1;

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
            policy: checked(*kind, *policy)?,
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
        if *change == Change::Join {
            return self.join(author);
        }
        let role = self.role(author).ok_or(MembershipError::NotAllowed)?;
        let allow = |allowed: bool| allowed.then_some(()).ok_or(MembershipError::NotAllowed);
        let is_admin = role == Role::Admin;
        let is_open = self.kind != ConversationKind::Direct;
        match change {
            Change::Create { .. } | Change::Join => return Err(MembershipError::Misplaced),
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
                self.policy = checked(self.kind, *policy)?;
            }
        }
        self.check_somebody_decides()
    }

    /// Whether the author belongs to the workspace is the relay's to know; that the policy lets the
    /// workspace join is everybody's.
    fn join(&mut self, author: AccountId) -> Result<(), MembershipError> {
        if self.policy.join != Joining::Workspace || self.members.is_empty() {
            return Err(MembershipError::NotAllowed);
        }
        self.insert(&[Member { account: author, role: Role::Member }])
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

    /// Tells whether `account`, which belongs to its workspace and is no guest there, may join.
    #[must_use]
    pub fn may_join(&self, account: AccountId) -> bool {
        self.clone().join(account).is_ok()
    }

    /// Tells whether `account` may send messages.
    #[must_use]
    pub fn may_post(&self, account: AccountId) -> bool {
        self.role(account).is_some_and(|role| self.policy.post.allows(role))
    }

    /// Tells whether `account` may wrap what was said before for members who came later: who may let
    /// them in may give them the past, where the rules let them read it.
    #[must_use]
    pub fn may_give_history(&self, account: AccountId) -> bool {
        let may_add = self.role(account).is_some_and(|role| self.policy.add.allows(role));
        may_add && self.policy.history == History::FromBeginning
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

fn checked(kind: ConversationKind, policy: Policy) -> Result<Policy, MembershipError> {
    let within = |timer: Expiry| u128::from(timer.after_ms) <= EXPIRY_MAX.as_millis();
    // Chains stand in for sessions; they are no policy of their own.
    let is_policy = policy.scheme != WrapScheme::SenderChain;
    let stays_closed = policy.join == Joining::Added && policy.history == History::FromJoining;
    let can_be_read = policy.history == History::FromJoining || !policy.scheme.is_per_device();
    (is_policy
        && policy.timer.is_none_or(within)
        && (kind.is_shared() || stays_closed)
        && can_be_read)
        .then_some(policy)
        .ok_or(MembershipError::Senseless)
}

#[cfg(test)]
mod tests;
