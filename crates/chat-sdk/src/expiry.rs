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
//! rows are overwritten (`secure_delete`), and the write-ahead log is emptied after each sweep. A
//! clock that is set back extends nothing: what a timer has left is kept by a clock that nobody can
//! set, see [`timers`].

use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::clock::Steady;
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::store::tombstones::{self, Gone};
use crate::store::{messages, timers};

/// How often timers that run are wound.
const WIND_EVERY: Duration = Duration::from_secs(600);

/// When a message vanishes that the relay accepted at `at`, if its timer runs from there.
///
/// A relay's clock that is ahead of ours does not extend the time. Nor can a relay end it before it
/// began: nothing was accepted before it was sent, which the sender has authenticated.
pub(crate) fn deadline_once_accepted(
    expiry: Option<Expiry>,
    sent_at: Timestamp,
    at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    expiry
        .filter(|expiry| expiry.mode == ExpiryMode::AfterSent)
        .map(|expiry| at.max(sent_at).min(now).after(expiry.after()))
}

/// Erases every message whose time is over, and says which those were.
pub(crate) fn erase_due(
    tx: &Transaction<'_>,
    now: Timestamp,
) -> Result<Vec<(ConversationId, MessageId)>> {
    let due = tombstones::due(tx, now)?;
    for (conversation, message) in &due {
        let sequence = messages::load(tx, *message)?.and_then(|row| row.sequence);
        tombstones::bury(tx, *conversation, *message, sequence, Gone::Expired, now)?;
    }
    Ok(due)
}

/// What came of the relay's word that a message is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Erased {
    /// It is not erased here: it has no timer, or is not here.
    Not,
    /// It is.
    InTime,
    /// It is, long before its timer ends by our clock.
    Early,
}

/// How far a relay's clock may be ahead of ours before its word on a timer is strange.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(300);

/// Erases a message of which the relay says that it is gone, if it has a timer.
pub(crate) fn erase_deleted(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    sequence: Sequence,
    now: Timestamp,
) -> Result<Erased> {
    // SECURITY: a relay may not erase at will what people keep.
    let row = messages::load(tx, message)?
        .filter(|row| row.expiry.is_some() && row.conversation == conversation);
    let Some(row) = row else { return Ok(Erased::Not) };
    tombstones::bury(tx, conversation, message, Some(sequence), Gone::Deleted, now)?;
    let is_early = row.deadline.is_some_and(|deadline| deadline > now.after(CLOCKS_DIFFER_BY));
    Ok(if is_early { Erased::Early } else { Erased::InTime })
}

/// Erases what is due, from the files too, and tells listeners.
pub(crate) async fn sweep(hub: &Hub) -> Result<()> {
    let (now, steady) = (hub.context.now(), hub.context.clock.steady());
    let erase = move |tx: &Transaction<'_>| {
        timers::wind(tx, now, steady)?;
        erase_due(tx, now)
    };
    let erased = hub.context.store.write(erase).await?;
    if erased.is_empty() {
        return Ok(());
    }
    scrub(hub).await?;
    for (conversation, message) in erased {
        hub.emit(Event::Expired { conversation, message });
    }
    Ok(())
}

/// When the next sweep is, by whichever clock is there first, if anything has a timer that runs.
/// Timers are wound once in a while, so that a device that stops all at once forgets no more than
/// that of their time.
pub(crate) async fn next(hub: &Hub) -> Result<Option<(Timestamp, Steady)>> {
    let (now, steady) = (hub.context.now(), hub.context.clock.steady());
    let read = move |tx: &Transaction<'_>| {
        Ok((timers::are_unsettled(tx, steady)?, timers::next(tx, now, steady)?))
    };
    let (are_unsettled, next) = hub.context.store.read(read).await?;
    if are_unsettled {
        hub.context.store.write(move |tx| timers::settle(tx, now, steady)).await?;
    }
    let left = next.map(|left| left.min(WIND_EVERY));
    Ok(left.map(|left| (now.after(left), steady.after(left))))
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

#[cfg(test)]
mod remains;

#[cfg(test)]
mod tests {
    use chat_core::id::MessageId;

    use super::*;
    use crate::message::{Draft, Timer};
    use crate::receipts;
    use crate::stage::{NOW, Person, alice_and_bob, later};

    const FIVE_SECONDS: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_message_lives_until_its_deadline_and_no_longer() {
        let (alice, mut bob, chat) = alice_and_bob().await;
        let timer = Timer::after_sent(FIVE_SECONDS);
        let brief = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
        let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        bob.opens(1, &envelope).await;

        let early = erase(&bob, later(FIVE_SECONDS - Duration::from_millis(1))).await;
        let due = erase(&bob, later(FIVE_SECONDS)).await;
        let again = erase(&bob, later(FIVE_SECONDS)).await;

        assert_eq!((early, due, again), (vec![], vec![brief], vec![]));
    }

    #[tokio::test]
    async fn a_timer_that_waits_for_reading_does_not_run_before() {
        let (alice, mut bob, chat) = alice_and_bob().await;
        let timer = Timer::after_seen(FIVE_SECONDS);
        let brief = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
        let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(brief, 1).await;
        bob.opens(1, &envelope).await;

        let unread = erase(&bob, later(Duration::from_secs(1_000_000))).await;
        bob.write(move |tx, own, _| receipts::seen(tx, own, chat, NOW)).await;
        let receipt = bob.receipts().await.remove(0);
        let unheard = erase(&alice, later(FIVE_SECONDS)).await;
        alice.write(move |tx, own, _| receipts::count(tx, own, receipt, NOW)).await;

        assert_eq!((unread, unheard), (vec![], vec![]));
        assert_eq!(erase(&bob, later(FIVE_SECONDS)).await, [brief]);
        assert_eq!(erase(&alice, later(FIVE_SECONDS)).await, [brief]);
    }

    #[tokio::test]
    async fn an_unsent_message_waits_however_short_its_timer() {
        let (alice, _, chat) = alice_and_bob().await;
        let timer = Timer::after_sent(Duration::from_millis(1));
        let brief = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;

        assert_eq!(erase(&alice, later(FIVE_SECONDS)).await, []);
        assert!(alice.has(brief).await.is_some());
    }

    #[tokio::test]
    async fn a_relay_may_erase_what_has_a_timer_and_nothing_else() {
        let (alice, mut bob, chat) = alice_and_bob().await;
        let kept = alice.says(chat, "for ever").await;
        let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(kept, 1).await;
        bob.opens(1, &envelope).await;
        let timer = Timer::after_seen(FIVE_SECONDS);
        let brief = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        bob.opens(2, &envelope).await;

        let bob = &bob;
        let deleted = move |message, sequence| {
            bob.write(move |tx, _, _| erase_deleted(tx, chat, message, sequence, NOW))
        };

        assert_eq!(deleted(kept, 1).await, Erased::Not);
        assert_eq!(deleted(brief, 2).await, Erased::InTime, "nobody knows who has seen it");
        assert_eq!(deleted(brief, 2).await, Erased::Not);
    }

    async fn erase(person: &Person, now: Timestamp) -> Vec<MessageId> {
        let due = person.write(move |tx, _, _| erase_due(tx, now)).await;
        due.into_iter().map(|(_, message)| message).collect()
    }
}
