//! Waiting until there is something else to see.

use chat_core::id::ConversationId;
use tokio::sync::watch;

use crate::error::{Kind, Result};
use crate::store::{Changes, Store};

/// A place in the stream of the store's changes.
#[derive(Debug)]
pub(super) struct Watch {
    changes: Changes,
    newest: watch::Receiver<u64>,
    /// The number of the newest change that was looked at.
    looked_at: u64,
}

impl Watch {
    pub(super) fn of(store: &Store) -> Self {
        let changes = store.changes().clone();
        let newest = changes.subscribe();
        Self { looked_at: 0, newest, changes }
    }

    /// The number of the newest change; what is read from here on shows it.
    pub(super) fn newest(&self) -> u64 {
        self.changes.newest()
    }

    /// Notes that what was read shows everything up to this change.
    pub(super) fn looked_at(&mut self, number: u64) {
        self.looked_at = number;
    }

    /// Tells whether a conversation has changed since it was looked at.
    pub(super) fn has_changed(&self, conversation: ConversationId) -> bool {
        self.changes.of(conversation) > self.looked_at
    }

    /// Ends when this conversation has changed; when anything has, if none is named.
    pub(super) async fn wait(&mut self, conversation: Option<ConversationId>) -> Result<()> {
        loop {
            let newest = *self.newest.borrow_and_update();
            let is_news = newest > self.looked_at;
            if is_news && conversation.is_none_or(|id| self.has_changed(id)) {
                return Ok(());
            }
            self.newest.changed().await.map_err(|_| Kind::Closed)?;
        }
    }
}
