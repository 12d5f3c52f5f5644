//! Signed objects: the bytes that came are what counts, and nothing is read before its signature.

use chat_core::codec::{DecodeError, Digest, from_bytes, to_bytes};
use chat_core::device::{DeviceCertificate, DeviceList};
use chat_core::key::{DeviceKey, IdentityKey, Signature, signature_input};
use chat_core::receipt::Receipt;
use chat_core::signed::{Signable, Unverified, VerifyError};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::people::Person;

#[test]
fn what_is_forged_is_not_even_read() {
    let (signer, other) = (key(1), key(2));
    let nonsense = signed::<Receipt>(&signer, &[0xff; 40]);

    assert_eq!(nonsense.clone().verify(&public(&other)), Err(VerifyError::Forged));
    assert_eq!(
        nonsense.verify(&public(&signer)),
        Err(VerifyError::Unreadable(DecodeError::Malformed))
    );
}

#[test]
fn bytes_that_we_would_write_otherwise_are_checked_and_named_as_they_came() {
    let alice = Person::new(1);
    let ours = alice.certificate(1).signed_bytes().to_vec();
    // A newer writer's field behind ours: `99: 0`, and one more in the head of the map.
    let theirs = [&[ours[0] + 1], &ours[1..], &[0x18, 99, 0]].concat();
    let certificate = signed::<DeviceCertificate>(&key(1), &theirs);

    let read = certificate.verify(&public(&key(1))).unwrap();

    assert_eq!(to_bytes(&*read), ours);
    assert_eq!(read.digest(), Digest::of(&theirs));
    assert_eq!(read.source().signed_bytes(), theirs);
}

#[test]
fn an_object_signed_for_one_purpose_counts_for_no_other() {
    let alice = Person::new(1);
    let list = alice.first_list(&[1]).list;
    let as_certificate: Unverified<DeviceCertificate> = from_bytes(&to_bytes(&list)).unwrap();
    let as_receipt: Unverified<Receipt> = from_bytes(&to_bytes(&list)).unwrap();
    let as_list: Unverified<DeviceList> = from_bytes(&to_bytes(&list)).unwrap();

    assert_eq!(as_certificate.verify(&alice.identity_key()), Err(VerifyError::Forged));
    assert_eq!(as_receipt.verify(&alice.identity_key()), Err(VerifyError::Forged));
    assert!(as_list.verify(&alice.identity_key()).is_ok());
}

#[test]
fn bytes_behind_a_signed_object_are_refused_although_they_are_signed() {
    let alice = Person::new(1);
    let longer = [alice.certificate(1).signed_bytes(), &[0]].concat();

    let read = signed::<DeviceCertificate>(&key(1), &longer).verify(&public(&key(1)));

    assert_eq!(read, Err(VerifyError::Unreadable(DecodeError::TrailingBytes)));
}

#[test]
fn a_signature_of_another_length_is_no_signature() {
    for length in [0, 63, 65] {
        let mut cbor = vec![0xa2, 0x00, 0x41, 0xa0, 0x01, 0x58, length];
        cbor.resize(cbor.len() + usize::from(length), 0);

        assert!(from_bytes::<Unverified<Receipt>>(&cbor).is_err(), "{length}");
    }
}

#[test]
fn a_key_that_is_no_point_or_of_small_order_verifies_nothing() {
    let receipt = signed::<Receipt>(&key(1), &[0xa0]);
    // Not on the curve; of order 1, 2, 4 and 8, and the first two written with p added.
    for point in [
        "0200000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let identity = IdentityKey::from_bytes(bytes(point));

        assert_eq!(receipt.clone().verify(&identity), Err(VerifyError::Forged), "{point}");
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(key: &SigningKey) -> DeviceKey {
    DeviceKey::from_bytes(key.verifying_key().to_bytes())
}

/// Signs bytes as they are, whatever they are.
pub(crate) fn signed<T: Signable>(signer: &SigningKey, object: &[u8]) -> Unverified<T> {
    let signature = signer.sign(&signature_input(T::LABEL, object)).to_bytes();
    let parts = Raw(object.to_vec(), Signature::from_bytes(signature));
    from_bytes(&to_bytes(&parts)).unwrap()
}

/// `{0: bytes, 1: signature}`.
struct Raw(Vec<u8>, Signature);

impl<C> minicbor::Encode<C> for Raw {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(2)?.u8(0)?.bytes(&self.0)?.u8(1)?;
        self.1.encode(e, ctx)
    }
}

fn bytes(hex: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}
