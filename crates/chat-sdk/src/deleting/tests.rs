use chat_core::id::DeviceAddress;
use chat_core::membership::{Allowed, Policy};

use super::*;
use crate::event::Warning;
use crate::message::Draft;
use crate::stage::{NOW, Person, alice_and_bob, group, words};
use crate::store::Place;

#[tokio::test]
async fn a_signed_deletion_of_the_sender_erases_the_words() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "the harbour at noon").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;

    let deletion = deletes(&alice, chat, message).await;
    let first = hears(&bob, chat, message, deletion.clone()).await;
    let again = hears(&bob, chat, message, deletion).await;

    assert!(first);
    assert!(!again);
    assert_eq!(shows(&bob, message).await, Some(Content::Deleted));
}

#[tokio::test]
async fn what_a_relay_makes_up_erases_nothing() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let [kept, other] = [alice.says(chat, "kept").await, alice.says(chat, "other").await];
    for sequence in [1, 2] {
        let (message, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        bob.opens(sequence, &envelope).await;
        alice.is_told(message, sequence).await;
    }
    let of_other = deletes(&alice, chat, other).await;
    let by_bob = deletes(&bob, chat, kept).await;
    let in_alices_name = SignedDeletion { signer: alice.own.address, ..by_bob.clone() };

    for made_up in [of_other, by_bob, in_alices_name] {
        assert!(!hears(&bob, chat, kept, made_up).await);
    }
    assert_ne!(shows(&bob, kept).await, Some(Content::Deleted));
}

#[tokio::test]
async fn an_admin_deletes_what_others_said_where_the_policy_lets() {
    let alice = Person::new("alice", 1, Place::Memory).await;
    let bob = Person::new("bob", 2, Place::Memory).await;
    let strict = group(&[&alice, &bob], Policy::DEFAULT).await;
    let policy = Policy { delete: Some(Allowed::Admins), ..Policy::DEFAULT };
    let moderated = group(&[&alice, &bob], policy).await;
    let mut erased = Vec::new();

    for chat in [strict, moderated] {
        let message = bob.says(chat, "spam").await;
        let deletion = deletes(&alice, chat, message).await;
        erased.push(hears(&bob, chat, message, deletion).await);
    }

    assert_eq!(erased, [false, true]);
}

#[tokio::test]
async fn what_was_deleted_before_it_came_is_no_gap() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "first").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;
    alice.is_told(first, 1).await;
    let hasty = alice.says(chat, "hasty").await;
    alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(hasty, 2).await;

    let deletion = deletes(&alice, chat, hasty).await;
    let shown = hears(&bob, chat, hasty, deletion).await;
    alice.says(chat, "third").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    let outcome = bob.opens(3, &envelope).await;

    assert!(!shown);
    assert_eq!(words(&outcome).as_deref(), Some("third"));
    assert!(outcome.warnings.is_empty());
}

#[tokio::test]
async fn a_deletion_explains_no_gap_of_somebody_else() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "first").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;
    alice.is_told(first, 1).await;
    let withheld = alice.says(chat, "withheld").await;
    alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(withheld, 2).await;

    let by_another = deletes(&bob, chat, withheld).await;
    hears(&bob, chat, withheld, by_another).await;
    alice.says(chat, "third").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    let outcome = bob.opens(3, &envelope).await;

    let sender = alice.own.address;
    let gap = Warning::GapNoticed { conversation: chat, sender, missing: 1 };
    assert_eq!(outcome.warnings, [gap]);
}

#[tokio::test]
async fn a_deletion_waits_until_the_relay_has_the_message() {
    let (alice, _, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;

    alice.says_with(chat, Draft::of(Content::Delete(message))).await;
    let early = pending(&alice).await;
    alice.is_told(message, 1).await;
    let due = pending(&alice).await;

    assert!(early.is_empty());
    assert_eq!(due, [(chat, message, alice.own.address)]);
}

async fn deletes(
    person: &Person,
    conversation: ConversationId,
    message: MessageId,
) -> SignedDeletion {
    let author = person.own.address;
    let deletion = Deletion { version: VERSION, conversation, message, author, at: NOW };
    let deletion = person.own.device.sign_object(&deletion).unwrap();
    SignedDeletion { signer: author, deletion }
}

async fn hears(
    person: &Person,
    chat: ConversationId,
    message: MessageId,
    deletion: SignedDeletion,
) -> bool {
    person.write(move |tx, _, _| apply(tx, chat, message, deletion, NOW)).await
}

async fn shows(person: &Person, message: MessageId) -> Option<Content> {
    let row = person.write(move |tx, _, _| messages::load(tx, message)).await;
    row.map(|row| Content::read(&row.kind, &row.body))
}

async fn pending(person: &Person) -> Vec<(ConversationId, MessageId, DeviceAddress)> {
    let pending = person.write(move |tx, _, _| deletions::pending(tx)).await;
    pending.into_iter().map(|(chat, message, signed)| (chat, message, signed.signer)).collect()
}
