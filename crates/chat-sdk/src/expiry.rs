//! Self-destruct: when a message's time is over, and what is left of it then.
//!
//! ```text
//!  after sent   deadline = accepted by the relay + after          on every device
//!  after seen   deadline = first seen here + after                 its recipients
//!                          when everybody has seen it + after      its sender
//! ```
//!
//! Each device goes by its own deadline; the relay's word that a message is gone counts only for
//! messages that have a timer. A message that is opened after its deadline is never shown. Erased
//! rows are overwritten (`secure_delete`), and the write-ahead log is emptied after each sweep.
//! Absent: a clock that is set back extends a timer by as much; the relay's deletion does not wait
//! for that.

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::error::{Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::store::messages::{self, Gone};

/// When a message vanishes that the relay accepted at `at`, if its timer runs from there.
///
/// A relay's clock that is ahead of ours does not extend the time.
pub(crate) fn deadline_once_accepted(
    expiry: Option<Expiry>,
    at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    expiry
        .filter(|expiry| expiry.mode == ExpiryMode::AfterSent)
        .map(|expiry| at.min(now).after(expiry.after()))
}

/// Erases every message whose time is over, and says which those were.
pub(crate) fn erase_due(
    tx: &Transaction<'_>,
    now: Timestamp,
) -> Result<Vec<(ConversationId, MessageId)>> {
    let due = messages::due(tx, now)?;
    for (conversation, message) in &due {
        let sequence = messages::load(tx, *message)?.and_then(|row| row.sequence);
        messages::bury(tx, *conversation, *message, sequence, Gone::Expired, now)?;
    }
    Ok(due)
}

/// Erases a message of which the relay says that it is gone, if it has a timer; tells whether.
pub(crate) fn erase_deleted(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    sequence: Sequence,
    now: Timestamp,
) -> Result<bool> {
    // SECURITY: a relay may not erase at will what people keep.
    let has_timer = messages::load(tx, message)?
        .is_some_and(|row| row.expiry.is_some() && row.conversation == conversation);
    Ok(has_timer && messages::bury(tx, conversation, message, Some(sequence), Gone::Deleted, now)?)
}

/// Erases what is due, from the files too, and tells listeners.
pub(crate) async fn sweep(hub: &Hub) -> Result<()> {
    let now = hub.context.now();
    let erased = hub.context.store.write(move |tx| erase_due(tx, now)).await?;
    if erased.is_empty() {
        return Ok(());
    }
    scrub(hub).await?;
    for (conversation, message) in erased {
        hub.emit(Event::Expired { conversation, message });
    }
    Ok(())
}

/// Empties the write-ahead log; a reader in another process puts that off to the next sweep.
pub(crate) async fn scrub(hub: &Hub) -> Result<()> {
    match hub.context.store.scrub().await {
        Err(error) if error.kind() == Kind::StoreBusy => {
            tracing::debug!("another process reads; the log is emptied with the next sweep");
            Ok(())
        }
        outcome => outcome,
    }
}
