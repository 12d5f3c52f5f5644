//! The circle: who is connected to this node, whom they follow, and what they were told.
//!
//! ```text
//!  connected ─▶ silent ──says so, or after 3 s──▶ available ─▶ lingering ──15 s──▶ gone
//!                  ▲                                 ▲             │
//!                  └─────────────────────────────────┴─ connects ──┘
//! ```
//!
//! A device that reconnects within the grace never was away. One that has just connected is not
//! shown before it had a moment to say that it hides. Decisions only, without a board, a store or
//! a socket; [`crate::service::presence`] carries them out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chat_core::id::{AccountId, DeviceAddress, DeviceId, WorkspaceId};
use chat_core::limits::{FOLLOWED_MAX, PRESENCE_WORKSPACES_MAX};
use chat_core::presence::{Availability, Presence};
use chat_core::time::Timestamp;

use super::Word;

/// A device that has said nothing for this long after it connected is taken to be online.
pub const SILENT_FOR: Duration = Duration::from_secs(3);
/// How long a device that has lost its connection may take to come back unnoticed.
pub const GRACE: Duration = Duration::from_secs(15);

/// What a node knows.
#[derive(Debug, Default)]
pub struct Circle {
    here: HashMap<AccountId, HashMap<DeviceId, Device>>,
    follows: HashMap<DeviceAddress, Follows>,
    followers: HashMap<AccountId, HashSet<DeviceAddress>>,
    /// Accounts of which something else is to be said than before.
    changed: BTreeSet<AccountId>,
    /// Accounts whose followers may have to be told something.
    heard_of: BTreeSet<AccountId>,
}

#[derive(Debug)]
struct Device {
    connection: u64,
    state: State,
    /// What it said, or came to stand for; `None` while it is silent.
    word: Option<Word>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Connected { since: Timestamp },
    Lingering { since: Timestamp },
}

/// Whom one device follows.
#[derive(Debug, Default)]
struct Follows {
    /// What it was told, by workspace.
    told: HashMap<(WorkspaceId, AccountId), Option<Presence>>,
    /// Whether it may no longer be allowed to.
    doubted: bool,
}

impl Follows {
    fn accounts(&self) -> HashSet<AccountId> {
        self.told.keys().map(|(_, account)| *account).collect()
    }
}

/// Somebody's last device has gone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gone {
    /// Who.
    pub account: AccountId,
    /// What their last devices said.
    pub word: Word,
    /// When.
    pub at: Timestamp,
}

impl Circle {
    /// Takes in that a device has connected.
    pub fn connected(&mut self, address: DeviceAddress, connection: u64, now: Timestamp) {
        let devices = self.here.entry(address.account).or_default();
        let state = State::Connected { since: now };
        let device = devices.entry(address.device);
        let device = device.or_insert_with(|| Device { connection, state, word: None });
        (device.connection, device.state) = (connection, state);
    }

    /// Takes in that a connection has ended; of a device that has connected anew it says nothing.
    pub fn disconnected(&mut self, address: DeviceAddress, connection: u64, now: Timestamp) {
        let device = self.device(address);
        let Some(device) = device.filter(|device| device.connection == connection) else { return };
        device.state = State::Lingering { since: now };
        self.unfollow(address);
    }

    /// Takes in what a connected device says; tells whether it may name one more workspace.
    pub fn said(
        &mut self,
        address: DeviceAddress,
        workspace: Option<WorkspaceId>,
        availability: Availability,
    ) -> bool {
        let Some(device) = self.device(address) else { return true };
        let before = device.word.clone();
        match (&mut device.word, workspace) {
            (word, None) => *word = Some(Word::everywhere(availability)),
            (Some(word), Some(workspace)) => {
                let is_room = word.exceptions.len() < PRESENCE_WORKSPACES_MAX;
                if !is_room && !word.exceptions.contains_key(&workspace) {
                    return false;
                }
                word.exceptions.insert(workspace, availability);
            }
            (word @ None, Some(workspace)) => {
                let mut said = Word::everywhere(Availability::Online);
                said.exceptions.insert(workspace, availability);
                *word = Some(said);
            }
        }
        if device.word != before {
            self.changed.insert(address.account);
        }
        true
    }

    fn device(&mut self, address: DeviceAddress) -> Option<&mut Device> {
        self.here.get_mut(&address.account)?.get_mut(&address.device)
    }

    /// Moves on what time moves: who was silent is online, who lingered is gone.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Gone> {
        let (changed, mut gone) = (&mut self.changed, Vec::new());
        self.here.retain(|account, devices| {
            let before = Word::fold(devices.values().filter_map(|device| device.word.as_ref()));
            let mut last = None;
            devices.retain(|_, device| match device.state {
                State::Connected { since } => {
                    if device.word.is_none() && now.since(since) >= SILENT_FOR {
                        device.word = Some(Word::everywhere(Availability::Online));
                    }
                    true
                }
                State::Lingering { since } if now.since(since) < GRACE => true,
                State::Lingering { since } => {
                    last = last.max(Some(since));
                    false
                }
            });
            let after = Word::fold(devices.values().filter_map(|device| device.word.as_ref()));
            if after != before {
                changed.insert(*account);
            }
            if let (None, Some(word), Some(at)) = (after, before, last) {
                gone.push(Gone { account: *account, word, at });
            }
            !devices.is_empty()
        });
        gone
    }

    /// Everybody who is here, as if the grace of all who linger were over.
    pub fn leave(&mut self, now: Timestamp) -> Vec<Gone> {
        for device in self.here.values_mut().flat_map(HashMap::values_mut) {
            if let State::Connected { .. } = device.state {
                device.state = State::Lingering { since: now };
            }
        }
        self.advance(now.after(GRACE))
    }

    /// What this node says of an account.
    #[must_use]
    pub fn word(&self, account: AccountId) -> Option<Word> {
        let devices = self.here.get(&account)?;
        Word::fold(devices.values().filter_map(|device| device.word.as_ref()))
    }

    /// The accounts of which something else is to be said than before, once.
    pub fn take_changed(&mut self) -> BTreeSet<AccountId> {
        std::mem::take(&mut self.changed)
    }

    /// Puts back what could not be said.
    pub fn put_back(&mut self, accounts: impl IntoIterator<Item = AccountId>) {
        self.changed.extend(accounts);
    }

    /// The accounts that are here.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        self.here.keys().copied().collect()
    }

    // ── following ───────────────────────────────────────────────────────────────────────────────

    /// Replaces whom a device follows in a workspace; tells whether there was room.
    pub fn follow(
        &mut self,
        follower: DeviceAddress,
        workspace: WorkspaceId,
        accounts: &[AccountId],
    ) -> bool {
        let follows = self.follows.entry(follower).or_default();
        let before = follows.accounts();
        let wanted: HashSet<AccountId> = accounts.iter().copied().collect();
        let elsewhere = follows.told.keys().filter(|(other, _)| *other != workspace).count();
        if elsewhere + wanted.len() > FOLLOWED_MAX {
            return false;
        }
        // Whoever asks again is told again.
        follows.told.retain(|(other, _), _| *other != workspace);
        follows.told.extend(wanted.iter().map(|account| ((workspace, *account), None)));
        self.index(follower, &before);
        self.heard_of.extend(wanted);
        true
    }

    /// Forgets whom a device follows.
    fn unfollow(&mut self, follower: DeviceAddress) {
        if let Some(follows) = self.follows.remove(&follower) {
            self.index(follower, &follows.accounts());
        }
    }

    /// Brings the way back from the followed in line with whom `follower` follows now.
    fn index(&mut self, follower: DeviceAddress, before: &HashSet<AccountId>) {
        let now = self.follows.get(&follower).map(Follows::accounts).unwrap_or_default();
        for account in before.difference(&now) {
            if let Some(devices) = self.followers.get_mut(account) {
                devices.remove(&follower);
                if devices.is_empty() {
                    self.followers.remove(account);
                }
            }
        }
        for account in now {
            self.followers.entry(account).or_default().insert(follower);
        }
    }

    /// Takes in that an account may show something else.
    pub fn heard_of(&mut self, account: AccountId) {
        if self.followers.contains_key(&account) {
            self.heard_of.insert(account);
        }
    }

    /// Takes in that everybody may show something else.
    pub fn heard_of_all(&mut self) {
        self.heard_of.extend(self.followers.keys().copied());
    }

    /// The accounts that may show something else, once.
    pub fn take_heard_of(&mut self) -> Vec<AccountId> {
        std::mem::take(&mut self.heard_of).into_iter().collect()
    }

    /// Each followed account with each follower's account.
    #[must_use]
    pub fn pairs(&self) -> Vec<(AccountId, AccountId)> {
        let pair = |(followed, devices): (&AccountId, &HashSet<DeviceAddress>)| {
            let accounts: BTreeSet<_> = devices.iter().map(|device| device.account).collect();
            accounts.into_iter().map(|account| (*followed, account)).collect::<Vec<_>>()
        };
        self.followers.iter().flat_map(pair).collect()
    }

    /// Who follows an account here, and in which workspaces.
    #[must_use]
    pub fn watched_in(&self, account: AccountId) -> Vec<(DeviceAddress, WorkspaceId)> {
        let devices = self.followers.get(&account).into_iter().flatten();
        let watched = devices.filter_map(|device| Some((device, self.follows.get(device)?)));
        watched
            .flat_map(|(device, follows)| {
                let here = follows.told.keys().filter(move |(_, of)| *of == account);
                here.map(|(workspace, _)| (*device, *workspace))
            })
            .collect()
    }

    /// Tells whether `presence` is news to a follower.
    #[must_use]
    pub fn is_news(&self, follower: DeviceAddress, presence: &Presence) -> bool {
        let key = (presence.workspace, presence.account);
        let told = self.follows.get(&follower).and_then(|follows| follows.told.get(&key));
        told.is_some_and(|told| told.as_ref() != Some(presence))
    }

    /// Notes that a follower was told.
    pub fn told(&mut self, follower: DeviceAddress, presence: Presence) {
        let key = (presence.workspace, presence.account);
        let follows = self.follows.get_mut(&follower);
        if let Some(told) = follows.and_then(|follows| follows.told.get_mut(&key)) {
            *told = Some(presence);
        }
    }

    /// Takes in that an account's conversations have changed: it may see fewer people than before.
    pub fn doubt(&mut self, account: AccountId) {
        for (device, follows) in &mut self.follows {
            follows.doubted |= device.account == account;
        }
    }

    /// Doubts everybody.
    pub fn doubt_all(&mut self) {
        self.follows.values_mut().for_each(|follows| follows.doubted = true);
    }

    /// The devices that are to be looked at, with whom they follow where; once.
    pub fn take_doubted(&mut self) -> Vec<(DeviceAddress, Vec<(WorkspaceId, AccountId)>)> {
        let mut doubted = Vec::new();
        for (device, follows) in self.follows.iter_mut().filter(|(_, follows)| follows.doubted) {
            follows.doubted = false;
            doubted.push((*device, follows.told.keys().copied().collect()));
        }
        doubted
    }

    /// Lets a device no longer follow an account.
    pub fn refuse(&mut self, follower: DeviceAddress, workspace: WorkspaceId, account: AccountId) {
        let Some(follows) = self.follows.get_mut(&follower) else { return };
        let before = follows.accounts();
        follows.told.remove(&(workspace, account));
        self.index(follower, &before);
    }
}

#[cfg(test)]
mod tests;
