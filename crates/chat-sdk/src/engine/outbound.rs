//! What goes to the relay: messages in order, one of a conversation at a time, and receipts.

use std::sync::Arc;

use chat_core::codec::List;
use chat_core::envelope::Envelope;
use chat_core::frame::ClientFrame;
use chat_core::id::{BlobId, ConversationId, MessageId};
use chat_core::limits::BLOBS_A_MESSAGE_MAX;
use chat_core::receipt::Sequence;
use chat_core::reject::Reject;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use super::{Done, Engine, InFlight, Phase};
use crate::error::Result;
use crate::sealing::Step;
use crate::sending;
use crate::store::{deletions, outbox, receipts, uploads};
use crate::tasks::Instant;
use crate::{deleting, presence};

/// Most conversations whose messages are prepared or on their way at once.
const LANES_MAX: usize = 32;

impl Engine {
    /// Begins to send the oldest message of each conversation that has one and is not busy.
    pub(super) async fn send_waiting(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Up(_)) {
            return Ok(());
        }
        for conversation in self.hub.context.store.read(outbox::waiting).await? {
            if self.busy.len() >= LANES_MAX {
                return Ok(());
            }
            if self.busy.insert(conversation) {
                let hub = Arc::clone(&self.hub);
                self.jobs.spawn(async move {
                    Done::Prepared(conversation, sending::prepare(&hub, conversation).await)
                });
            }
        }
        Ok(())
    }

    pub(super) async fn on_prepared(
        &mut self,
        conversation: ConversationId,
        outcome: Result<Step>,
    ) -> Result<()> {
        match outcome {
            Ok(Step::Send(message, envelope)) if matches!(self.phase, Phase::Up(_)) => {
                let named = move |tx: &Transaction<'_>| uploads::named_by(tx, message);
                let blobs = self.hub.context.store.read(named).await?;
                self.send(conversation, message, *envelope, blobs)
            }
            Ok(_) => {
                self.busy.remove(&conversation);
                self.send_waiting().await
            }
            Err(error) => {
                self.busy.remove(&conversation);
                Err(error)
            }
        }
    }

    fn send(
        &mut self,
        conversation: ConversationId,
        message: MessageId,
        envelope: Envelope,
        blobs: Option<List<BlobId, BLOBS_A_MESSAGE_MAX>>,
    ) -> Result<()> {
        let request = self.request();
        let sent = InFlight { conversation, message, since: Instant::now() };
        self.in_flight.insert(request, sent);
        self.write(ClientFrame::Send { request, envelope, blobs })
    }

    pub(super) fn on_accepted(&mut self, request: u32, sequence: Sequence, at: Timestamp) {
        let Some(InFlight { conversation, message, .. }) = self.in_flight.remove(&request) else {
            return;
        };
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let outcome = sending::accepted(&hub, conversation, message, sequence, at).await;
            Done::Settled(conversation, outcome)
        });
    }

    pub(super) fn on_rejected(&mut self, request: u32, reject: Reject) {
        let Some(InFlight { conversation, message, .. }) = self.in_flight.remove(&request) else {
            return;
        };
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let outcome = sending::rejected(&hub, conversation, message, reject).await;
            Done::Settled(conversation, outcome)
        });
    }

    /// Says how available we are, and whom we follow, if this link has not carried it yet.
    pub(super) async fn tell_wishes(&mut self) -> Result<()> {
        let version = self.hub.wishes.version();
        if !matches!(self.phase, Phase::Up(_)) || self.wished == Some(version) {
            return Ok(());
        }
        for frame in presence::frames(&self.hub).await? {
            self.write(frame)?;
        }
        self.wished = Some(version);
        Ok(())
    }

    /// Has the relay erase what was deleted here.
    pub(super) async fn tell_deletions(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Up(_))
            || self.hub.context.store.read(deletions::pending).await?.is_empty()
        {
            return Ok(());
        }
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move { Done::Aside(deleting::tell(&hub).await) });
        Ok(())
    }

    /// Sends our receipts that this link has not carried yet.
    pub(super) async fn tell_receipts(&mut self) -> Result<()> {
        if !matches!(self.phase, Phase::Up(_)) {
            return Ok(());
        }
        for pending in self.hub.context.store.read(receipts::pending).await? {
            let key = (pending.conversation, pending.kind);
            if self.told.get(&key).is_some_and(|up_to| *up_to >= pending.up_to) {
                continue;
            }
            self.write(ClientFrame::Receipt { receipt: pending.signed })?;
            self.told.insert(key, pending.up_to);
            self.unconfirmed.push((pending.conversation, pending.kind, pending.up_to));
        }
        Ok(())
    }
}
