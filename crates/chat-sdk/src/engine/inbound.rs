//! What comes from the relay: frames are sorted, batched, and applied one batch at a time.

use std::sync::Arc;
use std::time::Duration;

use chat_core::frame::{RelayFrame, Typing};
use chat_core::limits::DELIVERY_WINDOW_MESSAGES;
use chat_core::reject::{Reject, RejectCode};

use super::{Done, Engine, Phase};
use crate::connection::Report;
use crate::error::{Error, Kind, RETRY_AFTER_MAX, Result};
use crate::event::{ConnectionState, Event};
use crate::opening::Arrival;
use crate::prekeys::{self, Occasion};
use crate::resume;
use crate::store::receipts;
use crate::sync::{self, Inbound, Received};
use crate::tasks::Instant;

/// Most frames of one batch: a window of deliveries and what comes with it.
const BATCH_MAX: usize = 2 * DELIVERY_WINDOW_MESSAGES;

impl Engine {
    pub(super) fn on_report(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Frame(frame) => {
                self.heard_at = Instant::now();
                self.on_frame(frame)
            }
            Report::Lost(error) => Err(error.unwrap_or_else(|| Kind::Offline.into())),
        }
    }

    fn on_frame(&mut self, frame: RelayFrame) -> Result<()> {
        match frame {
            RelayFrame::Connected { address, epoch, .. } => {
                if address != self.hub.context.own.address {
                    return Err(Kind::RelayFault.into());
                }
                self.on_connected(epoch);
            }
            RelayFrame::Accepted { request, sequence, at } => {
                self.on_accepted(request, sequence, at)
            }
            RelayFrame::Deliver { sequence, at, envelope } => {
                match Arrival::read(sequence, at, envelope) {
                    Some(arrival) => self.take(Inbound::Arrival(Box::new(arrival))),
                    // Without a header nobody can say where it belongs.
                    None => return Err(Kind::RelayFault.into()),
                }
            }
            RelayFrame::Deleted { conversation, sequence, message, deletion } => {
                let deletion = deletion.map(Box::new);
                self.take(Inbound::Deleted { conversation, sequence, message, deletion });
            }
            RelayFrame::Presence { presences } => {
                presences.into_iter().for_each(|one| self.hub.emit(Event::Presence(one)));
            }
            RelayFrame::CaughtUp => self.take(Inbound::CaughtUp),
            RelayFrame::Receipt { receipt } => self.take(Inbound::Receipt(Box::new(receipt))),
            RelayFrame::Membership { conversation, index } => {
                self.take(Inbound::Membership { conversation, index });
            }
            RelayFrame::DevicesChanged { account, number } => {
                self.take(Inbound::DevicesChanged { account, number });
            }
            RelayFrame::AccountDeleted { account } => {
                self.take(Inbound::AccountDeleted { account });
            }
            RelayFrame::Typing { conversation, sender, state } => {
                let (account, typing) = (sender.account, state == Typing::Started);
                self.take(Inbound::Typing { conversation, account, typing });
            }
            RelayFrame::PrekeysLow { .. } => self.spawn_replenish(),
            RelayFrame::Draining { return_after_ms } => {
                let asked = Duration::from_millis(return_after_ms);
                self.return_after = Some(asked.min(RETRY_AFTER_MAX));
            }
            RelayFrame::Reject { request: Some(request), reject } => {
                self.on_rejected(request, reject);
            }
            RelayFrame::Reject { request: None, reject } => return Self::on_refusal(reject),
            RelayFrame::Pong { request } => self.on_pong(request),
            // A frame of a newer relay.
            _ => {}
        }
        Ok(())
    }

    fn on_connected(&mut self, epoch: u64) {
        match std::mem::replace(&mut self.phase, Phase::Offline) {
            Phase::Linked(wire) => self.enter(Phase::Up(wire), ConnectionState::Connected),
            // A greeting that comes twice changes nothing.
            phase => {
                self.phase = phase;
                return;
            }
        }
        self.hub.nudge.notify_one();
        let (hub, link) = (Arc::clone(&self.hub), self.link);
        self.jobs.spawn(async move { Done::Resumed(link, resume::resume(&hub, epoch).await) });
    }

    /// A refusal of nothing in particular: of the connection, or of a frame without a number.
    fn on_refusal(reject: Reject) -> Result<()> {
        match reject.code {
            RejectCode::DeviceRemoved | RejectCode::Displaced | RejectCode::Draining => {
                Err(reject.into())
            }
            // The next connection asks for another token.
            RejectCode::TokenExpired | RejectCode::TokenInvalid | RejectCode::Unauthenticated => {
                Err(Error::from(Kind::Offline))
            }
            code => {
                tracing::debug!(code = code.code(), "the relay refused a frame");
                Ok(())
            }
        }
    }

    fn on_pong(&mut self, request: u32) {
        let Some((_, told)) = self.confirming.take_if(|(ping, _)| *ping == request) else { return };
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let outcome = hub.context.store.write(move |tx| {
                told.iter().try_for_each(|(conversation, kind, up_to)| {
                    receipts::sent(tx, *conversation, *kind, *up_to)
                })
            });
            Done::Aside(outcome.await)
        });
    }

    fn spawn_replenish(&mut self) {
        // SECURITY: each set is a hundred key pairs, and kept for a month; a relay may not have them
        // made as fast as it can ask.
        if !self.hub.may_replenish() {
            return;
        }
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let outcome = prekeys::replenish(&hub.context, Occasion::Low).await;
            // The relay will say it again.
            Done::Aside(outcome.or_else(|error| match error.kind() {
                Kind::StoreFailed => Err(error),
                _ => Ok(()),
            }))
        });
    }

    fn take(&mut self, inbound: Inbound) {
        self.inbox.push(inbound);
        self.apply_inbox();
    }

    /// Applies what came while the last batch was being committed.
    fn apply_inbox(&mut self) {
        if self.receiving || self.inbox.is_empty() {
            return;
        }
        self.receiving = true;
        let count = self.inbox.len().min(BATCH_MAX);
        let batch: Vec<_> = self.inbox.drain(..count).collect();
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Received(sync::receive(&hub, batch).await) });
    }

    pub(super) async fn on_received(&mut self, outcome: Result<Received>) -> Result<()> {
        self.receiving = false;
        let received = outcome?;
        for frame in received.frames {
            self.write(frame)?;
        }
        self.spawn_learn(received.learn);
        self.spawn_fetch(received.given);
        if received.caught_up && matches!(self.phase, Phase::Up(_)) {
            self.drained = true;
            self.note_caught_up();
        }
        self.apply_inbox();
        self.arm_expiry().await;
        self.tell_receipts().await
    }
}
