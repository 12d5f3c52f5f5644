use std::time::Duration;

use chat_core::membership::{Change, Policy};

use super::*;
use crate::message::Status;
use crate::stage::{NOW, Person, alice_and_bob, group, later};
use crate::store::Place;

#[tokio::test]
async fn a_removed_device_gives_no_receipts() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let receipt = seen_by_bob(&alice, &mut bob, chat).await;
    let too_late = at(&bob, &receipt, later(Duration::from_secs(9))).await;
    bob.is_removed(later(Duration::from_secs(5)));
    alice.meet(&bob).await;

    let after = count_at(&alice, too_late).await;
    let before = count_at(&alice, receipt).await;

    assert!(matches!(after.warning, Some(Warning::ReceiptForged { .. })));
    assert_eq!(after.progress, []);
    assert_eq!(before.progress.len(), 1);
    assert_eq!(before.progress[0].1, Status::Seen);
}

#[tokio::test]
async fn somebody_who_is_no_member_gives_no_receipts() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let receipt = seen_by_bob(&alice, &mut bob, chat).await;
    let remove = Change::Remove { account: bob.own.account() };
    let entry = alice.decides(Some(chat), remove).await;
    alice.hears_of(chat, &entry).await;

    let counted = count_at(&alice, receipt).await;

    assert_eq!(counted.progress, []);
}

#[tokio::test]
async fn nobody_waits_for_the_receipt_of_who_has_left() {
    let alice = Person::new("alice", 1, Place::Memory).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let mut carol = Person::new("carol", 3, Place::Memory).await;
    let chat = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
    let id = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob, &mut carol]).await;
    alice.is_told(id, 1).await;
    bob.opens(1, &envelope).await;
    bob.write(move |tx, own, _| seen(tx, own, chat, NOW)).await;
    let receipt = bob.receipts().await.remove(0);

    let with_carol = count_at(&alice, receipt).await;
    let entry = alice.decides(Some(chat), Change::Remove { account: carol.own.account() }).await;
    alice.hears_of(chat, &entry).await;

    assert_eq!(with_carol.progress, []);
    assert_eq!(alice.has(id).await.unwrap().status, Status::Seen);
}

#[tokio::test]
async fn a_receipt_may_be_faster_than_the_answer() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let id = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;
    bob.write(move |tx, own, _| seen(tx, own, chat, NOW)).await;
    let receipt = bob.receipts().await.remove(0);

    let early = count_at(&alice, receipt).await;
    alice.is_told(id, 1).await;

    assert_eq!(early.progress, []);
    assert_eq!(alice.has(id).await.unwrap().status, Status::Seen);
}

/// Says something to Bob and lets him look at it.
async fn seen_by_bob(alice: &Person, bob: &mut Person, chat: ConversationId) -> SignedReceipt {
    alice.says(chat, "hello").await;
    let (id, envelope) = alice.seals(chat, &mut [bob]).await;
    alice.is_told(id, 1).await;
    bob.opens(1, &envelope).await;
    bob.write(move |tx, own, _| seen(tx, own, chat, NOW)).await;
    bob.receipts().await.remove(0)
}

/// The same receipt, dated anew by its own device.
async fn at(bob: &Person, receipt: &SignedReceipt, at: Timestamp) -> SignedReceipt {
    let device = &bob.own.device;
    let read = receipt.receipt.clone().verify(&device.key()).unwrap().into_inner();
    let receipt = device.sign_object(&Receipt { at, ..read }).unwrap();
    SignedReceipt { signer: bob.own.address, receipt }
}

async fn count_at(person: &Person, receipt: SignedReceipt) -> Counted {
    let moment = later(Duration::from_secs(60));
    person.write(move |tx, own, _| count(tx, own, receipt, moment)).await
}
