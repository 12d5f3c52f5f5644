//! What a device keeps or types in: snapshots, the sealed keyring, recovery words, padding.

use std::sync::LazyLock;

use chat_crypto::backup::{BackupHead, BackupKey, BackupReader};
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::{Keyring, KeyringLock};
use chat_crypto::linking::Admission;
use chat_crypto::padding::{pad, unpad};
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::recovery::{RecoveryPhrase, WORDS};
use chat_crypto::safety_number::SafetyNumber;
use chat_crypto::sender_chain::{ReceivingChains, SendingChain};
use chat_crypto::session::Sessions;
use chat_crypto::wrap::EnvelopeSecrets;
use zeroize::Zeroizing;

use crate::people::{ALICE, BOB, NOW, rng};

const EXPORT_KEY: [u8; 64] = [0xe1; 64];
const NUMBER: u64 = 5;

static NUMBERS: LazyLock<SafetyNumber> = LazyLock::new(|| {
    let (alice, bob) = (ALICE.address.account, BOB.address.account);
    SafetyNumber::between((alice, ALICE.identity), (bob, BOB.identity))
});

/// Snapshots: what is read is written as something that reads the same.
pub fn snapshots(bytes: &[u8]) {
    again(bytes, Sessions::from_snapshot, Sessions::to_snapshot);
    again(bytes, DeviceSecrets::from_snapshot, DeviceSecrets::to_snapshot);
    again(bytes, IdentitySecret::from_snapshot, IdentitySecret::to_snapshot);
    again(bytes, PrekeySecrets::from_snapshot, PrekeySecrets::to_snapshot);
    again(bytes, EnvelopeSecrets::from_snapshot, EnvelopeSecrets::to_snapshot);
    again(bytes, Keyring::from_snapshot, Keyring::to_snapshot);
    again(bytes, KeyringLock::from_snapshot, KeyringLock::to_snapshot);
    again(bytes, SendingChain::from_snapshot, SendingChain::to_snapshot);
    again(bytes, ReceivingChains::from_snapshot, ReceivingChains::to_snapshot);
    again(bytes, Admission::from_snapshot, Admission::to_snapshot);
    again(bytes, BackupHead::from_snapshot, BackupHead::to_snapshot);
    again(bytes, BackupReader::from_snapshot, BackupReader::to_snapshot);
    again(bytes, BackupKey::from_snapshot, BackupKey::to_snapshot);
}

fn again<T, E: std::fmt::Debug>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, E>,
    write: fn(&T) -> Zeroizing<Vec<u8>>,
) {
    let Ok(state) = read(bytes) else { return };
    let written = write(&state);
    let state = read(&written).expect("what we wrote can be read");
    assert_eq!(write(&state), written, "a snapshot says something else");
}

/// A sealed keyring opens as it was sealed, or not at all.
pub fn keyring(bytes: &[u8]) {
    let account = BOB.address.account;
    if let Ok((opened, _)) = Keyring::open_with_password(bytes, account, NUMBER, &EXPORT_KEY) {
        assert_eq!(opened.to_snapshot(), BOB.keyring.to_snapshot(), "nobody sealed this");
    }
    if let Ok((opened, _)) = Keyring::open_with_phrase(bytes, account, NUMBER, &phrase()) {
        assert_eq!(opened.to_snapshot(), BOB.keyring.to_snapshot(), "nobody sealed this");
    }
}

/// What somebody typed or scanned: 24 words that fit together, or the code of a safety number.
pub fn recovery(bytes: &[u8]) {
    assert_eq!(NUMBERS.matches_qr(bytes), bytes == NUMBERS.qr_payload());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(phrase) = RecoveryPhrase::parse(text) {
        let words = phrase.words();
        assert_eq!(words.split(' ').count(), WORDS);
        let read = RecoveryPhrase::parse(&words).expect("what we wrote can be read");
        assert_eq!(read.words(), words);
        let typed = text.to_lowercase();
        let all_tell = typed
            .split_whitespace()
            .zip(words.split(' '))
            .all(|(typed, word)| typed == word || (typed.len() >= 4 && word.starts_with(typed)));
        assert!(all_tell, "other words");
    }
}

/// Padding: one content has one padded form.
pub fn padding(bytes: &[u8]) {
    if let Ok(content) = unpad(bytes)
        && let Ok(padded) = pad(content)
    {
        assert_eq!(*padded, bytes, "two paddings of one content");
    }
    if let Ok(padded) = pad(bytes) {
        assert_eq!(unpad(&padded), Ok(bytes));
    }
}

fn phrase() -> RecoveryPhrase {
    RecoveryPhrase::generate(&mut rng(4))
}

/// A snapshot of each kind.
#[must_use]
pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    let sessions = Sessions::new(BOB.address)
        .start(&ALICE.local(), BOB.identity, &BOB.bundles[0], NOW, &mut rng(5))
        .expect("the bundle is good");
    let (_, lock) = BOB.keyring.seal(NUMBER, &EXPORT_KEY, &phrase(), &mut rng(6));
    [
        sessions.to_snapshot(),
        ALICE.device.to_snapshot(),
        ALICE.keyring.identity().to_snapshot(),
        ALICE.prekeys().to_snapshot(),
        ALICE.keyring.current_envelope_secrets().to_snapshot(),
        ALICE.keyring.to_snapshot(),
        lock.to_snapshot(),
        crate::linking::admission().to_snapshot(),
        BOB.keyring.backup_key().to_snapshot(),
    ]
    .into_iter()
    .chain(crate::chains::snapshots())
    .chain(crate::backups::snapshots())
    .map(|snapshot| snapshot.to_vec())
    .collect()
}

/// The keyring as it was sealed.
#[must_use]
pub fn keyring_seeds() -> Vec<Vec<u8>> {
    vec![BOB.keyring.seal(NUMBER, &EXPORT_KEY, &phrase(), &mut rng(6)).0]
}

/// A phrase, the same in capitals, one with two words swapped, and a code.
#[must_use]
pub fn recovery_seeds() -> Vec<Vec<u8>> {
    let words = phrase().words().to_string();
    let mut swapped: Vec<&str> = words.split(' ').collect();
    swapped.swap(0, 1);
    let phrases = [words.to_uppercase(), swapped.join("\n"), words.clone()];
    phrases.map(String::into_bytes).into_iter().chain([NUMBERS.qr_payload()]).collect()
}

/// Padded contents on both sides of the first steps.
#[must_use]
pub fn padding_seeds() -> Vec<Vec<u8>> {
    [0, 1, 255, 256, 4095, 4096].map(|length| vec![7; length]).map(padded).to_vec()
}

fn padded(content: Vec<u8>) -> Vec<u8> {
    pad(&content).map(|padded| padded.to_vec()).unwrap_or(content)
}
