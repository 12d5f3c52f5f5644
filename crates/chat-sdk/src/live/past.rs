//! What was before: history that the relay still has, asked for page by page.
//!
//! ```text
//!  gap  │◀──────────── first ······ last ─────────────▶│
//!                          │◀─── a page of 100 ───────▶│     asked for first: what is nearest
//!        nothing in it? ─▶ what comes first after the gap's beginning
//! ```
//!
//! What was shown counts as held whatever it was: gone, for other devices, or not readable here. A
//! message is opened as a delivered one is, by the same checks; what it is not is new, so that
//! nothing is counted as unread and no receipt is sent.

use chat_core::api::conversations::{MessagePage, StoredMessage};
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::PAGE_MAX;
use chat_core::receipt::Sequence;
use rusqlite::Transaction;

use crate::devices;
use crate::error::Result;
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::catch_up;
use crate::opening::{self, Arrival};
use crate::store::conversations;
use crate::store::history::{self, Gap};
use crate::sync::pass_over;

/// Asks for the newest page of what stands in a gap, and notes what was shown.
///
/// # Errors
///
/// What befalls every request; [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub(crate) async fn fetch(hub: &Hub, conversation: ConversationId, gap: Gap) -> Result<()> {
    let page_size = Sequence::try_from(PAGE_MAX).unwrap_or(Sequence::MAX);
    let before = gap.first.saturating_sub(1);
    let nearest = before.max(gap.last.saturating_sub(page_size));
    let page = hub.context.relay.messages(conversation, nearest).await?;
    let is_empty = page.messages.first().is_none_or(|message| message.sequence > gap.last);
    if !is_empty || nearest == before {
        return take(hub, conversation, nearest, gap.last, page).await;
    }
    // Nothing near the end of a long gap: perhaps there is nothing in it at all.
    let page = hub.context.relay.messages(conversation, before).await?;
    take(hub, conversation, before, gap.last, page).await
}

/// Stores what a page after `after` shows up to `last`; both are held then, as far as it goes.
async fn take(
    hub: &Hub,
    conversation: ConversationId,
    after: Sequence,
    last: Sequence,
    page: MessagePage,
) -> Result<()> {
    let reached = match page.messages.last() {
        Some(message) if page.more => message.sequence.min(last),
        _ => last,
    };
    let shown = Gap { first: after.saturating_add(1), last: reached };
    let within = |message: &StoredMessage| message.sequence <= reached;
    let arrivals: Vec<_> = page.messages.into_vec().into_iter().filter(within).collect();
    let arrivals: Vec<_> = arrivals
        .into_iter()
        .filter_map(|stored| Arrival::read(stored.sequence, stored.at, stored.envelope?))
        .filter(|arrival| arrival.header.conversation == conversation)
        .collect();
    prepare(hub, conversation, &arrivals).await?;
    let (own, now, mut rng) = (hub.context.own.clone(), hub.now(), hub.context.rng());
    let apply = move |tx: &Transaction<'_>| {
        let mut events = Vec::new();
        for arrival in arrivals {
            let Some(row) = conversations::load(tx, conversation)? else { break };
            events.extend(opening::past::apply(tx, &own, &row, &arrival, now, &mut rng)?);
        }
        history::hold(tx, conversation, shown)?;
        Ok(events)
    };
    for event in hub.context.store.write(apply).await? {
        hub.emit(event);
    }
    hub.nudge.notify_one();
    Ok(())
}

/// Fetches the log and the device lists that a page refers to and that we do not have.
async fn prepare(hub: &Hub, conversation: ConversationId, arrivals: &[Arrival]) -> Result<()> {
    let named = arrivals.iter().map(|arrival| arrival.header.membership_index).max();
    let senders: Vec<_> = arrivals.iter().map(|arrival| arrival.header.sender).collect();
    let missing = move |tx: &Transaction<'_>| {
        let row = conversations::load(tx, conversation)?;
        let is_behind = row.is_none_or(|row| named.is_some_and(|n| row.membership.index() < n));
        let mut accounts: Vec<AccountId> = Vec::new();
        for sender in senders {
            let known = devices::known(tx, sender.account)?;
            let has = known.and_then(|list| {
                list.device_at(sender.device, chat_core::time::Timestamp::default()).map(drop)
            });
            if has.is_none() && !accounts.contains(&sender.account) {
                accounts.push(sender.account);
            }
        }
        Ok((is_behind, accounts))
    };
    let (is_behind, accounts) = hub.context.store.read(missing).await?;
    if is_behind {
        pass_over(catch_up(hub, conversation).await)?;
    }
    for account in accounts {
        pass_over(learn(hub, account).await)?;
    }
    Ok(())
}
