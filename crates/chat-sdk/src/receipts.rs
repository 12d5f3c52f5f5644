//! Receipts: our own, signed and kept until the relay has them; others', verified and counted.
//!
//! ```text
//!  applied ─▶ delivered up to n ─┐                       ┌─▶ status of our messages
//!                                ├─ signed ─▶ relay ─▶ verified
//!  looked at ─▶ seen up to n ────┘                       └─▶ after-seen timers
//! ```
//!
//! One receipt covers everything up to a place, so a batch costs one.

mod reached;

use chat_core::id::ConversationId;
use chat_core::receipt::{Receipt, ReceiptKind, Sequence, SignedReceipt, VERSION};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

pub use self::reached::Reached;
use crate::context::Own;
use crate::devices;
use crate::error::Result;
use crate::event::Warning;
use crate::outbox::Progress;
use crate::settings;
use crate::store::{conversations, messages, progress, receipts};

/// Signs that this device holds everything up to `up_to`, if that is news.
pub(crate) fn delivered(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    up_to: Sequence,
    now: Timestamp,
) -> Result<bool> {
    sign(tx, own, conversation, ReceiptKind::Delivered, up_to, now)
}

/// Signs that everything that is here was looked at, and starts the timers that wait for that.
pub(crate) fn seen(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<bool> {
    let Some(last) = messages::last_incoming(tx, conversation)? else { return Ok(false) };
    messages::see(tx, conversation, last, now)?;
    if settings::is_read_in_secret(tx, own, conversation, last)? {
        return Ok(false);
    }
    sign(tx, own, conversation, ReceiptKind::Seen, last, now)
}

fn sign(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    kind: ReceiptKind,
    up_to: Sequence,
    now: Timestamp,
) -> Result<bool> {
    if receipts::furthest(tx, conversation, own.address, kind)? >= up_to {
        return Ok(false);
    }
    let receipt =
        Receipt { version: VERSION, conversation, reader: own.address, kind, up_to, at: now };
    let signed = own.device.sign_object(&receipt)?;
    receipts::keep_own(tx, &receipt, &SignedReceipt { signer: own.address, receipt: signed })
}

/// What came of a receipt.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Our messages that got further.
    pub(crate) progress: Progress,
    /// What was wrong with it.
    pub(crate) warning: Option<Warning>,
}

/// Verifies somebody's receipt and counts it.
pub(crate) fn count(
    tx: &Transaction<'_>,
    own: &Own,
    signed: SignedReceipt,
    now: Timestamp,
) -> Result<Counted> {
    let reader = signed.signer;
    if reader == own.address {
        return Ok(Counted::default());
    }
    let Some(receipt) = verify(tx, signed)? else {
        let warning = Some(Warning::ReceiptForged { reader });
        return Ok(Counted { warning, ..Counted::default() });
    };
    let conversation = receipt.conversation;
    let Some(row) = conversations::load(tx, conversation)? else { return Ok(Counted::default()) };
    if row.membership.role(reader.account).is_none() {
        return Ok(Counted::default());
    }
    let (delivered, seen) = receipts::furthest_of(tx, conversation, reader.account)?;
    if !receipts::keep(tx, &receipt)? {
        return Ok(Counted::default());
    }
    // A reader's clock that is ahead of ours does not extend a timer.
    let at = receipt.at.min(now);
    if reader.account == own.account() && receipt.kind == ReceiptKind::Seen {
        messages::see(tx, conversation, receipt.up_to, at)?;
    }
    let before = if receipt.kind == ReceiptKind::Seen { seen } else { delivered };
    let news = before.saturating_add(1)..=receipt.up_to;
    let progress = progress::raise(tx, conversation, news, own.account(), at)?;
    Ok(Counted { progress, warning: None })
}

/// The receipt, if the device that it names signed it while it was its account's.
fn verify(tx: &Transaction<'_>, signed: SignedReceipt) -> Result<Option<Verified<Receipt>>> {
    let reader = signed.signer;
    let Some(devices) = devices::known(tx, reader.account)? else { return Ok(None) };
    let certificate = devices.device_at(reader.device, Timestamp::default());
    let receipt = certificate.and_then(|certificate| signed.verify(certificate).ok());
    Ok(receipt.filter(|receipt| devices.device_at(reader.device, receipt.at).is_some()))
}

#[cfg(test)]
mod tests;
