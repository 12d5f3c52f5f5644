use chat_core::id::DeviceId;
use chat_core::membership::{Allowed, Policy};

use super::*;
use crate::content::{Content, Details, NumberedProfile, Profile};
use crate::message::{Draft, Status};
use crate::profile;
use crate::receipts;
use crate::stage::{NOW, Person, alice_and_bob, group};
use crate::store::messages::MessageRow;
use crate::store::{Place, conversations, profiles};

const SUBJECT: [u8; 16] = [3; 16];

#[tokio::test]
async fn whatever_order_devices_hear_in_they_end_alike() {
    let (first, second, _) = alice_and_bob().await;
    pin(&first, true).await;
    pin(&second, true).await;
    pin(&second, false).await;
    let (from_first, from_second) = (pending(&first).await, pending(&second).await);

    let again = from_second.clone();
    let heard = first.write(move |tx, own, _| merge(tx, own, &from_second, NOW)).await;
    second.write(move |tx, own, _| merge(tx, own, &from_first, NOW)).await;
    let twice = first.write(move |tx, own, _| merge(tx, own, &again, NOW)).await;

    assert_eq!((heard.len(), twice.len()), (1, 0));
    assert!(!is_pinned(&first).await && !is_pinned(&second).await);
}

#[tokio::test]
async fn of_two_at_once_the_higher_device_wins_on_both() {
    let (first, second, _) = alice_and_bob().await;
    pin(&first, true).await;
    pin(&second, false).await;
    let (from_first, from_second) = (pending(&first).await, pending(&second).await);
    let winner = from_first[0].device > from_second[0].device;

    first.write(move |tx, own, _| merge(tx, own, &from_second, NOW)).await;
    second.write(move |tx, own, _| merge(tx, own, &from_first, NOW)).await;

    assert_eq!((is_pinned(&first).await, is_pinned(&second).await), (winner, winner));
}

#[tokio::test]
async fn what_is_set_after_hearing_of_another_counts_after_it() {
    let (first, second, _) = alice_and_bob().await;
    pin(&first, true).await;
    let from_first = pending(&first).await;
    second.write(move |tx, own, _| merge(tx, own, &from_first, NOW)).await;
    pin(&second, false).await;
    let from_second = pending(&second).await;

    first.write(move |tx, own, _| merge(tx, own, &from_second, NOW)).await;

    assert!(!is_pinned(&first).await);
    assert_eq!(pending(&first).await, []);
}

#[tokio::test]
async fn a_counter_that_leaves_no_room_is_not_believed() {
    let (alice, _, _) = alice_and_bob().await;
    let device = DeviceId::from_bytes([9; 16]);
    let absurd = [0, 1 << 60, u64::MAX].map(|counter| {
        Register::new("pinned".into(), SUBJECT.to_vec(), vec![0xf5], counter, device).unwrap()
    });

    alice.write(move |tx, own, _| merge(tx, own, &absurd, NOW)).await;

    assert!(!is_pinned(&alice).await);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_kept() {
    let (alice, _, _) = alice_and_bob().await;
    let device = DeviceId::from_bytes([9; 16]);
    let newer = Register::new("sparkle".into(), vec![], vec![0x01], 1, device).unwrap();

    let told = alice.write(move |tx, own, _| merge(tx, own, &[newer], NOW)).await;

    let kept = alice.write(|tx, _, _| registers::get(tx, "sparkle", &[])).await;
    assert!(told.is_empty());
    assert_eq!(kept.as_deref(), Some(&[0x01][..]));
}

#[tokio::test]
async fn settings_count_only_among_our_own_devices() {
    let (mut alice, bob, chat) = alice_and_bob().await;
    let theirs = bob.own.address.device;
    let register = Register::new("pinned".into(), SUBJECT.to_vec(), vec![0xf5], 1, theirs);
    let content = Content::Settings(vec![register.unwrap()]);

    // Even in a conversation that was taken for her own, since somebody else is in it.
    alice.write(move |tx, _, _| registers::add_own_conversation(tx, chat)).await;
    bob.says_with(chat, Draft::of(content)).await;
    let (_, envelope) = bob.seals(chat, &mut [&mut alice]).await;
    let outcome = alice.opens(1, &envelope).await;

    assert!(outcome.message.is_none() && outcome.aside.is_empty());
    assert!(!is_pinned(&alice).await);
}

#[tokio::test]
async fn an_older_profile_does_not_come_back() {
    let (alice, bob, chat) = alice_and_bob().await;
    let sender = bob.own.account();
    let named = |number, name: &str| NumberedProfile {
        number,
        profile: Profile { name: Some(name.to_owned()), ..Profile::default() },
    };

    let told = alice
        .write(move |tx, own, _| {
            let newer = profile::hear(tx, own, chat, sender, &named(7, "Bob"))?;
            let older = profile::hear(tx, own, chat, sender, &named(6, "Robert"))?;
            Ok((newer.len(), older.len()))
        })
        .await;

    let kept = alice.write(move |tx, _, _| profiles::load(tx, sender)).await.unwrap();
    assert_eq!(told, (1, 0));
    assert_eq!(crate::content::profile::decode(&kept).unwrap(), named(7, "Bob"));
}

#[tokio::test]
async fn details_count_from_whoever_may_rename() {
    let mut alice = Person::new("alice", 1, Place::Memory).await;
    let bob = Person::new("bob", 2, Place::Memory).await;
    let policy = Policy { rename: Allowed::Admins, ..Policy::DEFAULT };
    let chat = group(&[&alice, &bob], policy).await;
    let details = Details { description: Some("mine".to_owned()), ..Details::default() };

    let refused = bob.tries(chat, Draft::of(Content::Details(details.clone()))).await.unwrap_err();
    let from_bob = bob.says(chat, "hello").await;
    let (_, envelope) = bob.seals(chat, &mut [&mut alice]).await;
    alice.opens(1, &envelope).await;
    let message = alice.has(from_bob).await.unwrap();
    let (of_bob, of_alice) = alice
        .write(move |tx, own, _| {
            let row = conversations::load(tx, chat)?.unwrap();
            let mine = MessageRow { sender: own.address, ..message.clone() };
            let of_bob = crate::details::hear(tx, &row, &message, &details)?;
            Ok((of_bob, crate::details::hear(tx, &row, &mine, &details)?))
        })
        .await;

    assert_eq!(refused.kind(), crate::Kind::Forbidden);
    assert_eq!((of_bob.len(), of_alice.len()), (0, 1));
}

#[tokio::test]
async fn what_the_relay_did_not_take_is_told_again() {
    let (alice, _, chat) = alice_and_bob().await;
    pin(&alice, true).await;
    let registers = pending(&alice).await;
    let draft = Draft::of(Content::Settings(registers.clone()));
    let told = registers.clone();
    alice.write(move |tx, _, _| registers::told(tx, &told)).await;
    let message = alice.says_with(chat, draft).await;

    let forgotten = pending(&alice).await;
    let refuse = crate::outbox::refuse;
    alice.write(move |tx, _, _| refuse(tx, message, crate::Kind::Forbidden)).await;
    alice.write(|tx, _, _| tell_again(tx, NOW)).await;

    assert_eq!(forgotten, []);
    assert_eq!(pending(&alice).await, registers);
    assert!(alice.has(message).await.is_none());
}

#[tokio::test]
async fn what_is_read_in_secret_is_told_to_our_own_devices_only() {
    let (mut alice, bob, chat) = alice_and_bob().await;
    let message = bob.says(chat, "hello").await;
    let (_, envelope) = bob.seals(chat, &mut [&mut alice]).await;
    alice.opens(1, &envelope).await;

    alice.write(move |tx, own, _| set(tx, own, Name::Discreet, &[], &true)).await;
    alice.write(move |tx, own, _| receipts::seen(tx, own, chat, NOW)).await;
    let (told, registers) = (alice.receipts().await, pending(&alice).await);
    let here = alice.has(message).await.unwrap().status;
    // The same on another device, which has the message and has not looked at it.
    alice.write(move |tx, _, _| unread(tx, message)).await;
    alice.write(move |tx, _, _| Ok(tx.execute("DELETE FROM settings", [])?)).await;
    let events = alice.write(move |tx, own, _| merge(tx, own, &registers, NOW)).await;

    assert!(told.is_empty());
    assert_eq!(here, Status::Seen);
    assert_eq!(alice.has(message).await.unwrap().status, Status::Seen);
    assert!(matches!(events[..], [Event::Settings { conversation }] if conversation == chat));
}

fn unread(tx: &Transaction<'_>, message: chat_core::id::MessageId) -> Result<()> {
    tx.execute(
        "UPDATE messages SET status = 3, seen_at = NULL WHERE id = ?1",
        [message.as_bytes()],
    )?;
    Ok(())
}

async fn pin(person: &Person, pinned: bool) {
    person.write(move |tx, own, _| set(tx, own, Name::Pinned, &SUBJECT, &pinned)).await;
}

async fn is_pinned(person: &Person) -> bool {
    person.write(|tx, _, _| is_set(tx, Name::Pinned, &SUBJECT)).await
}

async fn pending(person: &Person) -> Vec<Register> {
    person.write(|tx, _, _| registers::pending(tx, 100)).await
}
