//! What is asked for with every message, remembered: members of conversations, devices of accounts.
//!
//! Changes made here are forgotten at once, changes made on other nodes when the bus tells of them
//! and, if the bus is lost, after five seconds. For members that is safe by itself: the
//! writer's transaction compares every message's membership head with the stored one. A device
//! list may be a few seconds old; recipients notice, because list numbers travel sealed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::Membership;

use crate::storage::{ActiveDevices, Storage, StorageError};

/// How old something remembered may get.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// How many of a kind are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// The devices of one account, shared.
pub type KnownDevices = Arc<ActiveDevices>;

/// A conversation as messages are checked against it.
#[derive(Debug)]
pub struct KnownConversation {
    /// Its members and rules.
    pub membership: Membership,
    /// Its members, for the bus.
    pub recipients: Arc<[AccountId]>,
}

/// Remembers what was read.
#[derive(Debug)]
pub struct Directory {
    storage: Arc<dyn Storage>,
    conversations: Memory<ConversationId, Arc<KnownConversation>>,
    devices: Memory<AccountId, KnownDevices>,
}

impl Directory {
    /// Reads from `storage` what it does not remember.
    #[must_use]
    pub fn over(storage: Arc<dyn Storage>) -> Self {
        Self { storage, conversations: Memory::default(), devices: Memory::default() }
    }

    /// A conversation, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Storage::conversation`].
    pub async fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Arc<KnownConversation>>, StorageError> {
        if let Some(known) = self.conversations.get(&id) {
            return Ok(Some(known));
        }
        let asked = self.conversations.ask();
        let Some(stored) = self.storage.conversation(id).await? else { return Ok(None) };
        let recipients = stored.membership.members().map(|member| member.account).collect();
        let known = Arc::new(KnownConversation { membership: stored.membership, recipients });
        self.conversations.put(asked, id, known.clone());
        Ok(Some(known))
    }

    /// The active devices of `accounts`; unknown accounts are left out.
    ///
    /// # Errors
    ///
    /// As [`Storage::active_devices`].
    pub async fn devices(&self, accounts: &[AccountId]) -> Result<Vec<KnownDevices>, StorageError> {
        let asked = self.devices.ask();
        let mut missing = Vec::new();
        let mut known = Vec::with_capacity(accounts.len());
        for account in accounts {
            match self.devices.get(account) {
                Some(devices) => known.push(devices),
                None => missing.push(*account),
            }
        }
        if !missing.is_empty() {
            for devices in self.storage.active_devices(&missing).await? {
                let devices = Arc::new(devices);
                self.devices.put(asked, devices.account, devices.clone());
                known.push(devices);
            }
        }
        Ok(known)
    }

    /// Forgets a conversation that has changed.
    pub fn forget_conversation(&self, id: ConversationId) {
        self.conversations.forget(&id);
    }

    /// Forgets the devices of an account that has changed them.
    pub fn forget_devices(&self, account: AccountId) {
        self.devices.forget(&account);
    }

    /// Forgets everything: a change may have been missed.
    pub fn forget_all(&self) {
        self.conversations.forget_all();
        self.devices.forget_all();
    }
}

/// A map that takes nothing in that was asked for before something was forgotten: the answer may
/// be from before the change.
#[derive(Debug)]
struct Memory<K, V>(Mutex<Remembered<K, V>>);

#[derive(Debug)]
struct Remembered<K, V> {
    entries: HashMap<K, (V, Instant)>,
    forgotten: u64,
}

/// When something was asked for, in counts of forgetting.
#[derive(Clone, Copy)]
struct Asked(u64);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Remembered { entries: HashMap::new(), forgotten: 0 }))
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let lock = self.lock();
        let (value, since) = lock.entries.get(key)?;
        (since.elapsed() < REMEMBERED_FOR).then(|| value.clone())
    }

    fn ask(&self) -> Asked {
        Asked(self.lock().forgotten)
    }

    fn put(&self, asked: Asked, key: K, value: V) {
        let mut lock = self.lock();
        if lock.forgotten != asked.0 {
            return;
        }
        if lock.entries.len() >= REMEMBERED_MAX {
            lock.entries.clear();
        }
        lock.entries.insert(key, (value, Instant::now()));
    }

    fn forget(&self, key: &K) {
        let mut lock = self.lock();
        lock.forgotten = lock.forgotten.wrapping_add(1);
        lock.entries.remove(key);
    }

    fn forget_all(&self) {
        let mut lock = self.lock();
        lock.forgotten = lock.forgotten.wrapping_add(1);
        lock.entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Remembered<K, V>> {
        // What the lock guards is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_before_a_change_is_not_remembered() {
        let memory = Memory::<u8, &str>::default();

        let asked = memory.ask();
        memory.forget(&1);
        memory.put(asked, 1, "old");

        assert_eq!(memory.get(&1), None);
        memory.put(memory.ask(), 1, "new");
        assert_eq!(memory.get(&1), Some("new"));
    }
}
