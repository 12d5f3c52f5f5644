//! What is said aside: it takes effect when it is opened, and is then forgotten.
//!
//! A tombstone stays, so that what comes twice counts once.

use rusqlite::Transaction;

use chat_core::time::Timestamp;

use crate::content::Content;
use crate::context::Own;
use crate::error::Result;
use crate::event::Event;
use crate::store::conversations::ConversationRow;
use crate::store::messages::MessageRow;
use crate::store::tombstones::{self, Gone};
use crate::{asking, details, keyring, profile, settings};

/// Lets something said aside take effect, as far as its sender may; gives what to tell the app.
pub(super) fn apply(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    message: &MessageRow,
    content: &Content,
    now: Timestamp,
) -> Result<Vec<Event>> {
    let (id, sender) = (message.conversation, message.sender.account);
    tombstones::bury(tx, id, message.id, message.sequence, Gone::Applied, now)?;
    match content {
        Content::Settings(registers) if settings::is_among_us(tx, own, &row.membership)? => {
            settings::merge(tx, own, registers, now)
        }
        Content::KeyringLock(lock) if settings::is_among_us(tx, own, &row.membership)? => {
            Ok(Vec::from_iter(keyring::hear(tx, lock)?.then_some(Event::KeyringRenewed)))
        }
        Content::ChainRequest(of) => {
            asking::hear(tx, own, id, message.sender, *of).map(|()| Vec::new())
        }
        Content::HistoryGiven(to) if *to == own.account() => {
            let is_theirs = row.membership.may_give_history(sender);
            let given = Event::HistoryGiven { conversation: id, by: sender };
            Ok(Vec::from_iter(is_theirs.then_some(given)))
        }
        Content::Profile(profile) => profile::hear(tx, own, id, sender, profile),
        Content::Details(details) => details::hear(tx, row, message, details),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use chat_core::membership::{ConversationKind, Policy};

    use super::*;
    use crate::message::Draft;
    use crate::stage::{Person, begin};
    use crate::store::Place;

    #[tokio::test]
    async fn only_who_may_give_the_past_says_that_it_is_given() {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let carol = Person::new("carol", 3, Place::Memory).await;
        let people = [&alice, &bob, &carol];
        let (chat, _) = begin(ConversationKind::Channel, &people, Policy::CHANNEL).await;
        let (to_carol, to_bob) = (carol.own.account(), bob.own.account());
        let mut heard = Vec::new();

        for (place, giver, to) in [(1, &alice, to_carol), (2, &alice, to_bob), (3, &bob, to_carol)]
        {
            giver.says_with(chat, Draft::of(Content::HistoryGiven(to))).await;
            let (message, envelope) = giver.seals(chat, &mut []).await;
            giver.is_told(message, place).await;
            heard.push(carol.opens(place, &envelope).await.aside);
        }

        let [by_alice, to_another, by_who_may_not] = heard.try_into().unwrap();
        let by = alice.own.account();
        assert!(
            matches!(by_alice[..], [Event::HistoryGiven { by: giver, .. }] if giver == by),
            "{by_alice:?}"
        );
        assert!(to_another.is_empty() && by_who_may_not.is_empty());
    }
}
