//! The bus inside one process: for a relay of one node, and for several nodes in one test.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::id::AccountId;

use super::{Bus, BusEvent, BusHealth, Connected, Inbox, NodeId, Outlet, Put, inbox};
use crate::presence::local::LocalBoards;

/// What the nodes of one process share.
#[derive(Clone, Debug, Default)]
pub struct LocalHub {
    state: Arc<Mutex<State>>,
    boards: LocalBoards,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<NodeId, Outlet>,
    /// How many connections each account has at each node.
    directory: HashMap<AccountId, BTreeMap<NodeId, usize>>,
}

/// One node's end of a [`LocalHub`].
#[derive(Debug)]
pub struct LocalBus {
    hub: LocalHub,
    node: NodeId,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    published: AtomicU64,
    lost: AtomicU64,
}

impl LocalHub {
    /// A node joins; one that was there under this id is replaced.
    #[must_use]
    pub fn node(&self, node: NodeId) -> (LocalBus, Inbox) {
        let (outlet, inbox) = inbox();
        self.lock().nodes.insert(node, outlet);
        (LocalBus { hub: self.clone(), node, counts: Counts::default() }, inbox)
    }

    /// What the nodes of this process know of who is there.
    #[must_use]
    pub fn boards(&self) -> &LocalBoards {
        &self.boards
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What the lock guards is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The recipients, by the node they are at.
    fn by_node(&self, recipients: &[AccountId]) -> BTreeMap<NodeId, Vec<AccountId>> {
        let mut by_node: BTreeMap<NodeId, Vec<AccountId>> = BTreeMap::new();
        for account in recipients {
            for node in self.directory.get(account).into_iter().flat_map(BTreeMap::keys) {
                by_node.entry(*node).or_default().push(*account);
            }
        }
        by_node
    }

    fn unregister(&mut self, node: NodeId, account: AccountId) {
        let Some(nodes) = self.directory.get_mut(&account) else { return };
        match nodes.get_mut(&node) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(nodes.remove(&node)),
        }
        if nodes.is_empty() {
            self.directory.remove(&account);
        }
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn register(&self, accounts: &[AccountId]) {
        let mut state = self.hub.lock();
        for account in accounts {
            *state.directory.entry(*account).or_default().entry(self.node).or_default() += 1;
        }
    }

    async fn unregister(&self, accounts: &[AccountId]) {
        let mut state = self.hub.lock();
        for account in accounts {
            state.unregister(self.node, *account);
        }
    }

    fn publish(&self, recipients: &[AccountId], event: BusEvent) {
        let state = self.hub.lock();
        for (node, recipients) in state.by_node(recipients) {
            let Some(outlet) = state.nodes.get(&node) else { continue };
            match outlet.put(recipients.into(), event.clone()) {
                Put::Done => self.counts.published.fetch_add(1, Ordering::Relaxed),
                Put::Missed => self.counts.lost.fetch_add(1, Ordering::Relaxed),
            };
        }
    }

    fn health(&self) -> BusHealth {
        let received = self.hub.lock().nodes.get(&self.node).map_or(0, Outlet::received);
        BusHealth {
            connected: Connected::Yes,
            published: self.counts.published.load(Ordering::Relaxed),
            lost: self.counts.lost.load(Ordering::Relaxed),
            received,
        }
    }

    async fn close(&self) {
        let mut state = self.hub.lock();
        state.nodes.remove(&self.node);
        state.directory.retain(|_, nodes| {
            nodes.remove(&self.node);
            !nodes.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
