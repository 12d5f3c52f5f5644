use std::time::Duration;

use chat_core::codec::{Bytes, List};
use chat_core::limits::SEALED_PAYLOAD_BYTES_MAX;
use chat_core::membership::{Change, ConversationKind, Member, Policy, Role};

use super::*;
use crate::error::Result;
use crate::message::{Draft, Timer};
use crate::opening::{Arrival, past};
use crate::random::Randomness;
use crate::recipients;
use crate::stage::{NOW, Person, alice_and_bob, begin};
use crate::store::{Place, conversations};

#[tokio::test]
async fn who_came_later_reads_what_was_wrapped_again() {
    let Late { alice, carol, chat, envelope, .. } = late().await;
    let message = envelope.read_header().unwrap().message;
    let before = carol.reads(&envelope, &[]).await;

    let wrap = alice.wraps(&envelope, chat, &carol).await.unwrap();
    let events = carol.reads(&envelope, &[wrap]).await;

    assert!(before.is_empty() && events.is_empty(), "{before:?} {events:?}");
    assert!(carol.has(message).await.is_some());
}

#[tokio::test]
async fn a_wrap_that_is_garbled_does_not_hide_one_that_is_not() {
    let Late { alice, carol, chat, envelope, .. } = late().await;
    let message = envelope.read_header().unwrap().message;
    let good = alice.wraps(&envelope, chat, &carol).await.unwrap();
    let mut bytes = good.bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let garbled = Wrap { bytes: Bytes::new(bytes).unwrap(), ..good.clone() };
    let unknown = Wrap { epoch: good.epoch + 7, ..good.clone() };

    let events = carol.reads(&envelope, &[garbled, unknown, good]).await;

    assert!(events.is_empty(), "{events:?}");
    assert!(carol.has(message).await.is_some());
}

#[tokio::test]
async fn what_the_relay_has_changed_is_passed_on_to_nobody() {
    let Late { alice, carol, chat, envelope, .. } = late().await;
    let mut payload = envelope.payload.to_vec();
    payload[0] ^= 1;
    let payload = Bytes::<SEALED_PAYLOAD_BYTES_MAX>::new(payload).unwrap();
    let changed = Envelope { payload, ..envelope.clone() };
    let elsewhere = ConversationId::from_bytes([0x0c; 16]);

    assert!(alice.wraps(&changed, chat, &carol).await.is_none());
    assert!(alice.wraps(&envelope, elsewhere, &carol).await.is_none());
    assert!(carol.wraps(&envelope, chat, &alice).await.is_none(), "who cannot read gives nothing");
}

#[tokio::test]
async fn what_vanishes_and_what_is_deniable_is_not_given() {
    let Late { alice, carol, chat, .. } = late().await;
    let timer = Timer::AfterSent(Duration::from_secs(3600));
    alice.says_with(chat, Draft::text("soon gone").expiring(timer)).await;
    let (_, vanishing) = alice.seals(chat, &mut []).await;
    let (other, mut bob, direct) = alice_and_bob().await;
    other.says(direct, "between us").await;
    let (_, deniable) = other.seals(direct, &mut [&mut bob]).await;

    assert!(alice.wraps(&vanishing, chat, &carol).await.is_none());
    assert!(other.wraps(&deniable, direct, &bob).await.is_none());
}

/// Alice has said something before she added Carol.
struct Late {
    alice: Person,
    carol: Person,
    chat: ConversationId,
    envelope: Envelope,
}

async fn late() -> Late {
    let alice = Person::new("alice", 1, Place::Memory).await;
    let bob = Person::new("bob", 2, Place::Memory).await;
    let carol = Person::new("carol", 3, Place::Memory).await;
    let kind = ConversationKind::Channel;
    let (chat, creation) = begin(kind, &[&alice, &bob], Policy::CHANNEL).await;
    alice.meet(&carol).await;
    carol.meet(&alice).await;
    carol.meet(&bob).await;
    let message = alice.says(chat, "before Carol").await;
    let (_, envelope) = alice.seals(chat, &mut []).await;
    alice.is_told(message, 1).await;
    let carol_too = Member { account: carol.own.account(), role: Role::Member };
    let change = Change::Add { members: List::new(vec![carol_too]).unwrap() };
    let addition = alice.decides(Some(chat), change).await;
    alice.hears_of(chat, &addition).await;
    carol.hears_of(chat, &creation).await;
    carol.hears_of(chat, &addition).await;
    Late { alice, carol, chat, envelope }
}

impl Person {
    /// What this person's device wraps of a message for somebody else.
    async fn wraps(
        &self,
        envelope: &Envelope,
        conversation: ConversationId,
        to: &Self,
    ) -> Option<Wrap> {
        let account = to.own.account();
        let recipient = self
            .write(move |tx, own, _| {
                let known = recipients::account(tx, own, account)?;
                Ok(known)
            })
            .await
            .unwrap();
        let mut rng = Randomness::seeded(99).rng();
        let ours = shown_to(self, envelope, &[]);
        rewrap(&self.own, conversation, &ours, WrapScheme::HpkeXwing, &recipient, &mut rng)
    }

    /// Reads a message of the past, with wraps that were added to it.
    async fn reads(&self, envelope: &Envelope, added: &[Wrap]) -> Vec<crate::event::Event> {
        let shown = shown_to(self, envelope, added);
        self.write(move |tx, own, rng| -> Result<_> {
            let arrival = Arrival::read(1, NOW, shown).unwrap();
            let row = conversations::load(tx, arrival.header.conversation)?.unwrap();
            past::apply(tx, own, &row, &arrival, NOW, rng)
        })
        .await
    }
}

/// The envelope as the relay shows it to somebody.
fn shown_to(person: &Person, envelope: &Envelope, added: &[Wrap]) -> Envelope {
    let all = envelope.wraps.iter().chain(added);
    let theirs = all.filter(|wrap| wrap.is_for(person.own.address)).cloned().collect();
    Envelope { wraps: List::new(theirs).unwrap(), ..envelope.clone() }
}
