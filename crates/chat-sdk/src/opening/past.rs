//! Opening a message of the past: by the same checks as one that is delivered, and with less to do.
//!
//! It is in nobody's count any more, hands out no chain, and is not new: it counts as seen. Its
//! sender must have been a member at the entry that its header names, and at the newest that any
//! message before it has named. What has no wrap for this device, or came on a key that is long
//! spent, is no reason to warn of: most of the past of other devices is like that.

use rand_core::CryptoRng;
use rusqlite::Transaction;

use chat_core::envelope::Suite;
use chat_core::time::Timestamp;

use super::parked::{self, Came};
use super::{
    Arrival, Closed, annotate, aside, message_row, not_authentic, open_for_us, rename, why_not_kept,
};
use crate::content::Content;
use crate::context::Own;
use crate::error::Result;
use crate::event::{Event, Warning};
use crate::message::Status;
use crate::store::conversations::{self, ConversationRow};
use crate::store::tombstones::{self, Gone};
use crate::store::{annotations, disclosures, history, messages, progress};

/// Opens a message of the past and stores what it holds; gives what to tell the app.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Event>> {
    let header = &arrival.header;
    let (conversation, sender, message) = (header.conversation, header.sender, header.message);
    if header.suite == Suite::HandOut || messages::is_known(tx, message)? {
        return Ok(Vec::new());
    }
    let wrap = arrival.envelope.wraps.iter().find(|wrap| wrap.is_for(own.address));
    let Some(is_for_device) = wrap.map(|wrap| wrap.scheme.is_per_device()) else {
        return Ok(Vec::new());
    };
    let bury =
        |reason| tombstones::bury(tx, conversation, message, Some(arrival.sequence), reason, now);
    let was_unreadable = tombstones::is_unreadable(tx, message)?;
    if !was_member(tx, row, arrival)? {
        bury(Gone::Unreadable)?;
        let warning = Warning::NotAMember { conversation, sender, message };
        return Ok(vec![Event::Warning(warning)]);
    }
    let opened = match open_for_us(tx, own, arrival, now, rng)? {
        Ok(opened) => opened,
        Err(Closed::Awaits { epoch })
            if parked::keep(tx, arrival, epoch, Came::FromThePast, now)? =>
        {
            return Ok(Vec::new());
        }
        Err(closed) => {
            let warning = match closed {
                Closed::Not(warning) => warning,
                Closed::Awaits { .. } => not_authentic(header),
            };
            bury(Gone::Unreadable)?;
            let is_news = !is_for_device && !was_unreadable;
            return Ok(is_news.then_some(Event::Warning(warning)).into_iter().collect());
        }
    };
    tombstones::unbury(tx, message)?;
    let mut events: Vec<Event> = opened.warning.map(Event::Warning).into_iter().collect();
    let content = Content::read(&opened.content.kind, &opened.content.body);
    let mut message = message_row(own, arrival, opened.content, &content, now);
    if let Some(why) = why_not_kept(tx, own, header, &message, &content, now)? {
        bury(why)?;
        return Ok(events);
    }
    if content.is_aside() {
        events.extend(aside::apply(tx, own, row, &message, &content, now)?);
        return Ok(events);
    }
    message.status = if message.outgoing { Status::Sent } else { Status::Seen };
    progress::insert_placed(tx, &message, now)?;
    disclosures::keep(tx, message.id, &opened.secret)?;
    history::see(tx, message.id, now)?;
    if let (Content::Title(title), None) = (&content, &row.title) {
        rename(tx, row, header, title)?;
    } else if content.target().is_some() {
        annotate(tx, &row.membership, header, &content, now)?;
    } else if annotations::is_deleted(tx, &message)? {
        annotations::erase(tx, message.id, now)?;
    }
    Ok(events)
}

/// Tells whether the sender was a member where the message stands in the log, whatever was said
/// after it.
pub(super) fn was_member(
    tx: &Transaction<'_>,
    row: &ConversationRow,
    arrival: &Arrival,
) -> Result<bool> {
    let (id, account) = (arrival.header.conversation, arrival.header.sender.account);
    let newest = row.membership.index();
    let named = arrival.header.membership_index.min(newest);
    let before = history::named_before(tx, id, arrival.sequence)?.min(newest);
    Ok(conversations::was_member(tx, id, account, named)?
        && conversations::was_member(tx, id, account, named.max(before))?)
}

#[cfg(test)]
mod tests {
    use chat_core::envelope::{Envelope, WrapScheme};
    use chat_core::id::ConversationId;
    use chat_core::membership::{Change, Policy};
    use chat_core::receipt::Sequence;

    use super::*;
    use crate::settings::{self, Name};
    use crate::stage::{NOW, Person, group};
    use crate::store::{Place, conversations, timeline};

    const HISTORY: Policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };

    #[tokio::test]
    async fn what_is_read_of_the_past_is_shown_once_and_not_new() {
        let [alice, bob, _] = people().await;
        let chat = group(&[&alice, &bob], HISTORY).await;
        let message = alice.says(chat, "long ago").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;

        let events = reads(&bob, 3, &envelope).await;
        let again = reads(&bob, 3, &envelope).await;

        assert!(events.is_empty() && again.is_empty());
        assert_eq!(bob.has(message).await.unwrap().status, Status::Seen);
        let unseen = bob.write(move |tx, _, _| timeline::unseen(tx, chat, NOW)).await;
        assert_eq!(unseen.messages, 0);
        assert!(bob.receipts().await.is_empty());
    }

    #[tokio::test]
    async fn what_somebody_blocked_said_stays_away_in_the_past_too() {
        let [alice, bob, _] = people().await;
        let chat = group(&[&alice, &bob], HISTORY).await;
        let blocked = alice.own.account();
        bob.write(move |tx, own, _| {
            settings::set(tx, own, Name::Blocked, blocked.as_bytes(), &true)
        })
        .await;
        let message = alice.says(chat, "buy this").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;

        let events = reads(&bob, 3, &envelope).await;

        assert!(events.is_empty() && bob.has(message).await.is_none());
    }

    #[tokio::test]
    async fn who_was_removed_before_says_nothing_in_the_past_either() {
        let [alice, bob, carol] = people().await;
        let chat = group(&[&alice, &bob, &carol], HISTORY).await;
        let message = carol.says(chat, "I am still here").await;
        let (_, envelope) = carol.seals(chat, &mut []).await;
        removed(&alice, &bob, &carol, chat).await;

        let after = reads(&bob, 7, &envelope).await;
        let refused = bob.has(message).await;
        let before = reads(&bob, 3, &envelope).await;

        assert!(matches!(after[..], [Event::Warning(Warning::NotAMember { .. })]));
        assert!(refused.is_none() && before.is_empty());
        assert_eq!(bob.has(message).await.unwrap().sequence, Some(3));
    }

    async fn people() -> [Person; 3] {
        [
            Person::new("alice", 1, Place::Memory).await,
            Person::new("bob", 2, Place::Memory).await,
            Person::new("carol", 3, Place::Memory).await,
        ]
    }

    /// Alice removes Carol, and says something at place 5 that names this; Bob hears of both.
    async fn removed(alice: &Person, bob: &Person, carol: &Person, chat: ConversationId) {
        let account = carol.own.account();
        let entry = alice.decides(Some(chat), Change::Remove { account }).await;
        alice.hears_of(chat, &entry).await;
        bob.hears_of(chat, &entry).await;
        alice.says(chat, "she is gone").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        let outcome = bob.opens(5, &envelope).await;
        assert!(outcome.warnings.is_empty());
    }

    async fn reads(person: &Person, place: Sequence, envelope: &Envelope) -> Vec<Event> {
        let arrival = Arrival::read(place, NOW, envelope.clone()).unwrap();
        person
            .write(move |tx, own, rng| {
                let row = conversations::load(tx, arrival.header.conversation)?.unwrap();
                apply(tx, own, &row, &arrival, NOW, rng)
            })
            .await
    }
}
