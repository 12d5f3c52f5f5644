//! Deleting for everybody: our word to the relay, and the relay's word to us.
//!
//! ```text
//!  delete ─▶ sealed deletion to the devices (outbox)
//!        └─▶ signed deletion, kept until the relay has it ─▶ relay erases, tells ─▶ checked, erased
//! ```
//!
//! The sealed one reaches devices that have the message; the signed one keeps it from those that do
//! not have it yet. The relay's word that a message is gone counts only with such a signature.
//! Normative: `docs/protocol/deletion.md`.

use chat_core::deletion::{Deletion, SignedDeletion, VERSION};
use chat_core::id::{ConversationId, MessageId};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::content::Content;
use crate::context::Own;
use crate::devices;
use crate::error::Result;
use crate::hub::Hub;
use crate::store::{annotations, conversations, deletions, messages};

/// Signs that a message is to be gone, and keeps that until the relay has it.
pub(crate) fn queue(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    message: MessageId,
    now: Timestamp,
) -> Result<()> {
    let author = own.address;
    let deletion = Deletion { version: VERSION, conversation, message, author, at: now };
    let signed = own.device.sign_object(&deletion)?;
    deletions::push(tx, &deletion, &SignedDeletion { signer: author, deletion: signed })
}

/// Hands the relay every deletion that it does not have.
///
/// What may pass is left for the next time; what the relay refuses for good is given up, since
/// the sealed deletion does its work without the relay.
pub(crate) async fn tell(hub: &Hub) -> Result<()> {
    let _one_at_a_time = hub.deleting.lock().await;
    for (conversation, message, signed) in hub.context.store.read(deletions::pending).await? {
        match hub.context.relay.delete_message(conversation, signed).await {
            Err(error) if error.is_transient() => return Ok(()),
            Err(error) => tracing::debug!(code = error.code(), "the relay keeps its copy"),
            Ok(()) => {}
        }
        hub.context.store.write(move |tx| deletions::remove(tx, message)).await?;
    }
    Ok(())
}

/// Erases a message of which the relay says that it was deleted, if somebody has signed that who
/// may; tells whether it shows something else now.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    signed: SignedDeletion,
    now: Timestamp,
) -> Result<bool> {
    let Some(deletion) = verify(tx, signed)? else { return Ok(false) };
    if (deletion.conversation, deletion.message) != (conversation, message) {
        return Ok(false);
    }
    let Some(row) = conversations::load(tx, conversation)? else { return Ok(false) };
    let author = deletion.author.account;
    let Some(target) = messages::load(tx, message)? else {
        // SECURITY: whose it was is not known, so this may explain a gap of the author's own only.
        if !messages::is_known(tx, message)? {
            deletions::withdraw(tx, conversation, message, author)?;
        }
        return Ok(false);
    };
    // SECURITY: a relay may not erase at will what people keep.
    let is_theirs = target.conversation == conversation
        && row.membership.may_delete(author, target.sender.account);
    let shown = Content::read(&target.kind, &target.body);
    if !is_theirs || matches!(shown, Content::Deleted | Content::Title(_)) {
        return Ok(false);
    }
    annotations::erase(tx, message, now)?;
    Ok(true)
}

/// The deletion, if the device that it names signed it while it was its account's.
fn verify(tx: &Transaction<'_>, signed: SignedDeletion) -> Result<Option<Verified<Deletion>>> {
    let devices = devices::known(tx, signed.signer.account)?;
    Ok(devices.and_then(|devices| signed.verify(&devices).ok()))
}

#[cfg(test)]
mod tests;
