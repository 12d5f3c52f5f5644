//! Presence: saying how available one is, and hearing it of others.
//!
//! What was said is kept on this device and said again on every connection, before anything else:
//! who hides stays hidden when the app is opened again. Whom an app follows is the app's to say
//! anew after a start. The relay tells about accounts with whom one shares a conversation in the
//! workspace, and nothing about others; what it tells is its word, as presence is signed by nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_core::codec::{List, from_bytes, to_bytes};
use chat_core::frame::ClientFrame;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::limits::{FOLLOWED_MAX, PRESENCE_WORKSPACES_MAX};
use minicbor::{Decode, Encode};
use rusqlite::Transaction;

pub use chat_core::presence::{Availability, Presence, PresenceState};

use crate::client::Client;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::store::account;

/// The name of the fact that holds what was said.
const SAID: &str = "presence";

impl Client {
    /// Says how available this account is on this device, everywhere.
    ///
    /// The other devices may say otherwise: hiding on one hides all of them, and else the most
    /// present word counts.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn set_presence(&self, availability: Availability) -> Result<()> {
        let said = Said { everywhere: availability, exceptions: BTreeMap::new() };
        self.say(move |_| Ok(said)).await
    }

    /// Says it for one workspace, in which it holds in place of what holds everywhere.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`]; [`Kind::TooLarge`] for too many workspaces.
    pub async fn set_presence_in(
        &self,
        workspace: WorkspaceId,
        availability: Availability,
    ) -> Result<()> {
        self.say(move |mut said| {
            said.exceptions.insert(workspace, availability);
            let fits = said.exceptions.len() <= PRESENCE_WORKSPACES_MAX;
            if fits { Ok(said) } else { Err(Kind::TooLarge.into()) }
        })
        .await
    }

    /// Asks to be told about the presence of `accounts` in this account's workspace, by
    /// [`Event::Presence`](crate::Event::Presence), in place of those that were followed before;
    /// with none, to be told no more. Each is told once at first, and when it changes.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] for more than [`FOLLOWED_MAX`].
    pub fn follow_presence(&self, accounts: impl IntoIterator<Item = AccountId>) -> Result<()> {
        self.follow_presence_in(self.hub.context.own.workspace, accounts)
    }

    /// The same in another workspace.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] for more than [`FOLLOWED_MAX`] in all workspaces together.
    pub fn follow_presence_in(
        &self,
        workspace: WorkspaceId,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<()> {
        self.hub.wishes.follow(workspace, accounts.into_iter().collect())?;
        self.hub.nudge.notify_one();
        Ok(())
    }

    async fn say(&self, change: impl FnOnce(Said) -> Result<Said> + Send + 'static) -> Result<()> {
        let keep = move |tx: &Transaction<'_>| {
            let said = change(said(tx)?)?;
            account::set_fact(tx, SAID, &to_bytes(&said))
        };
        self.hub.context.store.write(keep).await?;
        self.hub.wishes.changed();
        self.hub.nudge.notify_one();
        Ok(())
    }
}

/// How available this device says that its account is.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Said {
    #[n(0)]
    everywhere: Availability,
    #[n(1)]
    exceptions: BTreeMap<WorkspaceId, Availability>,
}

impl Default for Said {
    fn default() -> Self {
        Self { everywhere: Availability::Online, exceptions: BTreeMap::new() }
    }
}

fn said(tx: &Transaction<'_>) -> Result<Said> {
    let kept = account::fact(tx, SAID)?;
    Ok(kept.and_then(|kept| from_bytes(&kept).ok()).unwrap_or_default())
}

/// What this client wants of the relay's presence.
#[derive(Debug, Default)]
pub(crate) struct Wishes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Counts changes.
    version: u64,
    followed: BTreeMap<WorkspaceId, List<AccountId, FOLLOWED_MAX>>,
}

impl Wishes {
    /// Counts what has changed; whoever has told an older count tells again.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    fn changed(&self) {
        let mut state = self.lock();
        state.version = state.version.wrapping_add(1);
    }

    fn follow(&self, workspace: WorkspaceId, accounts: Vec<AccountId>) -> Result<()> {
        let accounts = List::new(accounts)?;
        let mut state = self.lock();
        let elsewhere = state.followed.iter().filter(|(other, _)| **other != workspace);
        let total = elsewhere.map(|(_, list)| list.len()).sum::<usize>() + accounts.len();
        if total > FOLLOWED_MAX {
            return Err(Kind::TooLarge.into());
        }
        state.followed.insert(workspace, accounts);
        state.version = state.version.wrapping_add(1);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What the lock guards is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The frames that say and ask everything anew.
pub(crate) async fn frames(hub: &Hub) -> Result<Vec<ClientFrame>> {
    let said = hub.context.store.read(said).await?;
    let mut frames = vec![ClientFrame::Presence { workspace: None, availability: said.everywhere }];
    for (workspace, availability) in said.exceptions {
        frames.push(ClientFrame::Presence { workspace: Some(workspace), availability });
    }
    for (workspace, accounts) in &hub.wishes.lock().followed {
        let (workspace, accounts) = (*workspace, accounts.clone());
        frames.push(ClientFrame::FollowPresence { workspace, accounts });
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_follows_so_many_and_no_more() {
        let wishes = Wishes::default();
        let (here, there) = (WorkspaceId::from_bytes([1; 16]), WorkspaceId::from_bytes([2; 16]));
        let many = |count| vec![AccountId::from_bytes([3; 16]); count];

        assert!(wishes.follow(here, many(FOLLOWED_MAX)).is_ok());
        let refused = wishes.follow(there, many(1)).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooLarge);
        assert!(wishes.follow(here, many(FOLLOWED_MAX - 1)).is_ok());
        assert!(wishes.follow(there, many(1)).is_ok());
        assert_eq!(wishes.version(), 3);
    }
}
