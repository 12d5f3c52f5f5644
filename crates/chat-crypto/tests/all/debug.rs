//! No secret in any `Debug`: what is printed has no run of bytes of what is kept.

use std::fmt::{Debug, Write as _};

use chat_core::id::AccountId;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::wrap::{EnvelopeSecrets, MessageSecret};

use crate::people::{Person, rng};

#[test]
fn the_search_finds_bytes_in_every_form_they_are_printed_in() {
    let secret = [7, 200, 31, 144, 9, 250, 66, 1];

    assert!(shows(&format!("Key({secret:?})"), &secret));
    assert!(shows(&format!("Key({secret:#?})"), &secret));
    assert!(shows("Key(07c81f9009fa4201)", &secret));
    assert!(shows("Key([0x07, 0xC8, 0x1F, 0x90, 0x09, 0xFA, 0x42, 0x01])", &secret));
    assert!(!shows("Key(..)", &secret));
}

#[test]
fn long_lived_secrets_print_nothing_of_themselves() {
    let alice = Person::with_rsa();
    let phrase = RecoveryPhrase::generate(&mut rng(5));
    let (_, lock) = alice.keyring.seal(1, &[0xe1; 64], &phrase, &mut rng(6));
    let identity = IdentitySecret::generate(&mut rng(7));
    let device = DeviceSecrets::generate(&mut rng(8));
    let account = AccountId::random(&mut rng(9));
    let epoch = EnvelopeSecrets::generate(account, 1, &mut rng(10));

    assert_hidden(&identity, &identity.to_snapshot());
    assert_hidden(&device, &device.to_snapshot());
    assert_hidden(&alice.prekeys, &alice.prekeys.to_snapshot());
    assert_hidden(&epoch, &epoch.to_snapshot());
    assert_hidden(&alice.keyring, &alice.keyring.to_snapshot());
    assert_hidden(alice.keyring.backup_key(), &alice.keyring.to_snapshot());
    assert_hidden(&lock, &lock.to_snapshot());
}

#[test]
fn a_phrase_prints_none_of_its_words() {
    let phrase = RecoveryPhrase::generate(&mut rng(5));

    let printed = format!("{phrase:?} {phrase:#?}");

    for word in phrase.words().split(' ') {
        assert!(!printed.contains(word), "{printed}");
    }
}

#[test]
fn a_message_secret_and_a_session_print_nothing_of_themselves() {
    let secret = MessageSecret::generate(&mut rng(5));
    let (alice, bob) = (Person::new(1), Person::new(2));
    let sessions = alice.start_with(&bob, 7);
    let (_, sessions) = sessions.encrypt(b"hello", b"", crate::people::NOW, &mut rng(8)).unwrap();

    assert!(!shows(&format!("{secret:?} {secret:#?}"), secret.as_bytes()));
    // Of a session's byte strings those of 64 bytes begin with a private key.
    let snapshot = sessions.to_snapshot();
    let private = secrets(&snapshot, 64);
    assert!(!private.is_empty());
    for secret in private {
        assert!(!shows(&format!("{sessions:?} {sessions:#?}"), &secret[..32]));
    }
}

fn assert_hidden(value: &impl Debug, snapshot: &[u8]) {
    let printed = format!("{value:?} {value:#?}");
    let kept = [secrets(snapshot, 32), secrets(snapshot, 64)].concat();
    assert!(!kept.is_empty());
    for secret in kept {
        // The second half of a key pair is public.
        assert!(!shows(&printed, &secret[..32]), "{printed}");
    }
}

/// The CBOR byte strings of this length.
fn secrets(snapshot: &[u8], length: u8) -> Vec<&[u8]> {
    let begins = |at: &usize| snapshot[*at..].starts_with(&[0x58, length]);
    let string = |at: usize| snapshot.get(at + 2..at + 2 + usize::from(length));
    (0..snapshot.len()).filter(begins).filter_map(string).collect()
}

/// Tells whether four bytes of `secret` in a row stand in `printed`, in hexadecimal or decimal.
fn shows(printed: &str, secret: &[u8]) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '\n', '_'], "").replace("0x", "");
    let printed = plain(printed);
    let without_commas = printed.replace(',', "");
    secret.windows(4).any(|run| {
        let (mut hex, mut decimal) = (String::new(), String::new());
        for byte in run {
            write!(hex, "{byte:02x}").unwrap();
            write!(decimal, "{byte},").unwrap();
        }
        without_commas.contains(&hex) || printed.contains(&decimal)
    })
}
