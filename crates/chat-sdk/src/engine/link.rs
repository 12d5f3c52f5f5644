//! The way to the relay: begun, greeted, kept alive, given up and begun again.

use std::sync::Arc;
use std::time::Duration;

use chat_core::frame::ClientFrame;
use chat_core::limits::{DEAD_AFTER, HEARTBEAT_EVERY};
use chat_core::reject::RejectCode;

use super::{Done, Engine, Phase};
use crate::connection::Wire;
use crate::error::{Error, Kind, Result};
use crate::event::{ConnectionState, Event};
use crate::tasks::Instant;
use crate::transport::Link;

/// How long a client stays away after another process of the same device took its place.
const GIVE_WAY_FOR: Duration = Duration::from_secs(20);

impl Engine {
    pub(super) fn connect(&mut self) {
        self.timers.reconnect = None;
        self.enter(Phase::Connecting, ConnectionState::Connecting);
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Linked(hub.context.relay.connect().await) });
    }

    pub(super) fn on_linked(&mut self, outcome: Result<Link>) {
        self.connecting = false;
        // The app may have gone offline meanwhile; then the link is let go of unused.
        if !matches!(self.phase, Phase::Connecting) {
            return;
        }
        match outcome {
            Ok(link) => {
                self.link = self.link.wrapping_add(1);
                self.heard_at = Instant::now();
                self.phase = Phase::Linked(Wire::serve(link, self.link, &self.reporter));
                self.timers.heartbeat = Some(self.hub.context.clock.pause(HEARTBEAT_EVERY));
            }
            Err(error) => self.trouble(error),
        }
    }

    pub(super) async fn on_resumed(
        &mut self,
        link: u64,
        outcome: Result<Vec<ClientFrame>>,
    ) -> Result<()> {
        if link != self.link || !matches!(self.phase, Phase::Up(_)) {
            return Ok(());
        }
        for frame in outcome? {
            self.write(frame)?;
        }
        self.resumed = true;
        // What could not be told over the last connection is told over this one.
        self.hub.settle();
        self.hub.rewrap();
        self.failures = 0;
        self.note_caught_up();
        self.look_around().await
    }

    pub(super) fn note_caught_up(&self) {
        if self.resumed && self.drained {
            self.hub.caught_up.send_replace(true);
        }
    }

    pub(super) fn write(&self, frame: ClientFrame) -> Result<()> {
        match &self.phase {
            Phase::Up(wire) => wire.send(frame),
            // Whatever it was, the next connection makes up for it.
            _ => Ok(()),
        }
    }

    /// Something failed that the loop cannot mend: the connection is begun anew, later.
    pub(super) fn trouble(&mut self, error: Error) {
        match error.kind() {
            Kind::LoggedOut | Kind::DeviceRemoved => {
                tracing::info!(code = error.code(), "the device is logged out");
                self.drop_link();
                self.enter(Phase::LoggedOut, ConnectionState::LoggedOut);
                return;
            }
            Kind::StoreFailed | Kind::Internal => tracing::error!(?error, "the engine failed"),
            Kind::RelayNotTrusted => {
                tracing::warn!(?error, "the relay's certificate is not trusted")
            }
            _ => tracing::debug!(code = error.code(), "the connection is not to be had"),
        }
        if matches!(self.phase, Phase::Offline | Phase::Waiting | Phase::LoggedOut) {
            return;
        }
        self.drop_link();
        let asked = error.retry_after().max(self.return_after.take()).unwrap_or_default();
        // Another process of this device has connected; two that do not give way would take the
        // connection from each other for ever.
        let is_displaced = error.reject().is_some_and(|r| r.code == RejectCode::Displaced);
        let asked = if is_displaced { asked.max(GIVE_WAY_FOR) } else { asked };
        let pause = asked + self.backoff.pause(self.failures, &mut self.hub.context.rng());
        self.failures = self.failures.saturating_add(1);
        let until = self.hub.now().after(pause);
        self.timers.reconnect = Some(self.hub.context.clock.pause(pause));
        self.enter(Phase::Waiting, ConnectionState::Waiting { until });
    }

    /// Lets go of the link and of everything that was only known about it.
    pub(super) fn drop_link(&mut self) {
        self.link = self.link.wrapping_add(1);
        self.timers.heartbeat = None;
        self.timers.reconnect = None;
        for (_, lost) in self.in_flight.drain() {
            self.busy.remove(&lost.conversation);
        }
        self.inbox.clear();
        self.told.clear();
        self.unconfirmed.clear();
        self.confirming = None;
        self.wished = None;
        self.resumed = false;
        self.drained = false;
        self.hub.caught_up.send_replace(false);
    }

    pub(super) fn enter(&mut self, phase: Phase, state: ConnectionState) {
        self.phase = phase;
        if self.hub.connection.send_replace(state) != state {
            self.hub.emit(Event::Connection(state));
        }
    }

    /// Asks a quiet relay whether it is there, and gives up one that does not answer.
    pub(super) fn beat(&mut self) -> Result<()> {
        self.timers.heartbeat = Some(self.hub.context.clock.pause(HEARTBEAT_EVERY));
        let stalled = |since: Instant| since.elapsed() > DEAD_AFTER;
        if stalled(self.heard_at) || self.in_flight.values().any(|sent| stalled(sent.since)) {
            return Err(Kind::Offline.into());
        }
        let request = self.request();
        if self.confirming.is_none() && !self.unconfirmed.is_empty() {
            self.confirming = Some((request, std::mem::take(&mut self.unconfirmed)));
        }
        self.write(ClientFrame::Ping { request })
    }

    pub(super) fn request(&mut self) -> u32 {
        self.next_request = self.next_request.wrapping_add(1);
        self.next_request
    }
}
