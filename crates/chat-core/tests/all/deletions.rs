//! Deletions: what a relay, another device or another member could make of one.

use chat_core::codec::DecodeError;
use chat_core::deletion::{Deletion, SignedDeletion, VERSION};
use chat_core::device::AccountDevices;
use chat_core::id::{ConversationId, MessageId};
use chat_core::signed::VerifyError;
use chat_core::time::Timestamp;

use crate::people::{NOON, Person, sign_with};

#[test]
fn a_deletion_counts_for_the_device_that_signed_it() {
    let (bob, deletion) = bobs();

    let read = signed(2, &bob, &deletion).verify(&devices(&bob, &[])).unwrap();

    assert_eq!(*read, deletion);
}

#[test]
fn a_deletion_signed_by_another_device_is_forged() {
    let (bob, deletion) = bobs();

    let by_another_device = signed(3, &bob, &deletion).verify(&devices(&bob, &[]));

    assert_eq!(by_another_device, Err(VerifyError::Forged));
}

#[test]
fn a_deletion_that_speaks_for_another_is_misplaced() {
    let (bob, deletion) = bobs();
    let carols = Deletion { author: Person::new(3).address(2), ..deletion };

    let for_carol = signed(2, &bob, &carols).verify(&devices(&bob, &[]));
    let by_carols_list = signed(2, &bob, &deletion).verify(&devices(&Person::new(3), &[]));

    assert_eq!(for_carol, Err(VerifyError::Misplaced));
    assert_eq!(by_carols_list, Err(VerifyError::Misplaced));
}

#[test]
fn a_removed_device_counts_for_what_it_signed_before() {
    let (bob, deletion) = bobs();
    let later = |ms| Timestamp::from_millis(NOON.as_millis() + ms);
    let removed = devices(&bob, &[(2, later(1_000))]);
    let late = Deletion { at: later(1_001), ..deletion };

    assert!(signed(2, &bob, &deletion).verify(&removed).is_ok());
    assert_eq!(signed(2, &bob, &late).verify(&removed), Err(VerifyError::Misplaced));
}

#[test]
fn another_version_is_refused() {
    let (bob, deletion) = bobs();
    let newer = Deletion { version: VERSION + 1, ..deletion };

    let read = signed(2, &bob, &newer).verify(&devices(&bob, &[]));

    assert_eq!(read, Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
}

pub(crate) fn bobs() -> (Person, Deletion) {
    let bob = Person::new(2);
    let deletion = Deletion {
        version: VERSION,
        conversation: ConversationId::from_bytes([4; 16]),
        message: MessageId::from_bytes([5; 16]),
        author: bob.address(2),
        at: NOON,
    };
    (bob, deletion)
}

pub(crate) fn signed(device: u8, bob: &Person, deletion: &Deletion) -> SignedDeletion {
    let deletion = sign_with(&Person::device_key(device), deletion);
    SignedDeletion { signer: bob.address(2), deletion }
}

/// Bob's devices: 1 and 2, the removed ones among them.
pub(crate) fn devices(person: &Person, removed: &[(u8, Timestamp)]) -> AccountDevices {
    let is_active = |device: &u8| removed.iter().all(|(gone, _)| gone != device);
    let active: Vec<u8> = [1, 2].into_iter().filter(is_active).collect();
    let published = person.list(1, chat_core::codec::Digest::ZERO, &active, removed);
    AccountDevices::verify(person.account, published).unwrap()
}
