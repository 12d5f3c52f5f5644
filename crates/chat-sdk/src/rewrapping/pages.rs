//! A page of the log, and its messages' secrets wrapped for one more account.

use chat_core::api::conversations::{AddedWrap, StoredMessage};
use chat_core::envelope::{Envelope, Suite, Wrap, WrapScheme};
use chat_core::id::ConversationId;
use chat_core::limits::PAGE_MAX;
use chat_core::receipt::Sequence;
use chat_crypto::envelope::{open_disclosed, unwrap_for_account};
use chat_crypto::wrap::MessageSecret;
use rand_core::CryptoRng;

use crate::context::Own;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::recipients::AccountRecipient;
use crate::store::cursors;
use crate::tasks;

/// How many places of the log are done in one step; a place has one message.
const PLACES: Sequence = PAGE_MAX as Sequence;
/// Behind the first page.
pub(super) const FIRST_END: Sequence = PLACES + 1;

/// What was made of a page.
pub(super) struct Page {
    pub(super) wraps: Vec<AddedWrap>,
    /// The first place of the page.
    pub(super) begins_at: Sequence,
}

/// The place behind the last message that the relay has at the moment.
///
/// # Errors
///
/// What befalls every request.
pub(super) async fn end_of(hub: &Hub, conversation: ConversationId) -> Result<Sequence> {
    let mut end = hub.context.store.read(move |tx| cursors::applied(tx, conversation)).await?;
    loop {
        let page = hub.context.relay.messages(conversation, end).await?;
        match page.messages.last() {
            Some(last) if last.sequence > end => end = last.sequence,
            _ => return Ok(end.saturating_add(1)),
        }
        if !page.more {
            return Ok(end.saturating_add(1));
        }
    }
}

/// Wraps what this account can open of the page before a place.
///
/// # Errors
///
/// What befalls every request.
pub(super) async fn page_before(
    hub: &Hub,
    conversation: ConversationId,
    before: Sequence,
    scheme: WrapScheme,
    to: AccountRecipient,
) -> Result<Page> {
    let begins_at = before.saturating_sub(PLACES).max(1);
    let messages = messages(hub, conversation, begins_at, before).await?;
    let (own, mut rng) = (hub.context.own.clone(), hub.context.rng());
    let wrap_all = move || {
        let wrapped =
            messages.into_iter().filter_map(|StoredMessage { sequence, envelope, .. }| {
                let wrap = rewrap(&own, conversation, &envelope?, scheme, &to, &mut rng)?;
                Some(AddedWrap { sequence, wrap })
            });
        wrapped.collect()
    };
    // A hundred of the slow steps of public keys.
    let wraps = tasks::aside(wrap_all).await.map_err(|error| Kind::Internal.because(error))?;
    Ok(Page { wraps, begins_at })
}

/// The messages from a place to before another.
async fn messages(
    hub: &Hub,
    conversation: ConversationId,
    begins_at: Sequence,
    before: Sequence,
) -> Result<Vec<StoredMessage>> {
    let (mut after, mut found) = (begins_at.saturating_sub(1), Vec::new());
    loop {
        // A page of large messages is shorter.
        let page = hub.context.relay.messages(conversation, after).await?;
        let reached = page.messages.last().map(|last| last.sequence);
        let within = |message: &StoredMessage| (begins_at..before).contains(&message.sequence);
        found.extend(page.messages.into_vec().into_iter().filter(within));
        match reached {
            Some(last) if page.more && last > after && last < before => after = last,
            _ => return Ok(found),
        }
    }
}

/// The secret of a message, for one more account; nothing for what is not given, and for what we
/// cannot open ourselves.
fn rewrap(
    own: &Own,
    conversation: ConversationId,
    envelope: &Envelope,
    scheme: WrapScheme,
    to: &AccountRecipient,
    rng: &mut impl CryptoRng,
) -> Option<Wrap> {
    let header = envelope.read_header().ok()?;
    let is_given = header.suite == Suite::Signed
        && header.expiry.is_none()
        && header.conversation == conversation;
    if !is_given {
        return None;
    }
    let secret = secret(own, envelope, rng)?;
    secret.rewrap(envelope.binding(), &to.keys, scheme, to.list, rng).ok()
}

/// The secret by one of our own wraps.
///
/// SECURITY: the relay chooses what it shows. A wrap opens with the binding of the very envelope it
/// was made for, and what does not open with its secret is passed on to nobody.
fn secret(own: &Own, envelope: &Envelope, rng: &mut impl CryptoRng) -> Option<MessageSecret> {
    let keyring = own.keyring.get();
    let mut ours = envelope.wraps.iter().filter(|wrap| wrap.is_for(own.address));
    ours.find_map(|wrap| {
        let (secret, _) = unwrap_for_account(envelope, wrap, &keyring, rng).ok()?;
        open_disclosed(envelope, &secret).ok().map(|_| secret)
    })
}

#[cfg(test)]
mod tests;
