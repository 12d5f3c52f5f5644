//! Messages that came before the keys they are under: they wait, sealed, and are opened when the keys
//! come.
//!
//! ```text
//!  another device draws an epoch ─▶ hands over its lock ─▶ people wrap for the new keys
//!
//!  this device, back again:   message under new keys  ─▶ parked ──┐
//!                             lock, in another conversation ──────┴▶ keys ─▶ opened, as if it came now
//! ```
//!
//! The relay hears that the message was received, and may let go of it; this device has all of it.
//! What waits for keys that never come is given up, and warned of, like any other message that does
//! not open. Only newer keys than ours are waited for: older ones that are missing stay missing.

use std::time::Duration;

use chat_core::envelope::ExpiryMode;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;
use rusqlite::Transaction;

use super::{Arrival, Outcome, judge, not_a_member, not_authentic, past};
use crate::context::Own;
use crate::error::Result;
use crate::event::Event;
use crate::store::conversations::ConversationRow;
use crate::store::parked::{self, ParkedRow};
use crate::store::tombstones::{self, Gone};

/// How long keys are waited for.
const WAITS_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// How a message came that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Came {
    /// It was delivered, and is new.
    Delivered,
    /// It was read as history.
    FromThePast,
}

/// Lets a message wait for the keys of `epoch`; tells whether there is room for it.
pub(super) fn keep(
    tx: &Transaction<'_>,
    arrival: &Arrival,
    epoch: u32,
    came: Came,
    now: Timestamp,
) -> Result<bool> {
    let header = &arrival.header;
    let vanishes = header.expiry.filter(|expiry| expiry.mode == ExpiryMode::AfterSent);
    let until = now.after(WAITS_FOR);
    let row = ParkedRow {
        conversation: header.conversation,
        sequence: arrival.sequence,
        message: header.message,
        received_at: arrival.at,
        epoch,
        is_past: came == Came::FromThePast,
        envelope: arrival.envelope.clone(),
        until: vanishes.map_or(until, |expiry| until.min(arrival.at.after(expiry.after()))),
    };
    let is_kept = parked::keep(tx, &row)?;
    tracing::debug!(epoch, is_kept, "a message waits for keys");
    Ok(is_kept)
}

/// What came of a message that has waited.
pub(crate) enum Again {
    /// It is judged as one that comes now.
    Delivered(Box<Outcome>),
    /// It was of the past, or is given up: what to tell the app.
    Aside(Vec<Event>),
}

/// Opens a message that has waited, or gives it up.
pub(crate) fn again(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    waited: &ParkedRow,
    arrival: &Arrival,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Again> {
    if own.keyring.get().current_envelope_secrets().epoch() < waited.epoch {
        return give_up(tx, arrival, now).map(Again::Aside);
    }
    if waited.is_past {
        return past::apply(tx, own, row, arrival, now, rng).map(Again::Aside);
    }
    // What others have said since then may name members that this message's sender did not know of.
    let refused = (!past::was_member(tx, row, arrival)?).then(|| not_a_member(&arrival.header));
    let outcome = judge(tx, own, row, arrival, refused, now, rng)?;
    Ok(Again::Delivered(Box::new(outcome)))
}

fn give_up(tx: &Transaction<'_>, arrival: &Arrival, now: Timestamp) -> Result<Vec<Event>> {
    let header = &arrival.header;
    let (id, sequence) = (header.message, Some(arrival.sequence));
    let has_vanished = header.expiry.is_some_and(|expiry| {
        expiry.mode == ExpiryMode::AfterSent && arrival.at.after(expiry.after()) <= now
    });
    let why = if has_vanished { Gone::Expired } else { Gone::Unreadable };
    tombstones::bury(tx, header.conversation, id, sequence, why, now)?;
    let warning = (!has_vanished).then(|| Event::Warning(not_authentic(header)));
    Ok(warning.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_core::codec::Bytes;
    use chat_core::envelope::{Envelope, WrapScheme};
    use chat_core::id::ConversationId;
    use chat_core::membership::Policy;
    use chat_crypto::keyring::Keyring;
    use chat_crypto::wrap::EnvelopeSecrets;

    use super::*;
    use crate::event::Warning;
    use crate::message::{Draft, Timer};
    use crate::random::Randomness;
    use crate::stage::{NOW, Person, group, later, words};
    use crate::store::{Place, conversations};

    const SHARED: Policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };

    #[tokio::test]
    async fn a_message_before_its_keys_is_opened_when_they_come() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        let id = alice.says(chat, "under new keys").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;

        let before = bob.opens(1, &envelope).await;
        let again = bob.opens(1, &envelope).await;
        let opened = bob.catches_up_with_its_keys().await;

        for outcome in [before, again] {
            assert!(outcome.message.is_none() && outcome.warnings.is_empty(), "{outcome:?}");
        }
        let [Again::Delivered(outcome)] = &opened[..] else { panic!("one was parked") };
        assert_eq!(words(outcome).as_deref(), Some("under new keys"));
        assert_eq!(outcome.warnings, []);
        assert_eq!(bob.has(id).await.unwrap().sequence, Some(1));
        assert!(bob.opens(1, &envelope).await.message.is_none());
    }

    #[tokio::test]
    async fn what_has_waited_is_in_its_senders_count() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        let mut sealed = Vec::new();
        for (place, text) in [(1, "one"), (2, "two"), (3, "three")] {
            let id = alice.says(chat, text).await;
            sealed.push(alice.seals(chat, &mut []).await.1);
            alice.is_told(id, place).await;
        }
        bob.opens(1, &sealed[0]).await;
        bob.opens(2, &sealed[1]).await;

        let opened = bob.catches_up_with_its_keys().await;
        let next = bob.opens(3, &sealed[2]).await;

        let said = opened.iter().map(|again| match again {
            Again::Delivered(outcome) => (words(outcome), outcome.warnings.clone()),
            Again::Aside(events) => panic!("{events:?}"),
        });
        let expected = ["one", "two"].map(|text| (Some(text.to_owned()), Vec::new()));
        assert_eq!(said.collect::<Vec<_>>(), expected);
        assert_eq!((words(&next).as_deref(), next.warnings), (Some("three"), vec![]));
    }

    #[tokio::test]
    async fn what_waits_for_keys_that_never_come_is_given_up_and_warned_of() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        let id = alice.says(chat, "hello").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        bob.opens(1, &envelope).await;

        let too_early = bob.goes_through(later(WAITS_FOR - Duration::from_secs(1))).await;
        let given_up = bob.goes_through(later(WAITS_FOR)).await;

        assert!(too_early.is_empty());
        let [Again::Aside(events)] = &given_up[..] else { panic!("one was parked") };
        let (conversation, sender) = (chat, alice.own.address);
        let warning = Warning::NotAuthentic { conversation, sender, message: id };
        assert!(matches!(&events[..], [Event::Warning(said)] if *said == warning));
    }

    #[tokio::test]
    async fn a_message_that_vanishes_waits_no_longer_than_it_may_be_read() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        let timer = Timer::after_sent(Duration::from_secs(5));
        let id = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        bob.opens(1, &envelope).await;

        let gone = bob.goes_through(later(Duration::from_secs(5))).await;
        let opened = bob.catches_up_with_its_keys().await;

        assert!(matches!(&gone[..], [Again::Aside(events)] if events.is_empty()));
        assert!(opened.is_empty() && bob.has(id).await.is_none());
    }

    #[tokio::test]
    async fn what_was_forged_does_not_open_after_it_has_waited() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        alice.says(chat, "hello").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        let mut payload = envelope.payload.to_vec();
        payload[0] ^= 1;
        let forged = Envelope { payload: Bytes::new(payload).unwrap(), ..envelope };

        bob.opens(1, &forged).await;
        let opened = bob.catches_up_with_its_keys().await;

        let [Again::Delivered(outcome)] = &opened[..] else { panic!("one was parked") };
        assert!(outcome.message.is_none());
        assert!(matches!(outcome.warnings[..], [Warning::NotAuthentic { .. }]));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_no_more() {
        let (alice, bob, chat) = alice_and_bob_behind().await;
        alice.says(chat, "hello").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        let fill = envelope.clone();
        bob.write(move |tx, _, _| {
            let arrival = |place| Arrival::read(place, NOW, fill.clone()).unwrap();
            for place in 0..parked::PARKED_MAX {
                let place = 1_000 + u64::try_from(place).unwrap();
                assert!(keep(tx, &arrival(place), 2, Came::Delivered, NOW)?);
            }
            Ok(())
        })
        .await;

        let outcome = bob.opens(1, &envelope).await;

        assert!(matches!(outcome.warnings[..], [Warning::NotAuthentic { .. }]));
    }

    /// Two who talk by envelope keys, of which Bob has drawn the next on another device: this one
    /// has not heard of it.
    async fn alice_and_bob_behind() -> (Person, Person, ConversationId) {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let chat = group(&[&alice, &bob], SHARED).await;
        let behind = Keyring::from_snapshot(&bob.own.keyring.get().to_snapshot()).unwrap();
        bob.own.keyring.replace(bob.next_keyring());
        alice.meet(&bob).await;
        bob.own.keyring.replace(behind);
        (alice, bob, chat)
    }

    impl Person {
        /// The same each time: as if from another device.
        fn next_keyring(&self) -> Keyring {
            let mut keyring =
                Keyring::from_snapshot(&self.own.keyring.get().to_snapshot()).unwrap();
            let mut rng = Randomness::seeded(5).rng();
            let next = EnvelopeSecrets::generate(self.own.account(), 2, &mut rng);
            keyring.add_epoch(next).unwrap();
            keyring
        }

        async fn catches_up_with_its_keys(&self) -> Arc<[Again]> {
            self.own.keyring.replace(self.next_keyring());
            self.goes_through(NOW).await
        }

        /// Opens what need not wait any more.
        async fn goes_through(&self, now: Timestamp) -> Arc<[Again]> {
            self.write(move |tx, own, rng| {
                let newest = own.keyring.get().current_envelope_secrets().epoch();
                let mut all = Vec::new();
                for waited in parked::take(tx, newest, now)? {
                    let (at, envelope) = (waited.received_at, waited.envelope.clone());
                    let arrival = Arrival::read(waited.sequence, at, envelope).unwrap();
                    let row = conversations::load(tx, waited.conversation)?.unwrap();
                    all.push(again(tx, own, &row, &waited, &arrival, now, rng)?);
                }
                Ok(all.into())
            })
            .await
        }
    }
}
