//! Byte strings, lists and ids: what goes in comes out, up to the limit and not beyond.

use chat_core::codec::{Bytes, DecodeError, Digest, List, from_bytes, to_bytes};
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::time::Timestamp;

#[test]
fn a_byte_string_gives_back_what_it_took() {
    let bytes = Bytes::<3>::new(vec![7, 8, 9]).unwrap();

    assert_eq!(&bytes[..], [7, 8, 9]);
    assert_eq!(bytes.clone().into_vec(), [7, 8, 9]);
    assert_eq!(Bytes::<2>::new(bytes.into_vec()), Err(DecodeError::TooLong));
}

#[test]
fn a_byte_string_prints_its_length_and_nothing_else() {
    let bytes = Bytes::<16>::new(b"secret".to_vec()).unwrap();

    assert_eq!(format!("{bytes:?}"), "Bytes(6 bytes)");
}

#[test]
fn a_list_holds_as_many_items_as_it_may() {
    let full = List::<u8, 3>::new(vec![1, 2, 3]).unwrap();

    assert_eq!(from_bytes::<List<u8, 3>>(&to_bytes(&full)).as_ref(), Ok(&full));
    assert_eq!(from_bytes::<List<u8, 2>>(&to_bytes(&full)), Err(DecodeError::TooLong));
    assert_eq!(List::<u8, 2>::new(vec![1, 2, 3]), Err(DecodeError::TooLong));
    assert!(serde_json::from_str::<List<u8, 3>>("[1, 2, 3]").is_ok_and(|read| read == full));
    assert!(serde_json::from_str::<List<u8, 2>>("[1, 2, 3]").is_err());
}

#[test]
fn a_list_is_gone_through_by_reference_and_by_value() {
    let list = List::<u8, 3>::new(vec![1, 2, 3]).unwrap();

    let mut sum = 0;
    for item in &list {
        sum += *item;
    }

    assert_eq!(sum, 6);
    assert_eq!(list.into_iter().rev().collect::<Vec<_>>(), [3, 2, 1]);
}

#[test]
fn a_digest_is_of_the_whole_and_prints_its_beginning() {
    let digest = Digest::of(b"abc");

    // FIPS 180-4's own example.
    assert_eq!(format!("{digest:?}"), "Digest(ba7816bf…)");
    assert_eq!(digest, Digest::of_parts(&[b"a", b"", b"bc"]));
    assert_ne!(digest, Digest::of(b"abd"));
}

#[test]
fn a_device_is_written_as_account_and_device() {
    let address = DeviceAddress {
        account: AccountId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([2; 16]),
    };

    assert_eq!(
        address.to_string(),
        "01010101-0101-0101-0101-010101010101/02020202-0202-0202-0202-020202020202"
    );
}

#[test]
fn moments_are_counted_in_milliseconds() {
    let (early, late) = (Timestamp::from_millis(1000), Timestamp::from_millis(3500));

    assert_eq!(late.as_millis(), 3500);
    assert_eq!(late.since(early).as_millis(), 2500);
    assert_eq!(early.after(late.since(early)), late);
}
