use chat_core::id::DeviceId;

use super::*;
use crate::content::Register;
use crate::stage::{Person, alice_and_bob};
use crate::store::settings as registers;

const SUBJECT: [u8; 16] = [3; 16];

#[tokio::test]
async fn whatever_order_devices_hear_in_they_end_alike() {
    let (first, second, _) = alice_and_bob().await;
    pin(&first, true).await;
    pin(&second, true).await;
    pin(&second, false).await;
    let (from_first, from_second) = (pending(&first).await, pending(&second).await);

    let again = from_second.clone();
    let heard = first.write(move |tx, _, _| merge(tx, &from_second)).await;
    second.write(move |tx, _, _| merge(tx, &from_first)).await;
    let twice = first.write(move |tx, _, _| merge(tx, &again)).await;

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

    first.write(move |tx, _, _| merge(tx, &from_second)).await;
    second.write(move |tx, _, _| merge(tx, &from_first)).await;

    assert_eq!((is_pinned(&first).await, is_pinned(&second).await), (winner, winner));
}

#[tokio::test]
async fn what_is_set_after_hearing_of_another_counts_after_it() {
    let (first, second, _) = alice_and_bob().await;
    pin(&first, true).await;
    let from_first = pending(&first).await;
    second.write(move |tx, _, _| merge(tx, &from_first)).await;
    pin(&second, false).await;
    let from_second = pending(&second).await;

    first.write(move |tx, _, _| merge(tx, &from_second)).await;

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

    alice.write(move |tx, _, _| merge(tx, &absurd)).await;

    assert!(!is_pinned(&alice).await);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_kept() {
    let (alice, _, _) = alice_and_bob().await;
    let device = DeviceId::from_bytes([9; 16]);
    let newer = Register::new("sparkle".into(), vec![], vec![0x01], 1, device).unwrap();

    let told = alice.write(move |tx, _, _| merge(tx, &[newer])).await;

    let kept = alice.write(|tx, _, _| registers::get(tx, "sparkle", &[])).await;
    assert!(told.is_empty());
    assert_eq!(kept.as_deref(), Some(&[0x01][..]));
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
