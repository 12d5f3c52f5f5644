//! The hub: what the engine and everybody who calls a client share.
//!
//! Callers change the store and nudge the engine; the engine and its jobs change the store and
//! emit events. Neither waits for the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use chat_core::id::DeviceAddress;
use chat_core::time::Timestamp;
use tokio::sync::{Notify, broadcast, watch};

use crate::ageing::Warned;
use crate::context::Context;
use crate::event::{ConnectionState, EVENTS_MAX, Event, Events, Warning};
use crate::presence::Wishes;
use crate::typing::Outgoing;

/// Shared by the parts of a running client.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) context: Context,
    /// None once the client is closed, so that listeners hear of the end.
    events: RwLock<Option<broadcast::Sender<Event>>>,
    pub(crate) connection: watch::Sender<ConnectionState>,
    /// Whether everything that waited at the relay when the connection was made has been applied.
    pub(crate) caught_up: watch::Sender<bool>,
    /// Counts what leaves the outbox.
    pub(crate) progress: watch::Sender<u64>,
    /// Something in the store wants the engine's attention.
    pub(crate) nudge: Notify,
    /// Whether something may have been settled here that nobody was told of.
    settled: AtomicBool,
    /// Whether something may be due at another time than the engine knows.
    rescheduled: AtomicBool,
    /// Whether there may be somebody to wrap the past for.
    rewraps: AtomicBool,
    /// What is being typed here.
    pub(crate) typing: Outgoing,
    /// What the app wants of presence.
    pub(crate) wishes: Wishes,
    /// Held by who tells the relay of deletions.
    pub(crate) deleting: tokio::sync::Mutex<()>,
    /// Devices whose sessions grow old, as far as listeners were told.
    warned: Mutex<Warned>,
    /// When prekeys were last made because the relay said so.
    replenished_at: Mutex<Option<Timestamp>>,
}

/// The shortest time between two sets of prekeys that are made because the relay says so.
const REPLENISH_EVERY: Duration = Duration::from_secs(15 * 60);

impl Hub {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            events: RwLock::new(Some(broadcast::Sender::new(EVENTS_MAX))),
            connection: watch::Sender::new(ConnectionState::Offline),
            caught_up: watch::Sender::new(false),
            progress: watch::Sender::new(0),
            nudge: Notify::new(),
            settled: AtomicBool::new(true),
            rescheduled: AtomicBool::new(true),
            rewraps: AtomicBool::new(true),
            typing: Outgoing::default(),
            wishes: Wishes::default(),
            deleting: tokio::sync::Mutex::default(),
            warned: Mutex::default(),
            replenished_at: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// Tells listeners; that there is none is no error.
    pub(crate) fn emit(&self, event: Event) {
        if let Some(events) = &*self.events.read().unwrap_or_else(PoisonError::into_inner) {
            let _ = events.send(event);
        }
    }

    /// A new listener's place.
    pub(crate) fn listen(&self) -> Events {
        match &*self.events.read().unwrap_or_else(PoisonError::into_inner) {
            Some(events) => Events::of(events),
            None => Events::of(&broadcast::Sender::new(1)),
        }
    }

    /// Tells listeners that nothing will happen any more.
    pub(crate) fn end(&self) {
        *self.events.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn warn(&self, warning: Warning) {
        tracing::debug!(?warning, "something does not fit");
        self.emit(Event::Warning(warning));
    }

    /// Warns of a session that grows old, once a day.
    pub(crate) fn warn_of_age(&self, device: DeviceAddress) {
        let is_due = {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            warned.is_due(device, self.now())
        };
        if is_due {
            self.warn(Warning::SessionOld { device });
        }
    }

    /// Whether another set of prekeys may be made because the relay says so; if it may, that counts.
    pub(crate) fn may_replenish(&self) -> bool {
        let now = self.now();
        let mut last = self.replenished_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| now.since(last) >= REPLENISH_EVERY);
        if may {
            *last = Some(now);
        }
        may
    }

    /// Notes that something was settled that others are to be told.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Tells, once, whether something was settled.
    pub(crate) fn take_settled(&self) -> bool {
        self.settled.swap(false, Ordering::SeqCst)
    }

    /// Notes that something is to be said at another time.
    pub(crate) fn reschedule(&self) {
        self.rescheduled.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Tells, once, whether something is to be said at another time.
    pub(crate) fn take_rescheduled(&self) -> bool {
        self.rescheduled.swap(false, Ordering::SeqCst)
    }

    /// Notes that there may be somebody to wrap the past for.
    pub(crate) fn rewrap(&self) {
        self.rewraps.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Tells, once, whether there may be somebody to wrap the past for.
    pub(crate) fn take_rewraps(&self) -> bool {
        self.rewraps.swap(false, Ordering::SeqCst)
    }

    /// Notes that the outbox has changed.
    pub(crate) fn progressed(&self) {
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }
}
