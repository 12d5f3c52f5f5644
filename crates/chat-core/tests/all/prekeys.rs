//! Prekey sets: one signature, and nothing can be put under it.

use chat_core::codec::{Digest, List};
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
