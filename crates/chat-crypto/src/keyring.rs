//! The keyring: what an account must never lose, and how it survives a lost device.
//!
//! ```text
//!  export key (password, OPAQUE) ──HKDF──▶ seals ┐
//!                                                ├─▶ lock key, 32 random bytes ──seals──▶ keyring
//!  recovery phrase (24 words) ─────HKDF──▶ seals ┘
//!
//!  keyring ┬ the account's identity key
//!          └ its envelope keys, every epoch
//! ```
//!
//! The relay keeps the sealed keyring under a rising number. It cannot open it, and it cannot pass
//! off another account's or another number's: both are authenticated. That a device refuses a
//! lower number than it has seen is the caller's.
//! Normative: `docs/protocol/keyring.md`.

mod lock;

use std::fmt;

use chat_core::codec::DecodeError;
use chat_core::id::AccountId;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use self::lock::KeyringLock;
use crate::identity::IdentitySecret;
use crate::recovery::RecoveryPhrase;
use crate::snapshot::{self, SnapshotError};
use crate::wrap::EnvelopeSecrets;

const KEYRING_SNAPSHOT: u8 = 1;

/// Most epochs a keyring holds: with RSA in each, they fit a sealed keyring's limit. At one epoch
/// in 90 days they last 24 years.
pub const EPOCHS_MAX: usize = 100;

/// Why a keyring was not opened, or not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The keyring was not sealed with this password or phrase, for this account and number.
    #[error("the keyring does not open with this password or phrase")]
    NotAuthentic,
    /// The bytes are no sealed keyring of a version that this code knows.
    #[error("the sealed keyring cannot be read: {0}")]
    Unreadable(DecodeError),
    /// The envelope keys are another account's, or their epoch does not follow the newest.
    #[error("these envelope keys do not follow those in the keyring")]
    NotNext,
    /// The keyring holds [`EPOCHS_MAX`] epochs.
    #[error("the keyring is full")]
    Full,
}

/// A keyring as it is kept; borrowed on both ways, so that no copy of a key is left behind.
#[derive(Encode, Decode)]
#[cbor(map)]
struct KeyringState<'a> {
    #[b(0)]
    identity: &'a ByteSlice,
    #[b(1)]
    epochs: Vec<&'a ByteSlice>,
}

/// An account's long-lived secrets.
#[derive(Clone)]
pub struct Keyring {
    identity: IdentitySecret,
    /// Rising by one each.
    older: Vec<EnvelopeSecrets>,
    current: EnvelopeSecrets,
}

impl Keyring {
    /// A keyring with its first envelope keys.
    #[must_use]
    pub fn new(identity: IdentitySecret, envelope: EnvelopeSecrets) -> Self {
        Self { identity, older: Vec::new(), current: envelope }
    }

    /// Whose keyring.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.current.account()
    }

    /// The account's identity key.
    #[must_use]
    pub fn identity(&self) -> &IdentitySecret {
        &self.identity
    }

    /// The envelope keys that others wrap for now.
    #[must_use]
    pub fn current_envelope_secrets(&self) -> &EnvelopeSecrets {
        &self.current
    }

    /// The envelope keys of an epoch, if it is held.
    #[must_use]
    pub fn epoch(&self, number: u32) -> Option<&EnvelopeSecrets> {
        self.epochs().find(|epoch| epoch.epoch() == number)
    }

    fn epochs(&self) -> impl DoubleEndedIterator<Item = &EnvelopeSecrets> {
        self.older.iter().chain([&self.current])
    }

    /// Makes `next` the current envelope keys; those before stay, to read.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NotNext`], [`KeyringError::Full`].
    pub fn add_epoch(&mut self, next: EnvelopeSecrets) -> Result<(), KeyringError> {
        let follows = Some(next.epoch()) == self.current.epoch().checked_add(1);
        if next.account() != self.account() || !follows {
            return Err(KeyringError::NotNext);
        }
        if self.older.len() + 1 >= EPOCHS_MAX {
            return Err(KeyringError::Full);
        }
        self.older.push(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// The keyring, to be stored encrypted; also what is sealed.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let identity = self.identity.to_snapshot();
        let epochs: Vec<_> = self.epochs().map(EnvelopeSecrets::to_snapshot).collect();
        let state = KeyringState {
            identity: identity.as_slice().into(),
            epochs: epochs.iter().map(|epoch| epoch.as_slice().into()).collect(),
        };
        snapshot::write(KEYRING_SNAPSHOT, &state)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: KeyringState<'_> = snapshot::read(bytes, KEYRING_SNAPSHOT)?;
        let identity = IdentitySecret::from_snapshot(state.identity)?;
        let mut epochs = state.epochs.iter().map(|epoch| EnvelopeSecrets::from_snapshot(epoch));
        let mut keyring = Self::new(identity, epochs.next().ok_or(SnapshotError::Malformed)??);
        for epoch in epochs {
            keyring.add_epoch(epoch?).map_err(|_| SnapshotError::Malformed)?;
        }
        Ok(keyring)
    }

    /// Seals the keyring under a new lock that the password's export key and the phrase open.
    ///
    /// `number` must be higher than any this account's keyring was sealed with before.
    #[must_use]
    pub fn seal(
        &self,
        number: u64,
        export_key: &[u8],
        phrase: &RecoveryPhrase,
        rng: &mut impl CryptoRng,
    ) -> (Vec<u8>, KeyringLock) {
        let lock = KeyringLock::new(self.account(), export_key, phrase, rng);
        (lock.reseal(self, number, rng), lock)
    }

    /// Opens a sealed keyring with the export key that logging in by password gave.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Unreadable`], [`KeyringError::NotAuthentic`].
    pub fn open_with_password(
        sealed: &[u8],
        account: AccountId,
        number: u64,
        export_key: &[u8],
    ) -> Result<(Self, KeyringLock), KeyringError> {
        lock::open(sealed, account, number, lock::Opener::Password(export_key))
    }

    /// Opens a sealed keyring with the recovery phrase.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Unreadable`], [`KeyringError::NotAuthentic`].
    pub fn open_with_phrase(
        sealed: &[u8],
        account: AccountId,
        number: u64,
        phrase: &RecoveryPhrase,
    ) -> Result<(Self, KeyringLock), KeyringError> {
        lock::open(sealed, account, number, lock::Opener::Phrase(phrase))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}
