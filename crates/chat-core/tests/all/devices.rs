//! Device lists: what a relay could try, and what each try runs into.

use chat_core::codec::{DecodeError, Digest, List};
use chat_core::device::{AccountDevices, DeviceCertificate, DeviceList, PublishedDevices};
use chat_core::id::DeviceId;
use chat_core::signed::VerifyError;
use chat_core::time::Timestamp;

use crate::people::{NOON, Person};

#[test]
fn a_list_with_its_certificates_verifies() {
    let alice = Person::new(1);

    let devices = AccountDevices::verify(alice.account, alice.first_list(&[1, 2])).unwrap();

    assert_eq!(devices.active().count(), 2);
    assert_eq!(devices.to_published(), alice.first_list(&[1, 2]));
}

#[test]
fn a_device_that_the_list_does_not_name_is_refused() {
    let alice = Person::new(1);
    let mut published = alice.first_list(&[1]);
    let mut certificates = published.certificates.clone().into_vec();
    certificates.push(alice.certificate(2));
    published.certificates = List::new(certificates).unwrap();

    assert_eq!(AccountDevices::verify(alice.account, published), Err(VerifyError::Misplaced));
}

#[test]
fn a_list_without_one_of_its_certificates_is_refused() {
    let alice = Person::new(1);
    let mut published = alice.first_list(&[1, 2]);
    published.certificates = alice.first_list(&[1]).certificates;

    assert_eq!(AccountDevices::verify(alice.account, published), Err(VerifyError::Misplaced));
}

#[test]
fn a_list_signed_by_somebody_else_is_forged() {
    let (alice, mallory) = (Person::new(1), Person::new(66));
    let mut published = mallory.first_list(&[1]);
    published.identity_key = alice.identity_key();

    assert_eq!(AccountDevices::verify(alice.account, published), Err(VerifyError::Forged));
}

#[test]
fn another_accounts_list_is_misplaced() {
    let (alice, mallory) = (Person::new(1), Person::new(66));

    let result = AccountDevices::verify(alice.account, mallory.first_list(&[1]));

    assert_eq!(result, Err(VerifyError::Misplaced));
}

#[test]
fn a_certificate_for_another_account_is_misplaced() {
    let (alice, mallory) = (Person::new(1), Person::new(66));
    let certified_elsewhere = {
        // Signed by Alice's own identity, as if Mallory had talked her into it.
        let mut lent = Person::new(1);
        lent.account = mallory.account;
        lent.first_list(&[7])
    };
    let list = alice.sign(&DeviceList {
        account: alice.account,
        ..certified_elsewhere.list.clone().verify(&alice.identity_key()).unwrap().into_inner()
    });
    let published = PublishedDevices { list, ..certified_elsewhere };

    assert_eq!(AccountDevices::verify(alice.account, published), Err(VerifyError::Misplaced));
}

#[test]
fn a_device_that_is_listed_twice_is_refused() {
    let alice = Person::new(1);
    let twice = alice.first_list(&[1, 1]);
    // As many certificates as lines, so that counting alone would not notice.
    let certificates = List::new(vec![alice.certificate(1), alice.certificate(2)]).unwrap();
    let with_another = PublishedDevices { certificates, ..twice.clone() };

    for published in [twice, with_another] {
        assert_eq!(AccountDevices::verify(alice.account, published), Err(VerifyError::Misplaced));
    }
}

#[test]
fn a_list_of_another_version_is_not_believed() {
    let alice = Person::new(1);
    let published = alice.first_list(&[1]);
    let list = published.list.clone().verify(&alice.identity_key()).unwrap().into_inner();
    let later = alice.sign(&DeviceList { version: list.version + 1, ..list });

    let result =
        AccountDevices::verify(alice.account, PublishedDevices { list: later, ..published });

    assert_eq!(result, Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
}

#[test]
fn a_device_is_found_by_its_id_until_it_is_removed() {
    let alice = Person::new(1);
    let published = alice.list(1, Digest::ZERO, &[1, 2], &[(3, NOON)]);
    let devices = AccountDevices::verify(alice.account, published).unwrap();
    let found = |device| devices.active_device(DeviceId::from_bytes([device; 16]));

    assert_eq!(found(2).map(|certificate| certificate.address), Some(alice.address(2)));
    assert_eq!(found(3), None);
    assert_eq!(found(4), None);
}

#[test]
fn ten_active_devices_are_not_too_many() {
    let alice = Person::new(1);
    let ten: Vec<u8> = (1..=10).collect();

    let devices = AccountDevices::verify(alice.account, alice.first_list(&ten)).unwrap();

    assert_eq!(devices.active().count(), 10);
    assert_eq!((devices.account(), devices.number()), (alice.account, 1));
    assert_eq!(devices.identity_key(), alice.identity_key());
}

#[test]
fn too_many_active_devices_are_refused() {
    let alice = Person::new(1);
    let eleven: Vec<u8> = (1..=11).collect();

    let result = AccountDevices::verify(alice.account, alice.first_list(&eleven));

    assert_eq!(result, Err(VerifyError::Misplaced));
}

#[test]
fn a_list_is_followed_by_one_that_names_it_and_never_by_an_older_one() {
    let alice = Person::new(1);
    let verify = |published| AccountDevices::verify(alice.account, published).unwrap();
    let first = verify(alice.first_list(&[1]));
    let second = verify(alice.list(2, first.list().digest(), &[1, 2], &[]));
    let unlinked = verify(alice.list(2, Digest::of(b"elsewhere"), &[1, 2], &[]));
    let fork = verify(alice.list(1, Digest::ZERO, &[1, 3], &[]));

    assert_eq!(first.check_successor(&second), Ok(()));
    assert_eq!(first.check_successor(&first), Ok(()));
    assert_eq!(second.check_successor(&first), Err(VerifyError::Discontinuous));
    assert_eq!(first.check_successor(&unlinked), Err(VerifyError::Discontinuous));
    assert_eq!(first.check_successor(&fork), Err(VerifyError::Discontinuous));
}

#[test]
fn another_identity_key_does_not_continue_a_list() {
    let alice = Person::new(1);
    let first = AccountDevices::verify(alice.account, alice.first_list(&[1])).unwrap();
    let impostor = {
        let mut mallory = Person::new(66);
        mallory.account = alice.account;
        AccountDevices::verify(alice.account, mallory.list(2, first.list().digest(), &[1], &[]))
            .unwrap()
    };

    assert_eq!(first.check_successor(&impostor), Err(VerifyError::Misplaced));
}

#[test]
fn a_removed_device_counts_for_what_it_said_before() {
    let alice = Person::new(1);
    let published = alice.list(1, Digest::ZERO, &[1], &[(2, NOON)]);
    let devices = AccountDevices::verify(alice.account, published).unwrap();
    let removed = DeviceId::from_bytes([2; 16]);

    assert_eq!(devices.active().count(), 1);
    assert!(devices.active_device(removed).is_none());
    assert!(devices.device_at(removed, Timestamp::from_millis(NOON.as_millis() - 1)).is_some());
    assert!(devices.device_at(removed, NOON).is_none());
}

#[test]
fn a_certificate_of_another_version_is_not_believed() {
    let alice = Person::new(1);
    let ours = alice.certificate(1).verify(&alice.identity_key()).unwrap().into_inner();
    let newer = alice.sign(&DeviceCertificate { version: 2, ..ours });

    let result = newer.verify(&alice.identity_key());

    assert_eq!(result, Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
}
