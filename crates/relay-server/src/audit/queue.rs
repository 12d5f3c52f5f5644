//! From whoever notes something to the store, without anybody waiting for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat_core::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::event::{AuditEvent, AuditRecord, Note};
use crate::bus::NodeId;
use crate::clock::Clock;
use crate::limits::{Class, Subject};
use crate::storage::Storage;

/// How many notes may wait for the store.
const QUEUE_MAX: usize = 8_192;
/// How many are written together.
const BATCH_MAX: usize = 256;
/// How long to wait for a store that is away.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Somebody who goes on asking too often is noted once in this time.
const LIMIT_NOTED_EVERY: Duration = Duration::from_secs(60);
/// Of how many it is remembered that they were noted.
const LIMITED_MAX: usize = 1_024;

/// The way into the log.
#[derive(Debug)]
pub struct Audit {
    clock: Arc<dyn Clock>,
    node: NodeId,
    queue: mpsc::Sender<Item>,
    limited: Mutex<HashMap<(Class, Subject), Timestamp>>,
    lost: Arc<AtomicU64>,
    lost_in_all: AtomicU64,
    written: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Record(AuditRecord),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Begins to write into `storage`. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, node: NodeId) -> Self {
        let (queue, items) = mpsc::channel(QUEUE_MAX);
        let (lost, written) = <(Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let writer = Writer {
            storage,
            clock: clock.clone(),
            node,
            lost: lost.clone(),
            written: written.clone(),
        };
        tokio::spawn(writer.run(items));
        let (limited, lost_in_all) = (Mutex::default(), AtomicU64::new(0));
        Self { clock, node, queue, limited, lost, lost_in_all, written }
    }

    /// Notes something. Never waits: if the store was away for too long the note is given up, which
    /// is counted, and noted as soon as it is back.
    pub fn note(&self, note: Note) {
        let record = note.record(self.clock.now(), self.node);
        if self.queue.try_send(Item::Record(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.lost_in_all.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that somebody asks too often, once in a while.
    pub fn note_limited(&self, class: Class, subject: Subject) {
        let now = self.clock.now();
        {
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            if limited.len() >= LIMITED_MAX {
                limited.retain(|_, until| *until > now);
            }
            let is_noted = limited.get(&(class, subject)).is_some_and(|until| *until > now);
            if is_noted || limited.len() >= LIMITED_MAX {
                return;
            }
            limited.insert((class, subject), now.after(LIMIT_NOTED_EVERY));
        }
        let note = Note::refused(AuditEvent::LimitExceeded).saying(class.name());
        self.note(match subject {
            Subject::Account(account) | Subject::Member(account, _) => note.by_account(account),
            Subject::Device(device) => note.by(device),
            Subject::Address(address) => note.from(address),
            // A digest of what was typed as a name could be searched for.
            Subject::Name(_) => note,
        });
    }

    /// How many notes were written, and how many were given up.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.written.load(Ordering::Relaxed), self.lost_in_all.load(Ordering::Relaxed))
    }

    /// Waits until everything that was noted is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Item::Flush(done)).await.is_ok() {
            // An error means that the task is gone, and with it the reason to wait.
            let _ = written.await;
        }
    }
}

struct Writer {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    lost: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl Writer {
    /// Writes until nobody can note anything any more.
    async fn run(self, mut items: mpsc::Receiver<Item>) {
        let mut batch = Vec::new();
        while items.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let (mut records, mut waiting) = (Vec::new(), Vec::new());
            for item in batch.drain(..) {
                match item {
                    Item::Record(record) => records.push(record),
                    Item::Flush(done) => waiting.push(done),
                }
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let note = Note::refused(AuditEvent::NotesLost).saying(lost);
                records.push(note.record(self.clock.now(), self.node));
            }
            self.write(&records).await;
            for done in waiting {
                let _ = done.send(());
            }
        }
    }

    /// Tries until it is done; meanwhile the queue fills, and then notes are given up.
    async fn write(&self, records: &[AuditRecord]) {
        if records.is_empty() {
            return;
        }
        while let Err(error) = self.storage.append_audit(records).await {
            tracing::warn!(%error, "the audit log cannot be written; it is tried again");
            sleep(RETRY_AFTER).await;
        }
        let count = u64::try_from(records.len()).unwrap_or_default();
        self.written.fetch_add(count, Ordering::Relaxed);
    }
}
