//! What a node knows of rules, and of the bytes that are stored.
//!
//! ```text
//!  store ──rules──▶ of(workspace)
//!  writer ──▶ count ──▶ pending ──flush──▶ store
//!                 └───▶ known  ◀──learn─── store     and forgotten after a while: other nodes count, too
//! ```
//!
//! Usage is gathered in memory and written together, so it may be a few seconds behind, and a node
//! that dies forgets those; a quota is not a bill.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use chat_core::id::{AccountId, WorkspaceId};
use chat_core::time::Timestamp;

use super::Rules;
use crate::storage::{Storage, StorageError, Usage};

/// For how long what the store said is believed.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// How many accounts' usage is remembered.
const REMEMBERED_MAX: usize = 100_000;

/// Rules and counts of this node.
#[derive(Debug)]
pub struct Ledger {
    relay: Rules,
    /// Where months go that are let go of.
    archive: Option<PathBuf>,
    workspaces: RwLock<HashMap<WorkspaceId, Rules>>,
    counted: Mutex<Counted>,
}

/// An account in a workspace, or all of the workspace.
type Whose = (WorkspaceId, Option<AccountId>);

/// Bytes that were accepted here.
#[derive(Debug, Default)]
struct Counted {
    /// Not written yet.
    pending: HashMap<(WorkspaceId, AccountId), u64>,
    /// What the store said, and when; what was counted here since is added to it.
    known: HashMap<Whose, (u64, Timestamp)>,
}

impl Ledger {
    /// With the relay's own rules, and a folder for months that are let go of.
    #[must_use]
    pub fn with(relay: Rules, archive: Option<PathBuf>) -> Self {
        Self { relay, archive, workspaces: RwLock::default(), counted: Mutex::default() }
    }

    /// The relay's own rules.
    #[must_use]
    pub fn relay(&self) -> Rules {
        self.relay
    }

    /// The folder for months that are let go of.
    #[must_use]
    pub fn archive(&self) -> Option<&Path> {
        self.archive.as_deref()
    }

    /// The workspaces that have rules of their own, and those.
    #[must_use]
    pub fn workspaces(&self) -> Vec<(WorkspaceId, Rules)> {
        let workspaces = self.workspaces.read().unwrap_or_else(PoisonError::into_inner);
        workspaces.iter().map(|(workspace, rules)| (*workspace, *rules)).collect()
    }

    /// The rules that hold in a workspace.
    #[must_use]
    pub fn of(&self, workspace: WorkspaceId) -> Rules {
        let workspaces = self.workspaces.read().unwrap_or_else(PoisonError::into_inner);
        let own = workspaces.get(&workspace).copied().unwrap_or_default();
        self.relay.strictest(own)
    }

    /// Whether no rule anywhere lets messages go for their age.
    #[must_use]
    pub fn hides_nothing(&self) -> bool {
        let workspaces = self.workspaces.read().unwrap_or_else(PoisonError::into_inner);
        self.relay.keep.is_none() && workspaces.values().all(|rules| rules.keep.is_none())
    }

    /// Reads the rules of workspaces anew.
    ///
    /// # Errors
    ///
    /// [`StorageError`]; the old ones stay.
    pub async fn refresh(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        let rules = storage.rules().await?.into_iter().collect();
        *self.workspaces.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    /// Counts a message that was accepted.
    pub fn count(&self, workspace: WorkspaceId, account: AccountId, bytes: u64) {
        let mut counted = self.counted();
        let pending = counted.pending.entry((workspace, account)).or_default();
        *pending = pending.saturating_add(bytes);
        for whose in [Some(account), None] {
            if let Some((known, _)) = counted.known.get_mut(&(workspace, whose)) {
                *known = known.saturating_add(bytes);
            }
        }
    }

    /// What is stored of an account, or of all of a workspace, if that is known well enough.
    #[must_use]
    pub fn known(
        &self,
        workspace: WorkspaceId,
        account: Option<AccountId>,
        now: Timestamp,
    ) -> Option<u64> {
        let (bytes, at) = *self.counted().known.get(&(workspace, account))?;
        (now.since(at) < KNOWN_FOR).then_some(bytes)
    }

    /// Takes in what the store says.
    pub fn learn(
        &self,
        workspace: WorkspaceId,
        account: Option<AccountId>,
        bytes: u64,
        now: Timestamp,
    ) {
        let mut counted = self.counted();
        if counted.known.len() >= REMEMBERED_MAX {
            counted.known.clear();
        }
        counted.known.insert((workspace, account), (bytes, now));
    }

    /// Writes what was counted.
    pub async fn flush(&self, storage: &dyn Storage, now: Timestamp) {
        let pending = std::mem::take(&mut self.counted().pending);
        if pending.is_empty() {
            return;
        }
        let usage: Vec<Usage> = pending
            .iter()
            .map(|((workspace, account), bytes)| Usage {
                workspace: *workspace,
                account: *account,
                at: now,
                bytes: *bytes,
            })
            .collect();
        if let Err(error) = storage.add_usage(&usage).await {
            tracing::warn!(%error, count = usage.len(), "usage is not counted yet");
            let mut counted = self.counted();
            for (key, bytes) in pending {
                let again = counted.pending.entry(key).or_default();
                *again = again.saturating_add(bytes);
            }
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // What the lock guards is whole between any two statements.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
    const ALICE: AccountId = AccountId::from_bytes([2; 16]);
    const BOB: AccountId = AccountId::from_bytes([3; 16]);

    #[test]
    fn what_is_counted_here_is_added_to_what_the_store_said() {
        let (ledger, now) = (Ledger::with(Rules::default(), None), Timestamp::from_millis(1_000));

        ledger.learn(HERE, Some(ALICE), 10, now);
        ledger.learn(HERE, None, 30, now);
        ledger.count(HERE, ALICE, 5);
        ledger.count(HERE, BOB, 7);

        assert_eq!(ledger.known(HERE, Some(ALICE), now), Some(15));
        assert_eq!(ledger.known(HERE, None, now), Some(42));
        assert_eq!(ledger.known(HERE, Some(BOB), now), None);
    }

    #[test]
    fn the_store_is_asked_again_after_a_while() {
        let (ledger, now) = (Ledger::with(Rules::default(), None), Timestamp::from_millis(1_000));

        ledger.learn(HERE, None, 30, now);

        assert_eq!(ledger.known(HERE, None, now.after(Duration::from_millis(4_999))), Some(30));
        assert_eq!(ledger.known(HERE, None, now.after(KNOWN_FOR)), None);
    }
}
