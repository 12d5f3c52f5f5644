//! Asking again: a device that lacks the sender chain of another says so, and is handed it.
//!
//! ```text
//!  a message on a chain that does not open ─▶ warned of ─▶ "I lack your chain"      once a day
//!                                                             │
//!  the next message ◀─ chain handed out, on a new session ◀───┘                     once a chain
//! ```
//!
//! What was said on the chain before that stays closed here: a chain opens forward only. Whether a
//! message did not open because the chain is missing, or because somebody forged it, cannot be
//! told, so the number of questions is bounded. They are answered by what hands out chains anyway:
//! to devices that are on their account's verified list, of accounts that are members, and to no
//! other.
//! Normative: `docs/protocol/sender-chains.md` §6.1.

use std::time::Duration;

use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::time::Timestamp;
use rand_core::CryptoRng;
use rusqlite::Transaction;

use crate::content::Content;
use crate::context::Own;
use crate::error::{Kind, Result};
use crate::message::Draft;
use crate::outbox;
use crate::store::conversations::ConversationRow;
use crate::store::{asking, chains};

/// No chain lives longer, so this is once a chain.
const ASKS_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Most devices of a conversation that are asked in that time.
const ASKED_MAX: i64 = 20;

/// Asks a device for its chain, where that may be; tells whether something is to be sent.
pub(crate) fn ask(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    of: DeviceAddress,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<bool> {
    let conversation = row.membership.id();
    let a_day_ms = u64::try_from(ASKS_AGAIN_AFTER.as_millis()).unwrap_or(u64::MAX);
    let earliest = Timestamp::from_millis(now.as_millis().saturating_sub(a_day_ms));
    if row.membership.role(of.account).is_none()
        || !asking::note_asked(tx, conversation, of, earliest, ASKED_MAX, now)?
    {
        return Ok(false);
    }
    let draft = Draft::of(Content::ChainRequest(of));
    match outbox::queue(tx, own, conversation, MessageId::random(rng), &draft, now) {
        // Who may not say anything here may not ask either, and waits for the next chain.
        Err(error) if is_not_for_us(error.kind()) => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

fn is_not_for_us(kind: Kind) -> bool {
    matches!(kind, Kind::NotAMember | Kind::Forbidden | Kind::NoDevices)
}

/// Notes that a device lacks a chain, if it is ours: it is handed it before the next message.
pub(crate) fn hear(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    by: DeviceAddress,
    of: DeviceAddress,
) -> Result<()> {
    if of != own.address || by == own.address {
        return Ok(());
    }
    let Some(chain) = chains::sending(tx, conversation)? else { return Ok(()) };
    let is_news = asking::ask_of_us(tx, conversation, by, chain.epoch())?;
    tracing::debug!(is_news, "a device lacks our sender chain");
    Ok(())
}

#[cfg(test)]
mod tests {
    use chat_core::membership::Policy;

    use super::*;
    use crate::event::Warning;
    use crate::stage::{NOW, Person, group, later, words};
    use crate::store::Place;

    #[tokio::test]
    async fn who_lacks_a_chain_asks_and_reads_what_comes_next() {
        let (mut alice, mut bob, mut carol, chat) = three_large().await;
        bob.misses_the_chain_of(&alice, &mut [&mut carol], chat).await;

        let request = bob.says_what_waits(chat, &mut [&mut alice, &mut carol], 3).await;
        for (place, envelope) in request {
            alice.opens(place, &envelope).await;
            carol.opens(place, &envelope).await;
        }
        let second = alice.says(chat, "two").await;
        let (hand_out, handed) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(hand_out, 5).await;
        let (sent, envelope) = alice.seals(chat, &mut []).await;

        assert_ne!(hand_out, second);
        assert_eq!(handed.wraps.len(), 1, "to Bob, and to nobody who has it");
        assert_eq!(sent, second);
        bob.opens(5, &handed).await;
        let heard = bob.opens(6, &envelope).await;
        assert_eq!((words(&heard).as_deref(), heard.warnings), (Some("two"), vec![]));
        assert_eq!(words(&carol.opens(6, &envelope).await).as_deref(), Some("two"));
    }

    #[tokio::test]
    async fn a_device_is_asked_once_a_day() {
        let (alice, bob, _, chat) = three_large().await;
        let of = alice.own.address;
        let asks = async |now| {
            bob.write(move |tx, own, rng| {
                let row = crate::store::conversations::load(tx, chat)?.unwrap();
                ask(tx, own, &row, of, now, rng)
            })
            .await
        };

        let at = [Duration::ZERO, Duration::from_secs(3600), ASKS_AGAIN_AFTER];
        let mut asked = Vec::new();
        for after in at {
            asked.push(asks(later(after)).await);
        }

        assert_eq!(asked, [true, false, true]);
    }

    #[tokio::test]
    async fn forged_messages_of_many_make_us_ask_so_many_and_no_more() {
        let (alice, bob, _, chat) = three_large().await;
        let asked = bob
            .write(move |tx, own, rng| {
                let row = crate::store::conversations::load(tx, chat)?.unwrap();
                let mut asked = 0;
                for byte in 0..100 {
                    let device = chat_core::id::DeviceId::from_bytes([byte; 16]);
                    let of = DeviceAddress { device, ..alice.own.address };
                    asked += i64::from(ask(tx, own, &row, of, NOW, rng)?);
                }
                Ok(asked)
            })
            .await;

        assert_eq!(asked, ASKED_MAX);
    }

    #[tokio::test]
    async fn a_chain_is_asked_for_once_and_by_whom_it_is_not_for_never_gets_it() {
        let (alice, mut bob, mut carol, chat) = three_large().await;
        bob.misses_the_chain_of(&alice, &mut [&mut carol], chat).await;
        let (asker, ours) = (bob.own.address, alice.own.address);
        let stranger = Person::new("mallory", 9, Place::Memory).await.own.address;

        let heard = alice
            .write(move |tx, own, _| {
                let epoch = chains::sending(tx, chat)?.unwrap().epoch();
                hear(tx, own, chat, stranger, ours)?;
                hear(tx, own, chat, asker, asker)?;
                let before = asking::is_waiting(tx, chat, asker)?;
                let first = asking::ask_of_us(tx, chat, asker, epoch)?;
                Ok((before, first, asking::ask_of_us(tx, chat, asker, epoch)?))
            })
            .await;
        let first = alice.says(chat, "two").await;
        let (hand_out, handed) = alice.seals(chat, &mut [&mut bob]).await;

        assert_eq!(heard, (false, true, false));
        assert_ne!(hand_out, first);
        let to: Vec<_> = handed.wraps.iter().map(|wrap| wrap.to).collect();
        assert_eq!(to, [chat_core::envelope::Recipient::Device(asker)]);
    }

    impl Person {
        /// The other hands out a chain, which does not come here, and says something on it.
        async fn misses_the_chain_of(
            &mut self,
            other: &Person,
            others: &mut [&mut Person],
            chat: ConversationId,
        ) {
            let first = other.says(chat, "one").await;
            let mut all: Vec<&mut Person> = others.iter_mut().map(|it| &mut **it).collect();
            all.push(self);
            let (hand_out, handed) = other.seals(chat, &mut all).await;
            other.is_told(hand_out, 1).await;
            let (_, envelope) = other.seals(chat, &mut []).await;
            other.is_told(first, 2).await;
            for person in others.iter() {
                person.opens(1, &handed).await;
                person.opens(2, &envelope).await;
            }
            let outcome = self.opens(2, &envelope).await;
            assert!(matches!(outcome.warnings[..], [Warning::NotAuthentic { .. }]));
            assert!(outcome.asks);
        }

        /// Sends everything that is in the outbox, from this place of the log on.
        async fn says_what_waits(
            &self,
            chat: ConversationId,
            others: &mut [&mut Person],
            first: u64,
        ) -> Vec<(u64, chat_core::envelope::Envelope)> {
            let mut said = Vec::new();
            for place in [first, first + 1] {
                let (id, envelope) = self.seals(chat, others).await;
                self.is_told(id, place).await;
                said.push((place, envelope));
            }
            said
        }
    }

    /// Three for whom two devices are many.
    async fn three_large() -> (Person, Person, Person, ConversationId) {
        let large = async |name, seed| {
            let mut person = Person::new(name, seed, Place::Memory).await;
            person.own.sessions_a_message_max = 1;
            person
        };
        let (alice, bob) = (large("alice", 1).await, large("bob", 2).await);
        let carol = large("carol", 3).await;
        let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        (alice, bob, carol, chat)
    }
}
