//! The board inside one process: for a relay of one node, and for several nodes in one test.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::id::AccountId;
use tokio::time::Instant;

use super::{Board, BoardLost, FOLLOWERS_MAX, WORD_TTL, Word};
use crate::bus::NodeId;

/// What the nodes of one process share.
#[derive(Clone, Debug, Default)]
pub struct LocalBoards {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    words: HashMap<AccountId, HashMap<NodeId, Word>>,
    /// Who follows each account, until when.
    followers: HashMap<AccountId, HashMap<AccountId, Instant>>,
}

/// One node's view of [`LocalBoards`].
#[derive(Debug)]
pub struct LocalBoard {
    boards: LocalBoards,
    node: NodeId,
}

impl LocalBoards {
    /// A node's view.
    #[must_use]
    pub fn node(&self, node: NodeId) -> LocalBoard {
        LocalBoard { boards: self.clone(), node }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What the lock guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Board for LocalBoard {
    async fn say(&self, words: &[(AccountId, Option<Word>)]) -> Result<(), BoardLost> {
        let mut state = self.boards.lock();
        for (account, word) in words {
            let said = state.words.entry(*account).or_default();
            match word {
                Some(word) => drop(said.insert(self.node, word.clone())),
                None => drop(said.remove(&self.node)),
            }
            if said.is_empty() {
                state.words.remove(account);
            }
        }
        Ok(())
    }

    async fn read(&self, accounts: &[AccountId]) -> Result<Vec<Option<Word>>, BoardLost> {
        let state = self.boards.lock();
        let word = |account| state.words.get(account).and_then(|said| Word::fold(said.values()));
        Ok(accounts.iter().map(word).collect())
    }

    async fn follow(&self, pairs: &[(AccountId, AccountId)]) -> Result<(), BoardLost> {
        let (mut state, now) = (self.boards.lock(), Instant::now());
        for (followed, follower) in pairs {
            let followers = state.followers.entry(*followed).or_default();
            followers.retain(|_, until| *until > now);
            followers.insert(*follower, now + WORD_TTL);
        }
        Ok(())
    }

    async fn followers(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, BoardLost> {
        let (state, now) = (self.boards.lock(), Instant::now());
        let mut found = BTreeSet::new();
        for followers in accounts.iter().filter_map(|account| state.followers.get(account)) {
            let live = followers.iter().filter(|(_, until)| **until > now);
            found.extend(live.take(FOLLOWERS_MAX).map(|(follower, _)| *follower));
        }
        Ok(found.into_iter().collect())
    }

    async fn close(&self) {
        self.boards.lock().words.retain(|_, said| {
            said.remove(&self.node);
            !said.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::conformance;

    conformance::suite!(with_boards);

    async fn with_boards<F>(test: impl FnOnce(conformance::Two) -> F)
    where
        F: Future<Output = ()>,
    {
        let boards = LocalBoards::default();
        let node = |byte| Arc::new(boards.node(NodeId::from_bytes([byte; 16])));
        test([node(1), node(2)]).await;
    }
}
