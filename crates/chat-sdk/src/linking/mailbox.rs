//! The relay's mailbox, from one of its two sides: messages out and in, each in the next slot.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::linking::{
    LINK_WAIT_MAX, LinkMessage, LinkRow, LinkSlot, ReadLinkSlot, WriteLinkSlot,
};
use chat_core::codec::Bytes;
use chat_core::time::Timestamp;
use chat_crypto::linking::Rendezvous;

use crate::api::Api;
use crate::clock::Clock;
use crate::error::{Kind, Result};

/// How long to wait after the relay could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

/// One side of a mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    api: Api,
    clock: Arc<dyn Clock>,
    rendezvous: Rendezvous,
    ours: LinkRow,
    written: u8,
    read: u8,
    /// After this the other side takes nothing any more.
    deadline: Timestamp,
}

impl Mailbox {
    pub(super) fn new(
        api: Api,
        clock: Arc<dyn Clock>,
        rendezvous: Rendezvous,
        ours: LinkRow,
        deadline: Timestamp,
    ) -> Self {
        Self { api, clock, rendezvous, ours, written: 0, read: 0, deadline }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts a message into our next slot.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkNotAuthentic`] if somebody else has written there; what befalls every request.
    pub(super) async fn put(&mut self, message: Vec<u8>) -> Result<()> {
        let write = WriteLinkSlot {
            to: self.slot(self.ours, self.written)?,
            message: Bytes::new(message)?,
        };
        loop {
            match self.api.link_write(&write).await {
                Ok(()) => break,
                // SECURITY: only who knows the code can have written there, and we have not.
                Err(error) if error.kind() == Kind::Conflict => {
                    return Err(Kind::LinkNotAuthentic.because(error));
                }
                Err(error) if error.is_transient() => self.wait(error.retry_after()).await?,
                Err(error) => return Err(error),
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Reads what must be there by now.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkExpired`] if it is not: the mailbox is gone, or at another relay.
    pub(super) async fn find(&mut self) -> Result<Vec<u8>> {
        let found = self.ask(Duration::ZERO).await?;
        found.ok_or_else(|| Kind::LinkExpired.into())
    }

    /// Waits for the other side's next message.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkExpired`] if none comes in time.
    pub(super) async fn take(&mut self) -> Result<Vec<u8>> {
        loop {
            self.check_time()?;
            match self.ask(LINK_WAIT_MAX).await {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) if error.is_transient() => self.wait(error.retry_after()).await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn ask(&mut self, patience: Duration) -> Result<Option<Vec<u8>>> {
        let theirs = match self.ours {
            LinkRow::Shows => LinkRow::Scans,
            LinkRow::Scans => LinkRow::Shows,
        };
        let wait_ms = u64::try_from(patience.as_millis()).unwrap_or_default();
        let read = ReadLinkSlot { from: self.slot(theirs, self.read)?, wait_ms };
        let LinkMessage { message } = self.api.link_read(&read).await?;
        self.read += u8::from(message.is_some());
        Ok(message.map(Bytes::into_vec))
    }

    /// Waits a moment before something is tried again.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkExpired`] if it is too late for that.
    pub(super) async fn wait(&self, pause: Option<Duration>) -> Result<()> {
        self.check_time()?;
        self.clock.pause(pause.unwrap_or(PAUSE).max(PAUSE)).await;
        Ok(())
    }

    fn check_time(&self) -> Result<()> {
        if self.now() > self.deadline { Err(Kind::LinkExpired.into()) } else { Ok(()) }
    }

    fn slot(&self, row: LinkRow, slot: u8) -> Result<LinkSlot> {
        let rendezvous = Bytes::new(self.rendezvous.as_bytes().to_vec())?;
        Ok(LinkSlot { rendezvous, row, slot })
    }
}
