//! What has changed: whoever shows something out of the store hears when to look again.
//!
//! ```text
//!  INSERT, UPDATE, DELETE ──trigger──▶ note_change(conversation) ──commit──▶ numbered, listeners woken
//!                                                                └─rollback─▶ forgotten
//! ```
//!
//! No writer can forget to tell, since triggers do. What another process has written is noticed
//! with the next transaction of this one, and counts as a change of everything.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chat_core::id::ConversationId;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tokio::sync::watch;

use crate::error::Result;

/// Counts commits that changed something to look at; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    noted: Arc<Mutex<Noted>>,
    versions: Arc<Mutex<Versions>>,
    newest: watch::Sender<u64>,
}

/// What the transaction under way has touched.
#[derive(Debug, Default)]
struct Noted {
    conversations: BTreeSet<ConversationId>,
    everything: bool,
}

/// When each conversation changed last.
#[derive(Debug, Default)]
struct Versions {
    conversations: HashMap<ConversationId, u64>,
    everything: u64,
    /// SQLite's number for what other connections have committed.
    data: Option<i64>,
}

impl Changes {
    /// The number of the newest change.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// The number of a conversation's last change.
    #[must_use]
    pub fn of(&self, conversation: ConversationId) -> u64 {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let own = versions.conversations.get(&conversation).copied().unwrap_or_default();
        own.max(versions.everything)
    }

    /// Wakes with each change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Wakes everybody, for the last time: the store is closed.
    pub(super) fn end(&self) {
        self.publish(Noted { everything: true, ..Noted::default() });
    }

    /// Forgets what a transaction touched that has left no trace.
    pub(super) fn forget(&self) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Noted::default();
    }

    /// Tells what the transaction touched that was just committed, and what others have committed.
    pub(super) fn committed(&self, connection: &Connection) -> Result<()> {
        let data: i64 =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        let mut noted =
            std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        {
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            let before = versions.data.replace(data);
            noted.everything |= before.is_some_and(|before| before != data);
        }
        if noted.everything || !noted.conversations.is_empty() {
            self.publish(noted);
        }
        Ok(())
    }

    fn publish(&self, noted: Noted) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.newest().saturating_add(1);
        for conversation in noted.conversations {
            versions.conversations.insert(conversation, number);
        }
        if noted.everything {
            versions.everything = number;
            versions.conversations.clear();
        }
        drop(versions);
        self.newest.send_replace(number);
    }

    /// Adds the SQL function that the triggers call.
    pub(super) fn add_function(&self, connection: &Connection) -> Result<()> {
        let noted = Arc::clone(&self.noted);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        connection.create_scalar_function("note_change", 1, flags, move |context| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            match context.get_raw(0).as_blob().ok().map(ConversationId::try_from) {
                Some(Ok(id)) => drop(noted.conversations.insert(id)),
                _ => noted.everything = true,
            }
            Ok(true)
        })?;
        Ok(())
    }
}
