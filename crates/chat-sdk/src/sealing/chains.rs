//! Sealing for many devices: one wrap on our sender chain, which is handed out first.
//!
//! ```text
//!  who reads ──▶ a holder who is not among them, other devices, worn out? ──▶ a new chain
//!                who does not hold it? ──▶ hand-outs on sessions, 100 devices each, one after the other
//!                all hold it ──▶ the message, with one wrap
//! ```
//!
//! A hand-out is a message of its own, to some of the devices, which the relay has before the next
//! is made: whatever is lost on the way, the same bytes are sent again. It is in nobody's count.

use std::collections::BTreeMap;

use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{Content, Header, Suite, VERSION, WrapScheme};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::limits::{BUNDLES_A_REQUEST_MAX, PAYLOAD_BYTES_MAX};
use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use chat_crypto::envelope::{Sealed, seal};
use chat_crypto::sender_chain::{Audience, HAND_OUT, SendingChain};
use rand_core::CryptoRng;
use rusqlite::Transaction;

use super::{Advance, Step, is_worn, old, ready_sessions, refused};
use crate::context::Own;
use crate::error::Result;
use crate::recipients::{Bundles, DeviceRecipient};
use crate::store::chains::{self, Holders};
use crate::store::{asking, sessions};

/// Most devices that one message hands a chain to: as many as one request gives bundles for, and
/// few enough for a frame if each wrap begins a session.
const DEVICES_A_HAND_OUT: usize = BUNDLES_A_REQUEST_MAX;

/// Tells whether a message for these devices goes out on a sender chain.
pub(super) fn are_wanted(own: &Own, devices: &[DeviceRecipient]) -> bool {
    devices.len() > own.sessions_a_message_max
        && devices
            .iter()
            .all(|device| device.certificate.schemes.contains(&WrapScheme::SenderChain))
}

/// The chain that all these devices hold, or the step towards it.
#[expect(clippy::too_many_arguments, reason = "what a message is sealed with")]
pub(super) fn ready(
    tx: &Transaction<'_>,
    own: &Own,
    membership: &Membership,
    devices: &[DeviceRecipient],
    sender_list: u32,
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<SendingChain, Advance>> {
    let conversation = membership.id();
    let held = chains::sending(tx, conversation)?;
    let holders = chains::holders(tx, conversation)?;
    let readers: Holders =
        devices.iter().map(|device| (device.certificate.address, device.list)).collect();
    let (chain, holders) = match held {
        None => (SendingChain::begin(conversation, own.address, now, rng), Holders::new()),
        Some(chain) if chain.is_worn(now) || have_changed(&holders, &readers) => {
            (chain.replaced(now, rng), Holders::new())
        }
        Some(chain) => (chain, holders),
    };
    let missing: Vec<&DeviceRecipient> = devices
        .iter()
        .filter(|device| !holders.contains_key(&device.certificate.address))
        .take(DEVICES_A_HAND_OUT)
        .collect();
    if missing.is_empty() {
        return Ok(Ok(chain));
    }
    let renewed = to_be_renewed(tx, conversation, &missing, bundles)?;
    if !renewed.is_empty() {
        return Ok(Err(Step::Bundles(renewed).into()));
    }
    let ready = match ready_sessions(tx, own, &missing, bundles, now, rng)? {
        Ok(ready) => ready,
        Err(missing) => return Ok(Err(Step::Bundles(missing).into())),
    };
    let lists = readers.iter().map(|(device, list)| (device.account, *list));
    let lists: BTreeMap<_, _> = lists.collect();
    let audience = Audience::of(membership.index(), membership.head(), lists);
    let body = Bytes::new(chain.hand_out(audience).to_vec())?;
    let (message, mut sealed) = seal_chain(own, membership, body, sender_list, now, rng)?;
    let mut advanced = Vec::with_capacity(ready.len());
    for (device, sessions) in missing.iter().zip(&ready) {
        match sealed.wrap_for_device(sessions, device.list, now, rng) {
            Ok(sessions) => advanced.push(sessions),
            Err(error) if is_worn(&error) => {
                return Ok(Err(Step::Bundles(vec![sessions.theirs()]).into()));
            }
            Err(error) => return Err(refused(error)),
        }
    }
    // Nothing was written so far.
    for sessions in &advanced {
        sessions::save(tx, sessions, now)?;
    }
    for device in &missing {
        asking::answered(tx, conversation, device.certificate.address)?;
    }
    let to = missing.iter().map(|device| (device.certificate.address, device.list)).collect();
    let envelope = sealed.into_envelope();
    chains::save_sending(tx, &chain)?;
    chains::keep_hand_out(tx, conversation, message, chain.epoch(), &envelope, &to)?;
    let old = old(ready.iter(), now);
    Ok(Err(Advance { step: Step::Send(message, Box::new(envelope)), old }))
}

/// The devices that say that our chain did not arrive: they get it on a session that is begun anew.
fn to_be_renewed(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    devices: &[&DeviceRecipient],
    bundles: &Bundles,
) -> Result<Vec<DeviceAddress>> {
    let mut renewed = Vec::new();
    for device in devices.iter().map(|device| device.certificate.address) {
        if !bundles.contains_key(&device) && asking::is_waiting(tx, conversation, device)? {
            renewed.push(device);
        }
    }
    Ok(renewed)
}

/// Tells whether a holder may no longer read, or the devices of a holder's account are others.
fn have_changed(holders: &Holders, readers: &Holders) -> bool {
    holders.iter().any(|(device, list)| readers.get(device) != Some(list))
}

/// Seals the body of a hand-out, for whoever it will be wrapped for.
fn seal_chain(
    own: &Own,
    membership: &Membership,
    body: Bytes<PAYLOAD_BYTES_MAX>,
    sender_list: u32,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<(MessageId, Sealed)> {
    let message = MessageId::random(rng);
    let header = Header {
        version: VERSION,
        suite: Suite::HandOut,
        conversation: membership.id(),
        sender: own.address,
        message,
        sent_at: now,
        expiry: None,
        membership_index: membership.index(),
        membership_head: membership.head(),
    };
    let content = Content {
        version: VERSION,
        sender: own.address,
        conversation: membership.id(),
        number: 0,
        previous: Digest::ZERO,
        kind: HAND_OUT.to_owned(),
        body,
        sender_list,
        inflated_length: None,
    };
    Ok((message, seal(&header, &content, None, rng).map_err(refused)?))
}

#[cfg(test)]
mod tests {
    use chat_core::codec::List;
    use chat_core::membership::{Change, ConversationKind, Member, Policy, Role};
    use chat_core::reject::{Reject, RejectCode};

    use super::*;
    use crate::event::Warning;
    use crate::message::Draft;
    use crate::outbox::{self, Remedy};
    use crate::stage::{Person, file, group, words};
    use crate::store::Place;

    #[tokio::test]
    async fn a_chain_is_handed_out_before_the_first_message_on_it() {
        let (alice, mut bob, mut carol, chat) = three().await;
        let message = alice.says(chat, "hello").await;

        let (hand_out, first) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;
        alice.is_told(hand_out, 1).await;
        let (sent, second) = alice.seals(chat, &mut []).await;

        assert_ne!(hand_out, message);
        assert_eq!(suite(&first), Suite::HandOut);
        assert_eq!((sent, suite(&second), second.wraps.len()), (message, Suite::Chained, 1));
        for person in [&bob, &carol] {
            let handed = person.opens(1, &first).await;
            assert!(handed.message.is_none() && handed.warnings.is_empty(), "{handed:?}");
            assert_eq!(words(&person.opens(2, &second).await).as_deref(), Some("hello"));
        }
    }

    #[tokio::test]
    async fn every_attempt_sends_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.store");
        let alice = large(Person::new("alice", 1, file(&path)).await);
        let mut bob = large(Person::new("bob", 2, Place::Memory).await);
        let mut carol = large(Person::new("carol", 3, Place::Memory).await);
        let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        alice.says(chat, "hello").await;

        let handed = alice.seals(chat, &mut [&mut bob, &mut carol]).await;
        let alice = alice.after_a_crash(&path).await;
        assert_eq!(alice.seals(chat, &mut []).await, handed);
        alice.is_told(handed.0, 1).await;
        let sent = alice.seals(chat, &mut []).await;
        let alice = alice.after_a_crash(&path).await;

        assert_eq!(alice.seals(chat, &mut []).await, sent);
    }

    #[tokio::test]
    async fn a_hand_out_that_comes_twice_is_passed_over() {
        let (alice, mut bob, mut carol, chat) = three().await;
        alice.says(chat, "hello").await;
        let (id, hand_out) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;
        alice.is_told(id, 1).await;

        bob.opens(1, &hand_out).await;
        let again = bob.opens(1, &hand_out).await;
        let replayed = bob.opens(2, &hand_out).await;

        assert_eq!(again.warnings, []);
        // Under another place it is somebody's replay, which its session refuses.
        assert!(matches!(replayed.warnings[..], [Warning::NotAuthentic { .. }]));
    }

    #[tokio::test]
    async fn who_was_not_handed_the_chain_is_warned() {
        let (alice, mut bob, mut carol, chat) = three().await;
        alice.says(chat, "hello").await;
        let (id, _) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;
        alice.is_told(id, 1).await;
        let (_, message) = alice.seals(chat, &mut []).await;

        let outcome = bob.opens(2, &message).await;

        assert!(outcome.message.is_none());
        assert!(matches!(outcome.warnings[..], [Warning::NotAuthentic { .. }]));
    }

    #[tokio::test]
    async fn a_hand_out_that_the_relay_refuses_is_made_again() {
        let (alice, mut bob, mut carol, chat) = three().await;
        let message = alice.says(chat, "hello").await;
        let (first, _) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;

        let remedy = alice
            .write(move |tx, _, _| {
                let waiting = outbox::waiting_for(tx, first)?;
                assert_eq!(waiting, message);
                outbox::rejected(tx, waiting, &Reject::from(RejectCode::StaleMembership))
            })
            .await;
        let (second, hand_out) = alice.seals(chat, &mut []).await;
        alice.is_told(second, 1).await;
        let (_, sent) = alice.seals(chat, &mut []).await;

        assert_eq!(remedy, Remedy::CatchUp);
        assert_ne!(second, first);
        bob.opens(1, &hand_out).await;
        assert_eq!(words(&bob.opens(2, &sent).await).as_deref(), Some("hello"));
    }

    #[tokio::test]
    async fn who_cannot_open_chains_is_sent_sessions() {
        let alice = large(Person::new("alice", 1, Place::Memory).await);
        let old = [WrapScheme::Ratchet];
        let mut bob = Person::with_schemes("bob", 2, Place::Memory, &old).await;
        let mut carol = Person::new("carol", 3, Place::Memory).await;
        let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        let message = alice.says(chat, "hello").await;

        let (sent, envelope) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;

        assert_eq!((sent, suite(&envelope)), (message, Suite::Deniable));
    }

    #[tokio::test]
    async fn a_chain_is_handed_to_a_hundred_devices_at_a_time() {
        let alice = large(Person::new("alice", 1, Place::Memory).await);
        let mut others = Vec::new();
        for seed in 2..104 {
            let other = Person::new(&seed.to_string(), seed, Place::Memory).await;
            alice.meet(&other).await;
            others.push(other);
        }
        let chat = known_to(&alice, &others).await;
        let message = alice.says(chat, "hello").await;

        let mut others: Vec<&mut Person> = others.iter_mut().collect();
        let (first, to_many) = alice.seals(chat, &mut others).await;
        alice.is_told(first, 1).await;
        let (second, to_the_rest) = alice.seals(chat, &mut others).await;
        alice.is_told(second, 2).await;
        let (last, to_all) = alice.seals(chat, &mut []).await;

        assert_eq!((to_many.wraps.len(), to_the_rest.wraps.len()), (DEVICES_A_HAND_OUT, 2));
        assert_eq!((last, to_all.wraps.len()), (message, 1));
        let handed: std::collections::BTreeSet<_> =
            to_many.wraps.iter().chain(&to_the_rest.wraps).map(|wrap| wrap.to).collect();
        assert_eq!(handed.len(), 102);
    }

    #[tokio::test]
    async fn an_app_hands_out_no_chains() {
        let (alice, _, _, chat) = three().await;

        let refused = alice
            .write(move |tx, own, rng| {
                let (id, draft) = (MessageId::random(rng), Draft::other(HAND_OUT, vec![1]));
                Ok(outbox::queue(tx, own, chat, id, &draft, crate::stage::NOW).unwrap_err().kind())
            })
            .await;

        assert_eq!(refused, crate::error::Kind::ArgumentInvalid);
    }

    #[test]
    fn whoever_is_gone_or_has_other_devices_has_changed() {
        let device = |byte| DeviceAddress {
            account: chat_core::id::AccountId::from_bytes([byte; 16]),
            device: chat_core::id::DeviceId::from_bytes([1; 16]),
        };
        let held = Holders::from([(device(1), 1), (device(2), 1)]);

        let more = Holders::from([(device(1), 1), (device(2), 1), (device(3), 1)]);
        let fewer = Holders::from([(device(1), 1)]);
        let relisted = Holders::from([(device(1), 1), (device(2), 2)]);

        assert!(!have_changed(&held, &held) && !have_changed(&held, &more));
        assert!(have_changed(&held, &fewer) && have_changed(&held, &relisted));
    }

    fn suite(envelope: &chat_core::envelope::Envelope) -> Suite {
        envelope.read_header().unwrap().suite
    }

    /// Somebody for whom two devices are many.
    fn large(mut person: Person) -> Person {
        person.own.sessions_a_message_max = 1;
        person
    }

    async fn three() -> (Person, Person, Person, ConversationId) {
        let alice = large(Person::new("alice", 1, Place::Memory).await);
        let bob = large(Person::new("bob", 2, Place::Memory).await);
        let carol = large(Person::new("carol", 3, Place::Memory).await);
        let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        (alice, bob, carol, chat)
    }

    /// A group that only its first member has heard of so far.
    async fn known_to(alice: &Person, others: &[Person]) -> ConversationId {
        let member = |person: &Person, role| Member { account: person.own.account(), role };
        let mut members = vec![member(alice, Role::Admin)];
        members.extend(others.iter().map(|other| member(other, Role::Member)));
        let change = Change::Create {
            kind: ConversationKind::Group,
            workspace: alice.own.workspace,
            members: List::new(members).unwrap(),
            policy: Policy::DEFAULT,
            nonce: Bytes::new(vec![5; 16]).unwrap(),
            document: None,
        };
        let entry = alice.decides(None, change).await;
        let id = ConversationId::of_creation(entry.entry.signed_bytes());
        alice.hears_of(id, &entry).await;
        id
    }
}
