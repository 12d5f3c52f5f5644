//! The keyring's lock: one random key, sealed under the password and under the phrase.
//!
//! ```text
//!  sealed keyring  =  { 0: version, 1: by password, 2: by phrase, 3: content }        CBOR
//!
//!  by password, by phrase   nonce (24) ‖ XChaCha20-Poly1305(lock key)                 72 bytes
//!  content                  nonce (24) ‖ XChaCha20-Poly1305(keyring)
//! ```
//!
//! Nonces of 24 bytes can be drawn at random for as long as anybody cares. A device keeps the
//! lock, so that it can seal a new epoch without asking for password or phrase.
//! Normative: `docs/protocol/keyring.md` §3.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chat_core::codec::{Bytes, DecodeError, from_bytes, to_bytes};
use chat_core::id::AccountId;
use chat_core::label::{self, Label};
use chat_core::limits::KEYRING_BYTES_MAX;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Keyring, KeyringError};
use crate::kdf;
use crate::recovery::RecoveryPhrase;
use crate::secret::SecretBytes;
use crate::snapshot::{self, SnapshotError};

const VERSION: u8 = 1;
const LOCK_SNAPSHOT: u8 = 1;
const NONCE_BYTES: usize = 24;
const SEALED_KEY_BYTES: usize = NONCE_BYTES + 32 + 16;

/// What the relay keeps.
#[derive(Encode, Decode)]
#[cbor(map)]
struct SealedKeyring {
    #[n(0)]
    version: u8,
    #[n(1)]
    by_password: Bytes<SEALED_KEY_BYTES>,
    #[n(2)]
    by_phrase: Bytes<SEALED_KEY_BYTES>,
    #[n(3)]
    content: Bytes<KEYRING_BYTES_MAX>,
}

/// The key of a keyring, and both of its sealed forms: seals new content without password.
#[derive(Clone)]
pub struct KeyringLock(LockState);

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
struct LockState {
    #[n(0)]
    key: SecretBytes<32>,
    #[n(1)]
    by_password: Bytes<SEALED_KEY_BYTES>,
    #[n(2)]
    by_phrase: Bytes<SEALED_KEY_BYTES>,
}

/// What opens a lock.
#[derive(Clone, Copy)]
pub(super) enum Opener<'a> {
    /// The export key that OPAQUE gives with the right password.
    Password(&'a [u8]),
    /// The recovery phrase.
    Phrase(&'a RecoveryPhrase),
}

impl Opener<'_> {
    fn label(self) -> Label {
        match self {
            Self::Password(_) => label::KEYRING_PASSWORD,
            Self::Phrase(_) => label::KEYRING_PHRASE,
        }
    }

    /// The cipher for the lock's key: HKDF-SHA-256 of what the person has.
    fn cipher(self) -> XChaCha20Poly1305 {
        let secret = match self {
            Self::Password(export_key) => export_key,
            Self::Phrase(phrase) => phrase.entropy(),
        };
        let key: Zeroizing<[u8; 32]> = kdf::derive(secret, self.label(), &[]);
        XChaCha20Poly1305::new((&*key).into())
    }

    /// `label ‖ account`: a lock's sealed key belongs to one account and one kind of opener.
    fn associated(self, account: AccountId) -> Vec<u8> {
        [self.label().as_bytes(), account.as_bytes()].concat()
    }

    #[expect(clippy::expect_used, reason = "the limit is this very length")]
    fn seal_key(
        self,
        key: &[u8; 32],
        account: AccountId,
        rng: &mut impl CryptoRng,
    ) -> Bytes<SEALED_KEY_BYTES> {
        let sealed = seal(&self.cipher(), key, &self.associated(account), rng);
        // INVARIANT: 32 bytes, a nonce and a tag are exactly the limit.
        Bytes::new(sealed).expect("a sealed key has 72 bytes")
    }
}

impl KeyringLock {
    /// Draws a new lock that `export_key` and `phrase` open.
    pub(super) fn new(
        account: AccountId,
        export_key: &[u8],
        phrase: &RecoveryPhrase,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let key = SecretBytes::random(rng);
        let by_password = Opener::Password(export_key).seal_key(key.as_bytes(), account, rng);
        let by_phrase = Opener::Phrase(phrase).seal_key(key.as_bytes(), account, rng);
        Self(LockState { key, by_password, by_phrase })
    }

    /// Seals `keyring` under `number`, to be opened by the same password and phrase as before.
    ///
    /// `number` must be higher than any this account's keyring was sealed with before.
    #[expect(clippy::expect_used, reason = "a keyring has a limit of its own")]
    #[must_use]
    pub fn reseal(&self, keyring: &Keyring, number: u64, rng: &mut impl CryptoRng) -> Vec<u8> {
        let cipher = self.cipher();
        let associated = associated(keyring.account(), number);
        let content = seal(&cipher, &keyring.to_snapshot(), &associated, rng);
        to_bytes(&SealedKeyring {
            version: VERSION,
            by_password: self.0.by_password.clone(),
            by_phrase: self.0.by_phrase.clone(),
            // INVARIANT: a keyring of the most epochs, each with RSA, stays below the limit; a test
            // holds that.
            content: Bytes::new(content).expect("the fullest keyring fits"),
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.key.as_bytes().into())
    }
}

impl KeyringLock {
    /// The lock, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(LOCK_SNAPSHOT, &self.0)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, LOCK_SNAPSHOT).map(Self)
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
    opener: Opener<'_>,
) -> Result<(Keyring, KeyringLock), KeyringError> {
    let sealed: SealedKeyring = from_bytes(sealed).map_err(KeyringError::Unreadable)?;
    if sealed.version != VERSION {
        return Err(KeyringError::Unreadable(DecodeError::UnknownKind));
    }
    let sealed_key = match opener {
        Opener::Password(_) => &sealed.by_password,
        Opener::Phrase(_) => &sealed.by_phrase,
    };
    let key = open_sealed(&opener.cipher(), sealed_key, &opener.associated(account))?;
    let key = key.as_slice().try_into().map_err(|_| KeyringError::NotAuthentic)?;
    let lock = KeyringLock(LockState {
        key: SecretBytes::new(key),
        by_password: sealed.by_password,
        by_phrase: sealed.by_phrase,
    });

    let content = open_sealed(&lock.cipher(), &sealed.content, &associated(account, number))?;
    let keyring = Keyring::from_snapshot(&content).map_err(|_| KeyringError::NotAuthentic)?;
    if keyring.account() != account {
        return Err(KeyringError::NotAuthentic);
    }
    Ok((keyring, lock))
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
