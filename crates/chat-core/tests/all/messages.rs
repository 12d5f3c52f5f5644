//! What a relay reads of a message: for whom a wrap is, how long a timer runs, whose keys these are.

use std::time::Duration;

use chat_core::codec::Bytes;
use chat_core::codec::{DecodeError, Digest};
use chat_core::envelope::{
    self, EnvelopeKeys, Expiry, ExpiryMode, Recipient, SignedContent, Suite, Wrap, WrapScheme,
};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::key::{AgreementKey, XWingKey};
use chat_core::limits::EXPIRY_MAX;
use chat_core::signed::VerifyError;

use crate::people::{NOON, Person};
use crate::vectors::spec;

#[test]
fn only_ratchet_wraps_are_for_one_device() {
    assert!(WrapScheme::Ratchet.is_per_device());
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
        assert!(!scheme.is_per_device(), "{scheme:?}");
    }
}

#[test]
fn a_wrap_is_for_one_device_or_for_every_device_of_an_account() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let for_a_device = wrap(alice.address(7));
    let to = Recipient::Account(alice.account);
    let for_the_account = Wrap { to, ..wrap(alice.address(7)) };

    assert!(for_a_device.is_for(alice.address(7)));
    assert!(!for_a_device.is_for(alice.address(8)));
    assert!(!for_a_device.is_for(bob.address(7)));
    assert!(for_the_account.is_for(alice.address(7)));
    assert!(for_the_account.is_for(alice.address(8)));
    assert!(!for_the_account.is_for(bob.address(7)));
}

#[test]
fn a_shared_wrap_is_for_every_device_there_is_and_for_no_account() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let shared = Wrap { to: Recipient::Everyone, ..wrap(alice.address(7)) };

    assert!(shared.is_for(alice.address(7)) && shared.is_for(bob.address(1)));
    assert_eq!(Recipient::Everyone.account(), None);
    assert_eq!(Recipient::Account(bob.account).account(), Some(bob.account));
    assert_eq!(Recipient::Device(alice.address(7)).account(), Some(alice.account));
}

#[test]
fn each_scheme_wraps_for_one_kind_of_recipient() {
    let alice = Person::new(1);
    let everyone = Recipient::Everyone;
    let (account, device) =
        (Recipient::Account(alice.account), Recipient::Device(alice.address(7)));
    let fitting = |scheme| [everyone, account, device].map(|recipient| recipient.fits(scheme));

    assert_eq!(fitting(WrapScheme::SenderChain), [true, false, false]);
    assert_eq!(fitting(WrapScheme::Ratchet), [false, false, true]);
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
        assert_eq!(fitting(scheme), [false, true, false], "{scheme:?}");
    }
}

#[test]
fn a_timer_runs_as_long_as_it_says_and_never_longer_than_a_year() {
    let runs = |after_ms| Expiry { mode: ExpiryMode::AfterSeen, after_ms }.after();

    assert_eq!(runs(30_000), Duration::from_secs(30));
    assert_eq!(runs(u64::MAX), EXPIRY_MAX);
}

#[test]
fn a_signature_covers_the_message_its_place_and_its_readers() {
    let signed = SignedContent {
        suite: Suite::Signed,
        message: MessageId::from_bytes([1; 16]),
        conversation: ConversationId::from_bytes([2; 16]),
        recipients: Digest::from_bytes([3; 32]),
        content: Digest::from_bytes([4; 32]),
        header: Digest::from_bytes([5; 32]),
        commitment: Digest::from_bytes([6; 32]),
    };

    let written = spec::map(&[
        (0, spec::uint(2u64)),
        (1, spec::bytes(&[1; 16])),
        (2, spec::bytes(&[2; 16])),
        (3, spec::bytes(&[3; 32])),
        (4, spec::bytes(&[4; 32])),
        (5, spec::bytes(&[5; 32])),
        (6, spec::bytes(&[6; 32])),
    ]);
    assert_eq!(signed.to_bytes(), written);
}

#[test]
fn envelope_keys_of_another_version_are_not_believed() {
    let alice = Person::new(1);
    let of_version = |version| {
        let keys = EnvelopeKeys {
            version,
            account: alice.account,
            epoch: 1,
            x25519: AgreementKey::from_bytes([1; 32]),
            xwing: XWingKey::from_bytes([2; XWingKey::BYTES]),
            rsa: None,
            created_at: NOON,
        };
        alice.sign(&keys).verify(&alice.identity_key()).map(drop)
    };

    assert_eq!(of_version(envelope::VERSION), Ok(()));
    let unknown = Err(VerifyError::Unreadable(DecodeError::UnknownKind));
    assert_eq!(of_version(envelope::VERSION + 1), unknown);
}

fn wrap(address: DeviceAddress) -> Wrap {
    Wrap {
        to: Recipient::Device(address),
        scheme: WrapScheme::Ratchet,
        epoch: 0,
        bytes: Bytes::new(vec![7]).unwrap(),
    }
}
