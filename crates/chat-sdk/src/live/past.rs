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
//!
//! What was said before this account came, and is still to be wrapped for it, does not count as held:
//! it stays a gap, and is there when somebody has done that. See [`crate::rewrapping`].

use chat_core::api::conversations::{MessagePage, StoredMessage};
use chat_core::envelope::Suite;
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::PAGE_MAX;
use chat_core::membership::History;
use chat_core::receipt::Sequence;
use rusqlite::Transaction;

use crate::context::Own;
use crate::devices;
use crate::error::Result;
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::catch_up;
use crate::opening::{self, Arrival};
use crate::store::conversations::{self, ConversationRow};
use crate::store::history::{self, Gap};
use crate::sync::pass_over;

/// Asks for the newest page of what stands in a gap, and notes what was shown; gives which places
/// these are.
///
/// # Errors
///
/// What befalls every request; [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub(crate) async fn fetch(hub: &Hub, conversation: ConversationId, gap: Gap) -> Result<Gap> {
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

/// Asks for the newest page of the newest gap, if there is one.
///
/// # Errors
///
/// As [`fetch`].
pub(crate) async fn fetch_newest(hub: &Hub, conversation: ConversationId) -> Result<()> {
    let gaps = move |tx: &Transaction<'_>| history::gaps(tx, conversation, Sequence::MIN);
    match hub.context.store.read(gaps).await?.pop() {
        Some(gap) => fetch(hub, conversation, gap).await.map(drop),
        None => Ok(()),
    }
}

/// Stores what a page after `after` shows up to `last`; both are held then, as far as it goes.
async fn take(
    hub: &Hub,
    conversation: ConversationId,
    after: Sequence,
    last: Sequence,
    page: MessagePage,
) -> Result<Gap> {
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
        let (mut events, mut closed) = (Vec::new(), Vec::new());
        for arrival in arrivals {
            let Some(row) = conversations::load(tx, conversation)? else { break };
            if is_to_be_wrapped(&own, &row, &arrival) {
                closed.push(arrival.sequence);
            }
            events.extend(opening::past::apply(tx, &own, &row, &arrival, now, &mut rng)?);
        }
        for held in between(shown, closed) {
            history::hold(tx, conversation, held)?;
        }
        Ok(events)
    };
    for event in hub.context.store.write(apply).await? {
        hub.emit(event);
    }
    hub.nudge.notify_one();
    Ok(shown)
}

/// Tells whether a message may still be wrapped for this account, which came after it.
fn is_to_be_wrapped(own: &Own, row: &ConversationRow, arrival: &Arrival) -> bool {
    let reads_all = row.membership.policy().history == History::FromBeginning;
    let may_be_given = arrival.header.suite == Suite::Signed && arrival.header.expiry.is_none();
    let is_closed = !arrival.envelope.wraps.iter().any(|wrap| wrap.is_for(own.address));
    reads_all && may_be_given && is_closed
}

/// What is left of `shown` between these places.
fn between(shown: Gap, mut places: Vec<Sequence>) -> Vec<Gap> {
    places.sort_unstable();
    let mut first = shown.first;
    let mut left = Vec::new();
    for place in places {
        left.push(Gap { first, last: place.saturating_sub(1) });
        first = place.saturating_add(1);
    }
    left.push(Gap { first, last: shown.last });
    left
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_between_places_neither_holds_them_nor_loses_anything_else() {
        let gap = |first, last| Gap { first, last };
        let held = |places: &[Sequence]| -> Vec<Gap> {
            let all = between(gap(3, 9), places.to_vec());
            all.into_iter().filter(|held| held.first <= held.last).collect()
        };

        assert_eq!(held(&[]), [gap(3, 9)]);
        assert_eq!(held(&[5, 4]), [gap(3, 3), gap(6, 9)]);
        assert_eq!(held(&[3, 9]), [gap(4, 8)]);
        assert_eq!(held(&[3, 4, 5, 6, 7, 8, 9]), []);
        assert_eq!(held(&[5, 5]), [gap(3, 4), gap(6, 9)], "a relay may say a place twice");
    }
}
