//! Presence: what the nodes know of who is there, and who wants to be told.
//!
//! ```text
//!  frame, connect, disconnect ─▶ circle ─▶ board: this node's word on an account, for a minute
//!                                   │         └──▶ who follows it? ─▶ bus: a hint to those
//!  hint, renewal ──────────────▶ circle ◀─ board: what all nodes say
//!                                   └──▶ frame to the followers here for whom something has changed
//! ```
//!
//! The [`Board`] is a port: in this process when there is one node, in Redis when there are several.
//! A word that nobody renews runs out, so a node that died takes its people with it. A board that
//! is lost costs freshness: followers keep what they were told, and hear the rest when it is back.
//!
//! Nothing of this is in the database but when somebody was last there; see
//! `docs/protocol/presence.md`.

pub mod circle;
#[cfg(test)]
mod conformance;
pub mod local;
pub mod redis;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::presence::Availability;
use minicbor::{Decode, Encode};

/// How long a word stands that nobody renews.
pub const WORD_TTL: Duration = Duration::from_secs(60);
/// Most followers of one account that are told of a change.
pub const FOLLOWERS_MAX: usize = 10_000;

/// Where nodes put down what they know of their accounts, and who follows whom.
#[async_trait]
pub trait Board: std::fmt::Debug + Send + Sync + 'static {
    /// Puts down what this node says of accounts, in place of what it said before; `None` takes it
    /// back.
    ///
    /// # Errors
    ///
    /// [`BoardLost`]; some of it may be there.
    async fn say(&self, words: &[(AccountId, Option<Word>)]) -> Result<(), BoardLost>;

    /// What all nodes say of each of `accounts`, in their order, folded.
    ///
    /// # Errors
    ///
    /// [`BoardLost`].
    async fn read(&self, accounts: &[AccountId]) -> Result<Vec<Option<Word>>, BoardLost>;

    /// Notes for as long as a word stands that the second of each pair follows the first.
    ///
    /// # Errors
    ///
    /// [`BoardLost`].
    async fn follow(&self, pairs: &[(AccountId, AccountId)]) -> Result<(), BoardLost>;

    /// Who follows any of `accounts`, each once, at most [`FOLLOWERS_MAX`] of each.
    ///
    /// # Errors
    ///
    /// [`BoardLost`].
    async fn followers(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, BoardLost>;

    /// Takes back everything that this node has said.
    async fn close(&self);
}

/// The board cannot be reached at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the presence board cannot be reached at the moment")]
pub struct BoardLost;

/// How available an account is, as one device, one node, or all of them say.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Word {
    /// In all workspaces but those below.
    #[n(0)]
    pub everywhere: Availability,
    /// In these.
    #[n(1)]
    pub exceptions: BTreeMap<WorkspaceId, Availability>,
}

impl Word {
    /// The same in every workspace.
    #[must_use]
    pub fn everywhere(availability: Availability) -> Self {
        Self { everywhere: availability, exceptions: BTreeMap::new() }
    }

    /// What holds in one workspace.
    #[must_use]
    pub fn in_workspace(&self, workspace: WorkspaceId) -> Availability {
        self.exceptions.get(&workspace).copied().unwrap_or(self.everywhere)
    }

    /// The word that all of `words` make together; none, if there are none.
    #[must_use]
    pub fn fold<'a>(words: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let words: Vec<&Self> = words.into_iter().collect();
        let everywhere = Availability::fold(words.iter().map(|word| word.everywhere))?;
        let named = words.iter().flat_map(|word| word.exceptions.keys()).copied();
        let folded = |workspace| {
            let all = words.iter().map(|word| word.in_workspace(workspace));
            Availability::fold(all).map(|availability| (workspace, availability))
        };
        let exceptions = named.filter_map(folded).filter(|(_, a)| *a != everywhere).collect();
        Some(Self { everywhere, exceptions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
    const CLUB: WorkspaceId = WorkspaceId::from_bytes([2; 16]);

    #[test]
    fn who_hides_in_one_workspace_is_seen_in_the_others() {
        let mut phone = Word::everywhere(Availability::Away);
        phone.exceptions.insert(WORK, Availability::Hidden);
        let laptop = Word::everywhere(Availability::Online);

        let folded = Word::fold([&phone, &laptop]).unwrap();

        assert_eq!(folded.in_workspace(WORK), Availability::Hidden);
        assert_eq!(folded.in_workspace(CLUB), Availability::Online);
    }

    #[test]
    fn folding_in_steps_is_folding_at_once() {
        let mut phone = Word::everywhere(Availability::Busy);
        phone.exceptions.insert(WORK, Availability::Away);
        let mut laptop = Word::everywhere(Availability::Hidden);
        laptop.exceptions.insert(CLUB, Availability::Online);
        let tablet = Word::everywhere(Availability::Online);

        let first = Word::fold([&phone, &laptop]).unwrap();

        assert_eq!(Word::fold([&first, &tablet]), Word::fold([&phone, &laptop, &tablet]));
    }
}
