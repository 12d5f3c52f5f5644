//! Cursors on their way to the store: gathered for a moment, written together.
//!
//! What is lost in between is delivered again, and devices recognise what they have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::receipt::Sequence;
use tokio::sync::Notify;

use crate::failpoint::{Point, may_fail};
use crate::storage::{Acknowledgement, Storage, StorageError};

/// How long cursors gather.
const GATHER: Duration = Duration::from_millis(200);

/// Cursors that are not stored yet.
#[derive(Debug)]
pub struct Acknowledgements {
    storage: Arc<dyn Storage>,
    waiting: Mutex<HashMap<(DeviceAddress, ConversationId), Sequence>>,
    /// Held by who is writing.
    writing: tokio::sync::Mutex<()>,
    wake: Notify,
}

impl Acknowledgements {
    /// Writes to `storage`.
    #[must_use]
    pub fn over(storage: Arc<dyn Storage>) -> Self {
        let (waiting, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { storage, waiting, writing, wake: Notify::new() }
    }

    /// Notes that a device holds everything up to a sequence.
    pub fn note(&self, address: DeviceAddress, conversation: ConversationId, up_to: Sequence) {
        let mut waiting = self.lock();
        let noted = waiting.entry((address, conversation)).or_default();
        *noted = up_to.max(*noted);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Writes what has gathered, again and again; does not return.
    pub async fn run(&self) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            self.flush().await;
        }
    }

    /// Writes what has gathered; what somebody else is writing meanwhile is written, too, when this
    /// ends.
    pub async fn flush(&self) {
        let _writing = self.writing.lock().await;
        let taken = std::mem::take(&mut *self.lock());
        let cursors: Vec<_> = taken
            .iter()
            .map(|((address, conversation), up_to)| Acknowledgement {
                address: *address,
                conversation: *conversation,
                up_to: *up_to,
            })
            .collect();
        if cursors.is_empty() {
            return;
        }
        if let Err(error) = self.store(&cursors).await {
            tracing::warn!(%error, count = cursors.len(), "cursors are not stored yet");
            for ((address, conversation), up_to) in taken {
                self.note(address, conversation, up_to);
            }
        }
    }

    async fn store(&self, cursors: &[Acknowledgement]) -> Result<(), StorageError> {
        may_fail(Point::Gathered)?;
        self.storage.acknowledge(cursors).await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(DeviceAddress, ConversationId), Sequence>> {
        // What the lock guards is whole between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
