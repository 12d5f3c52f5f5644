//! Who is connected to this node, and how to reach them without waiting.
//!
//! Whoever has something for a connection tries to put it into its bounded queue. If the queue is
//! full the thing is dropped and the connection marked as lagging: it then asks the store what it
//! has missed. That a connection is to end is told beside the queue, so it always arrives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chat_core::envelope::Envelope;
use chat_core::frame::RelayFrame;
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::limits::OUTBOUND_FRAMES_MAX;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use tokio::sync::{Notify, mpsc};

use crate::storage::{Backlog, FamilyId, Session};

const SHARDS: usize = 64;

/// Something that a connection hears of.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A message, with everybody's wraps.
    Message(Arc<LiveMessage>),
    /// There is a message; it is in the store.
    Heard {
        /// Where.
        conversation: ConversationId,
        /// At which place.
        sequence: Sequence,
    },
    /// What the store has for this device, after publishes may have been lost.
    Heads(Vec<Backlog>),
    /// A frame to pass on; shared, so that a queue of these is small.
    Frame(Arc<RelayFrame>),
}

/// A message as it comes over the bus.
#[derive(Debug)]
pub struct LiveMessage {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its place.
    pub sequence: Sequence,
    /// When it was accepted.
    pub at: Timestamp,
    /// Which device sent it.
    pub sender: DeviceAddress,
    /// The message with everybody's wraps.
    pub envelope: Envelope,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The device has connected anew.
    Displaced,
    /// The device was removed from its account.
    Removed,
    /// The device has logged out, or its tokens were revoked.
    LoggedOut,
    /// An admin has suspended the account.
    Suspended,
    /// The account was deleted.
    AccountDeleted,
    /// The relay is leaving; come back after so many milliseconds.
    Draining {
        /// When.
        return_after_ms: u64,
    },
}

/// The connection's end of its entry.
#[derive(Debug)]
pub struct Listener {
    /// Which connection of this node.
    pub number: u64,
    /// What it hears of.
    pub happenings: mpsc::Receiver<Happening>,
    /// What it is told beside that.
    pub signals: Arc<Signals>,
}

/// What is told to a connection beside its queue.
#[derive(Debug, Default)]
pub struct Signals {
    lagging: AtomicBool,
    ending: OnceLock<Ending>,
    wake: Notify,
}

impl Signals {
    /// Tells, once, whether something was dropped because the queue was full.
    #[must_use]
    pub fn take_lagging(&self) -> bool {
        self.lagging.swap(false, Ordering::SeqCst)
    }

    /// Waits until the connection is to end. May be dropped while it waits.
    pub async fn ended(&self) -> Ending {
        loop {
            if let Some(ending) = self.ending() {
                return ending;
            }
            self.wake.notified().await;
        }
    }

    /// Why the connection is to end, if it is.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }
}

#[derive(Clone, Debug)]
struct Entry {
    number: u64,
    address: DeviceAddress,
    family: FamilyId,
    happenings: mpsc::Sender<Happening>,
    signals: Arc<Signals>,
}

impl Entry {
    fn session(&self) -> Session {
        Session { address: self.address, family: self.family }
    }

    fn end(&self, why: Ending) {
        // The first reason stays.
        if self.signals.ending.set(why).is_ok() {
            self.signals.wake.notify_one();
        }
    }
}

/// All connections of this node.
#[derive(Debug)]
pub struct Registry {
    shards: Vec<Mutex<HashMap<AccountId, Vec<Entry>>>>,
    next: AtomicU64,
    an_account_max: u32,
}

/// The account has as many connections as it may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the account has too many connections")]
pub struct TooManyConnections;

impl Registry {
    /// Takes so many connections of one account.
    #[must_use]
    pub fn with_cap(connections_an_account: u32) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, next: AtomicU64::new(1), an_account_max: connections_an_account }
    }

    /// How many connections an account may have.
    #[must_use]
    pub fn connections_an_account(&self) -> u32 {
        self.an_account_max
    }

    /// Adds a connection; older ones of the same device are told to end.
    ///
    /// # Errors
    ///
    /// [`TooManyConnections`] if the account's other devices have as many as it may have.
    pub fn insert(&self, session: Session) -> Result<Listener, TooManyConnections> {
        let Session { address, family } = session;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, happenings) = mpsc::channel(OUTBOUND_FRAMES_MAX);
        let signals = Arc::new(Signals::default());
        let entry = Entry { number, address, family, happenings: sender, signals: signals.clone() };
        let mut shard = self.shard(address.account);
        let entries = shard.entry(address.account).or_default();
        let stays =
            |entry: &&Entry| entry.address != address && entry.signals.ending.get().is_none();
        let others = entries.iter().filter(stays).count();
        if others >= usize::try_from(self.an_account_max).unwrap_or(usize::MAX) {
            return Err(TooManyConnections);
        }
        entries
            .iter()
            .filter(|older| older.address == address)
            .for_each(|older| older.end(Ending::Displaced));
        entries.push(entry);
        Ok(Listener { number, happenings, signals })
    }

    /// Takes a connection out.
    pub fn remove(&self, address: DeviceAddress, number: u64) {
        let mut shard = self.shard(address.account);
        if let Some(entries) = shard.get_mut(&address.account) {
            entries.retain(|entry| entry.number != number);
            if entries.is_empty() {
                shard.remove(&address.account);
            }
        }
    }

    /// Tells all connections of an account for which `wants` holds; never waits. Returns how many
    /// had no room for it.
    pub fn tell(
        &self,
        account: AccountId,
        happening: &Happening,
        wants: impl Fn(DeviceAddress) -> bool,
    ) -> u64 {
        let mut dropped = 0;
        let shard = self.shard(account);
        for entry in shard.get(&account).into_iter().flatten().filter(|e| wants(e.address)) {
            if entry.happenings.try_send(happening.clone()).is_err() {
                entry.signals.lagging.store(true, Ordering::SeqCst);
                dropped += 1;
            }
        }
        dropped
    }

    /// The same for what nobody misses: connections whose queue is half full are passed over, and
    /// do not lag for it. Returns how many were told.
    pub fn tell_lightly(
        &self,
        account: AccountId,
        happening: &Happening,
        wants: impl Fn(DeviceAddress) -> bool,
    ) -> u64 {
        let has_room = |entry: &&Entry| entry.happenings.capacity() > OUTBOUND_FRAMES_MAX / 2;
        let shard = self.shard(account);
        let entries = shard.get(&account).into_iter().flatten().filter(|e| wants(e.address));
        let told = entries
            .filter(has_room)
            .filter(|entry| entry.happenings.try_send(happening.clone()).is_ok());
        u64::try_from(told.count()).unwrap_or(u64::MAX)
    }

    /// Ends the connections of a device.
    pub fn end(&self, address: DeviceAddress, why: Ending) {
        self.end_others(address, None, why);
    }

    /// Ends the connections of a device but the one numbered `stays`.
    pub fn end_others(&self, address: DeviceAddress, stays: Option<u64>, why: Ending) {
        let shard = self.shard(address.account);
        for entry in shard.get(&address.account).into_iter().flatten() {
            if entry.address == address && Some(entry.number) != stays {
                entry.end(why);
            }
        }
    }

    /// Ends the connections that a device made by one of its log-ins.
    pub fn end_session(&self, session: Session, why: Ending) {
        let shard = self.shard(session.address.account);
        for entry in shard.get(&session.address.account).into_iter().flatten() {
            if entry.address == session.address && entry.family == session.family {
                entry.end(why);
            }
        }
    }

    /// Ends all connections of an account.
    pub fn end_account(&self, account: AccountId, why: Ending) {
        let shard = self.shard(account);
        shard.get(&account).into_iter().flatten().for_each(|entry| entry.end(why));
    }

    /// Ends all connections, each with its own word.
    pub fn end_all(&self, mut why: impl FnMut() -> Ending) {
        for shard in &self.shards {
            lock(shard).values().flatten().for_each(|entry| entry.end(why()));
        }
    }

    /// Whether a device is connected here, and is to stay so.
    #[must_use]
    pub fn is_connected(&self, address: DeviceAddress) -> bool {
        let shard = self.shard(address.account);
        let mut entries = shard.get(&address.account).into_iter().flatten();
        entries.any(|entry| entry.address == address && entry.signals.ending.get().is_none())
    }

    /// Which devices are connected, and by which of their log-ins.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions = Vec::new();
        for shard in &self.shards {
            sessions.extend(lock(shard).values().flatten().map(Entry::session));
        }
        sessions
    }

    /// The log-ins of an account that are connected here.
    pub fn sessions_of(&self, account: AccountId) -> Vec<Session> {
        let shard = self.shard(account);
        shard.get(&account).into_iter().flatten().map(Entry::session).collect()
    }

    #[allow(clippy::indexing_slicing)]
    fn shard(&self, account: AccountId) -> MutexGuard<'_, HashMap<AccountId, Vec<Entry>>> {
        let [first, ..] = *account.as_bytes();
        // INVARIANT: there are SHARDS shards, and the remainder is smaller.
        lock(&self.shards[usize::from(first) % SHARDS])
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the lock guards is whole between any two statements.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use chat_core::id::DeviceId;

    use super::*;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);

    fn device(number: u8) -> DeviceAddress {
        DeviceAddress { account: ALICE, device: DeviceId::from_bytes([number; 16]) }
    }

    fn session(number: u8) -> Session {
        Session { address: device(number), family: FamilyId::from_bytes([number; 16]) }
    }

    #[test]
    fn who_logs_out_loses_the_connections_of_that_log_in_only() {
        let registry = Registry::with_cap(2);
        let phone = registry.insert(session(1)).unwrap();
        let laptop = registry.insert(session(2)).unwrap();

        let another = Session { family: FamilyId::from_bytes([9; 16]), ..session(1) };
        registry.end_session(another, Ending::LoggedOut);
        assert_eq!(phone.signals.ending(), None);
        registry.end_session(session(1), Ending::LoggedOut);

        assert_eq!(phone.signals.ending(), Some(Ending::LoggedOut));
        assert_eq!(laptop.signals.ending(), None);
    }

    #[test]
    fn a_newer_connection_displaces_the_devices_older_one_only() {
        let registry = Registry::with_cap(2);
        let phone = registry.insert(session(1)).unwrap();
        let laptop = registry.insert(session(2)).unwrap();

        let again = registry.insert(session(1)).unwrap();

        assert_eq!(phone.signals.ending(), Some(Ending::Displaced));
        assert_eq!(laptop.signals.ending(), None);
        assert_eq!(again.signals.ending(), None);
    }

    #[test]
    fn a_full_queue_marks_the_connection_as_lagging() {
        let registry = Registry::with_cap(2);
        let phone = registry.insert(session(1)).unwrap();
        let frame = Happening::Frame(Arc::new(RelayFrame::CaughtUp));

        for _ in 0..OUTBOUND_FRAMES_MAX {
            assert_eq!(registry.tell(ALICE, &frame, |_| true), 0);
        }

        assert!(!phone.signals.take_lagging());
        assert_eq!(registry.tell(ALICE, &frame, |_| true), 1);
        assert!(phone.signals.take_lagging());
        assert!(!phone.signals.take_lagging());
    }

    #[test]
    fn what_nobody_misses_is_dropped_first() {
        let registry = Registry::with_cap(2);
        let phone = registry.insert(session(1)).unwrap();
        let frame = Happening::Frame(Arc::new(RelayFrame::CaughtUp));

        let light = (0..OUTBOUND_FRAMES_MAX)
            .map(|_| registry.tell_lightly(ALICE, &frame, |_| true))
            .sum::<u64>();
        let weighty = registry.tell(ALICE, &frame, |_| true);

        assert_eq!(light, OUTBOUND_FRAMES_MAX as u64 / 2);
        assert_eq!(weighty, 0);
        assert!(!phone.signals.take_lagging());
    }

    #[test]
    fn who_is_removed_hears_nothing_more() {
        let registry = Registry::with_cap(2);
        let mut phone = registry.insert(session(1)).unwrap();

        registry.remove(device(1), phone.number);
        registry.tell(ALICE, &Happening::Frame(Arc::new(RelayFrame::CaughtUp)), |_| true);

        assert!(phone.happenings.try_recv().is_err());
        assert!(registry.sessions().is_empty());
    }

    #[test]
    fn an_account_has_so_many_connections_and_a_device_always_its_own() {
        let registry = Registry::with_cap(2);
        let _phone = registry.insert(session(1)).unwrap();
        let laptop = registry.insert(session(2)).unwrap();

        assert_eq!(registry.insert(session(3)).err(), Some(TooManyConnections));
        assert!(registry.insert(session(1)).is_ok());
        registry.remove(device(2), laptop.number);
        assert!(registry.insert(session(3)).is_ok());
    }

    #[test]
    fn what_waits_in_a_queue_is_small() {
        // A queue holds room for 32 from its beginning, and most are empty most of the time.
        assert!(size_of::<Happening>() <= 32);
    }
}
