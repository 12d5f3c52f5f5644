//! Prekey sets: one signature, and nothing can be put under it.

use chat_core::codec::{DecodeError, Digest, List};
use chat_core::device::DeviceCertificate;
use chat_core::key::{AgreementKey, KemKey};
use chat_core::prekey::{self, OneTimePrekey, PrekeyBundle, PrekeySet, PrekeyUpload};
use chat_core::signed::{Verified, VerifyError};

use crate::people::{NOON, Person, sign_with};

#[test]
fn every_one_time_prekey_of_a_set_verifies() {
    let (certificate, upload) = upload(1, 100);

    let (set, one_time) = upload.verify(&certificate).unwrap();

    assert_eq!(one_time.len(), 100);
    assert!(one_time.iter().all(|prekey| prekey.belongs_to(&set)));
}

#[test]
fn a_one_time_prekey_of_the_relays_own_is_refused() {
    let (certificate, upload) = upload(1, 10);
    let mut prekey = upload.one_time.first().cloned().unwrap();
    prekey.agreement = AgreementKey::from_bytes([66; 32]);

    let bundle =
        PrekeyBundle { address: certificate.address, set: upload.set, one_time: Some(prekey) };

    assert_eq!(bundle.verify(&certificate), Err(VerifyError::Misplaced));
}

#[test]
fn a_one_time_prekey_of_another_set_is_refused() {
    let (certificate, one) = upload(1, 10);
    let (_, other) = upload(2, 10);

    let bundle = PrekeyBundle {
        address: certificate.address,
        set: one.set,
        one_time: other.one_time.first().cloned(),
    };

    assert_eq!(bundle.verify(&certificate), Err(VerifyError::Misplaced));
}

#[test]
fn another_devices_set_is_refused() {
    let (_, upload) = upload(1, 0);
    let alice = Person::new(1);
    let other = alice.certificate(2).verify(&alice.identity_key()).unwrap();

    let bundle = PrekeyBundle { address: other.address, set: upload.set, one_time: None };

    assert_eq!(bundle.verify(&other), Err(VerifyError::Forged));
}

#[test]
fn a_bundle_without_a_one_time_prekey_is_complete() {
    let (certificate, upload) = upload(1, 0);

    let bundle = PrekeyBundle { address: certificate.address, set: upload.set, one_time: None };

    assert!(bundle.verify(&certificate).is_ok());
}

#[test]
fn a_set_of_another_version_is_not_believed() {
    let (certificate, upload) = upload(1, 0);
    let set = upload.set.clone().verify(&certificate.key).unwrap().into_inner();
    let later = PrekeySet { version: prekey::VERSION + 1, ..set };
    let set = sign_with(&Person::device_key(1), &later);

    let unknown = Err(VerifyError::Unreadable(DecodeError::UnknownKind));
    assert_eq!(PrekeyUpload { set, ..upload }.verify(&certificate).map(drop), unknown);
}

#[test]
fn a_set_is_for_the_device_it_names() {
    let (certificate, upload) = upload(1, 2);
    let alice = Person::new(1);
    let set = upload.set.clone().verify(&certificate.key).unwrap().into_inner();
    // The device signs a set in the name of another one of hers.
    let set = PrekeySet { address: alice.address(2), ..set };
    let lent = sign_with(&Person::device_key(1), &set);
    let misplaced = Err(VerifyError::Misplaced);

    let uploaded = PrekeyUpload { set: lent.clone(), ..upload.clone() }.verify(&certificate);
    assert_eq!(uploaded.map(drop), misplaced);
    let handed_out =
        |address, set| PrekeyBundle { address, set, one_time: None }.verify(&certificate).map(drop);
    assert_eq!(handed_out(certificate.address, lent), misplaced);
    assert_eq!(handed_out(alice.address(2), upload.set.clone()), misplaced);
    assert_eq!(handed_out(certificate.address, upload.set), Ok(()));
}

#[test]
fn an_upload_with_a_prekey_of_another_set_is_refused() {
    let (certificate, mut one) = upload(1, 3);
    let (_, other) = upload(2, 3);

    one.one_time = other.one_time;

    assert_eq!(one.verify(&certificate).map(drop), Err(VerifyError::Misplaced));
}

#[test]
fn a_set_takes_a_hundred_one_time_prekeys_and_no_more() {
    let keys = vec![(AgreementKey::from_bytes([1; 32]), KemKey::from_bytes([2; 1568])); 101];

    let (root, prekeys) = OneTimePrekey::tree(&keys);

    assert_eq!(prekeys.len(), 100);
    assert_eq!(root, OneTimePrekey::tree(&keys[..100]).0);
    assert_eq!(prekeys.last().map(|prekey| prekey.index), Some(99));
}

fn upload(number: u32, count: u8) -> (Verified<DeviceCertificate>, PrekeyUpload) {
    let alice = Person::new(1);
    let certificate = alice.certificate(1).verify(&alice.identity_key()).unwrap();
    let seed = u8::try_from(number).unwrap();
    let keys: Vec<_> = (0..count)
        .map(|n| n.wrapping_mul(seed))
        .map(|n| (AgreementKey::from_bytes([n; 32]), KemKey::from_bytes([seed; 1568])))
        .collect();
    let (one_time_root, one_time) = OneTimePrekey::tree(&keys);
    assert!(count > 0 || one_time_root == Digest::of(&[]));
    let set = PrekeySet {
        version: prekey::VERSION,
        address: certificate.address,
        number,
        signed: AgreementKey::from_bytes([200; 32]),
        last_resort: KemKey::from_bytes([201; 1568]),
        one_time_count: count.into(),
        one_time_root,
        created_at: NOON,
    };
    let set = sign_with(&Person::device_key(1), &set);
    (certificate, PrekeyUpload { set, one_time: List::new(one_time).unwrap() })
}
