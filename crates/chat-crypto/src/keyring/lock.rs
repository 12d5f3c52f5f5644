//! The keyring's lock: one random key, sealed for the password and for the phrase.
//!
//! ```text
//!  sealed keyring  =  { 0: version, 1: for the password, 2: for the phrase, 3: content }   CBOR
//!
//!  1, 2     HPKE(X-Wing, opener's public half; lock key)                          1 168 bytes
//!  content  nonce (24) ‖ XChaCha20-Poly1305(lock key; openers' public halves, keyring)
//! ```
//!
//! A device keeps the lock, so that it can seal a new epoch, open what another device sealed, and
//! draw a fresh lock, without asking for password or phrase. A fresh lock is what ends the access
//! of whoever held the old one: a removed device, an old password, an old phrase.
//! Normative: `docs/protocol/keyring.md` §3.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chat_core::codec::{Bytes, DecodeError, from_bytes, to_bytes};
use chat_core::id::AccountId;
use chat_core::key::XWingKey;
use chat_core::label;
use chat_core::limits::KEYRING_BYTES_MAX;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::opener::{self, Kind, Opener, SEALED_KEY_BYTES};
use super::{Keyring, KeyringError};
use crate::erasure::{erased, erases};
use crate::recovery::RecoveryPhrase;
use crate::secret::SecretBytes;
use crate::snapshot::{self, SnapshotError};

const VERSION: u8 = 1;
const CONTENT_SNAPSHOT: u8 = 1;
const LOCK_SNAPSHOT: u8 = 1;
const NONCE_BYTES: usize = 24;

/// What the relay keeps.
#[derive(Encode, Decode)]
#[cbor(map)]
struct SealedKeyring {
    #[n(0)]
    version: u8,
    #[n(1)]
    for_password: Bytes<SEALED_KEY_BYTES>,
    #[n(2)]
    for_phrase: Bytes<SEALED_KEY_BYTES>,
    #[n(3)]
    content: Bytes<KEYRING_BYTES_MAX>,
}

/// What the lock's key opens.
#[derive(Encode, Decode)]
#[cbor(map)]
struct SealedContent<'a> {
    #[b(0)]
    keyring: &'a ByteSlice,
    #[n(1)]
    password: XWingKey,
    #[n(2)]
    phrase: XWingKey,
}

/// The key of a keyring, for whom it is sealed, and the number it was last sealed or opened under.
///
/// Can be cloned, because a change is made on a copy: it takes the lock's place when the relay has
/// taken what it sealed.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct KeyringLock {
    #[n(0)]
    key: SecretBytes<32>,
    #[n(1)]
    password: XWingKey,
    #[n(2)]
    phrase: XWingKey,
    #[n(3)]
    number: u64,
}

erases!(KeyringLock, KeyringLock { key, password: _, phrase: _, number: _ } => { erased(key) });

impl KeyringLock {
    /// Draws a new lock that `export_key` and `phrase` open.
    pub(super) fn new(
        number: u64,
        export_key: &[u8],
        phrase: &RecoveryPhrase,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let (password, phrase) = (Opener::password(export_key), Opener::phrase(phrase));
        Self::fresh(password.public(), phrase.public(), number, rng)
    }

    fn fresh(password: XWingKey, phrase: XWingKey, number: u64, rng: &mut impl CryptoRng) -> Self {
        Self { key: SecretBytes::random(rng), password, phrase, number }
    }

    /// The highest number of a keyring that this lock sealed or opened.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A fresh lock for the same password and phrase: when a device was removed.
    ///
    /// What is sealed from now on does not open with a copy of the lock before. The account's
    /// other devices get the fresh one through their sessions, or ask for password or phrase.
    #[must_use]
    pub fn renew(&self, rng: &mut impl CryptoRng) -> Self {
        Self::fresh(self.password, self.phrase, self.number, rng)
    }

    /// A fresh lock for a new password; the phrase stays.
    #[must_use]
    pub fn with_password(&self, export_key: &[u8], rng: &mut impl CryptoRng) -> Self {
        Self::fresh(Opener::password(export_key).public(), self.phrase, self.number, rng)
    }

    /// A fresh lock for a new phrase; the password stays.
    #[must_use]
    pub fn with_phrase(&self, phrase: &RecoveryPhrase, rng: &mut impl CryptoRng) -> Self {
        Self::fresh(self.password, Opener::phrase(phrase).public(), self.number, rng)
    }

    /// Seals `keyring` under the next number, [`Self::number`] afterwards.
    ///
    /// If the relay holds that number already, another device was faster: open what it sealed,
    /// repeat the change on top of it, and seal again.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Full`] at the last number there is.
    pub fn reseal(
        &mut self,
        keyring: &Keyring,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, KeyringError> {
        self.number = self.number.checked_add(1).ok_or(KeyringError::Full)?;
        Ok(self.seal(keyring, rng))
    }

    /// Seals `keyring` under the lock's number.
    #[expect(clippy::expect_used, reason = "a keyring has a limit of its own")]
    pub(super) fn seal(&self, keyring: &Keyring, rng: &mut impl CryptoRng) -> Vec<u8> {
        let (account, number) = (keyring.account(), self.number);
        let snapshot = keyring.to_snapshot();
        let content = SealedContent {
            keyring: snapshot.as_slice().into(),
            password: self.password,
            phrase: self.phrase,
        };
        let content = snapshot::write(CONTENT_SNAPSHOT, &content);
        let content = seal(&self.cipher(), &content, &associated(account, number), rng);
        let mut sealed_for =
            |kind, public| opener::seal(kind, public, &self.key, account, number, rng);
        to_bytes(&SealedKeyring {
            version: VERSION,
            for_password: sealed_for(Kind::Password, &self.password),
            for_phrase: sealed_for(Kind::Phrase, &self.phrase),
            // INVARIANT: a keyring of the most epochs, each with RSA, stays below the limit; a test
            // holds that.
            content: Bytes::new(content).expect("the fullest keyring fits"),
        })
    }

    /// Opens what another device sealed under this lock.
    ///
    /// Check with [`Keyring::check_successor`] that the keyring holds everything that the one
    /// before held.
    ///
    /// # Errors
    ///
    /// [`KeyringError::RolledBack`] for a lower number than the lock has seen;
    /// [`KeyringError::NotAuthentic`], also when the lock was renewed;
    /// [`KeyringError::Unreadable`].
    pub fn open(
        &mut self,
        sealed: &[u8],
        account: AccountId,
        number: u64,
    ) -> Result<Keyring, KeyringError> {
        if number < self.number {
            return Err(KeyringError::RolledBack);
        }
        let sealed = read(sealed)?;
        let (keyring, lock) = open_content(&self.key, &sealed.content, account, number)?;
        *self = lock;
        Ok(keyring)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        cipher(&self.key)
    }
}

impl KeyringLock {
    /// The lock, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(LOCK_SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let lock: Self = snapshot::read(bytes, LOCK_SNAPSHOT)?;
        if lock.has_keys() { Ok(lock) } else { Err(SnapshotError::Malformed) }
    }

    fn has_keys(&self) -> bool {
        opener::is_key(&self.password) && opener::is_key(&self.phrase)
    }
}

impl fmt::Debug for KeyringLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyringLock(..)")
    }
}

/// Opens a sealed keyring.
pub(super) fn open(
    sealed: &[u8],
    account: AccountId,
    number: u64,
    opener: &Opener,
) -> Result<(Keyring, KeyringLock), KeyringError> {
    let sealed = read(sealed)?;
    let sealed_key = match opener.kind {
        Kind::Password => &sealed.for_password,
        Kind::Phrase => &sealed.for_phrase,
    };
    let key = opener.open(sealed_key, account, number).ok_or(KeyringError::NotAuthentic)?;
    let (keyring, lock) = open_content(&key, &sealed.content, account, number)?;
    let named = match opener.kind {
        Kind::Password => lock.password,
        Kind::Phrase => lock.phrase,
    };
    // SECURITY: the key was sealed for this opener, so the content must say so too; else the two
    // parts come from different keyrings.
    if named != opener.public() {
        return Err(KeyringError::NotAuthentic);
    }
    Ok((keyring, lock))
}

fn read(sealed: &[u8]) -> Result<SealedKeyring, KeyringError> {
    let sealed: SealedKeyring = from_bytes(sealed).map_err(KeyringError::Unreadable)?;
    if sealed.version != VERSION {
        return Err(KeyringError::Unreadable(DecodeError::UnknownKind));
    }
    Ok(sealed)
}

fn open_content(
    key: &SecretBytes<32>,
    content: &[u8],
    account: AccountId,
    number: u64,
) -> Result<(Keyring, KeyringLock), KeyringError> {
    let content = open_sealed(&cipher(key), content, &associated(account, number))?;
    let content: SealedContent<'_> =
        snapshot::read(&content, CONTENT_SNAPSHOT).map_err(|_| KeyringError::NotAuthentic)?;
    let keyring =
        Keyring::from_snapshot(content.keyring).map_err(|_| KeyringError::NotAuthentic)?;
    let SealedContent { password, phrase, .. } = content;
    let lock = KeyringLock { key: key.clone(), password, phrase, number };
    if keyring.account() != account || !lock.has_keys() {
        return Err(KeyringError::NotAuthentic);
    }
    Ok((keyring, lock))
}

fn cipher(key: &SecretBytes<32>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_bytes().into())
}

/// `label ‖ account ‖ number`: so that a relay can neither swap keyrings nor relabel an old one.
fn associated(account: AccountId, number: u64) -> Vec<u8> {
    [label::KEYRING.as_bytes(), account.as_bytes(), &number.to_be_bytes()].concat()
}

#[expect(clippy::expect_used, reason = "no caller has 256 GiB")]
fn seal(
    cipher: &XChaCha20Poly1305,
    plaintext: &[u8],
    associated: &[u8],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let payload = Payload { msg: plaintext, aad: associated };
    // INVARIANT: only plaintexts of 256 GiB and more are refused.
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("short enough to seal");
    [&nonce[..], &sealed].concat()
}

fn open_sealed(
    cipher: &XChaCha20Poly1305,
    sealed: &[u8],
    associated: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let (nonce, sealed) =
        sealed.split_first_chunk::<NONCE_BYTES>().ok_or(KeyringError::NotAuthentic)?;
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: associated })
        .map(Zeroizing::new)
        .map_err(|_| KeyringError::NotAuthentic)
}
