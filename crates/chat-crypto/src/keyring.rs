//! The keyring: what an account must never lose, and how it survives a lost device.
//!
//! ```text
//!  password ─OPAQUE─▶ export key ─HKDF─▶ opener (X-Wing) ┐
//!                                                        ├─ open ─▶ lock key, random ─opens─▶ keyring
//!  recovery phrase (24 words) ────HKDF─▶ opener (X-Wing) ┘
//!
//!  keyring ┬ the account's identity key
//!          ├ its envelope keys, every epoch
//!          └ its backup keys, every number
//! ```
//!
//! The relay keeps the sealed keyring under a rising number. It cannot open it, and it cannot pass
//! off another account's or another number's: both are authenticated. Nothing is ever dropped from
//! a keyring, and [`Keyring::check_successor`] finds out if something was.
//! Normative: `docs/protocol/keyring.md`.

mod lock;
mod opener;

use std::fmt;

use chat_core::codec::DecodeError;
use chat_core::id::AccountId;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

pub use self::lock::KeyringLock;
use self::opener::Opener;
use crate::backup::BackupKey;
use crate::erasure::{erased, erases};
use crate::identity::IdentitySecret;
use crate::recovery::RecoveryPhrase;
use crate::snapshot::{self, SnapshotError};
use crate::wrap::EnvelopeSecrets;

const KEYRING_SNAPSHOT: u8 = 1;

/// Most epochs a keyring holds: with RSA in each, they fit a sealed keyring's limit. At one epoch
/// in 90 days they last 24 years.
pub const EPOCHS_MAX: usize = 100;

/// Most backup keys a keyring holds.
pub const BACKUP_KEYS_MAX: usize = 100;

/// Why a keyring was not opened, or not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The keyring was not sealed for this password, phrase or lock, this account and number.
    #[error("the keyring does not open with this password, phrase or lock")]
    NotAuthentic,
    /// The bytes are no sealed keyring of a version that this code knows.
    #[error("the sealed keyring cannot be read: {0}")]
    Unreadable(DecodeError),
    /// The envelope keys are another account's, or their epoch does not follow the newest.
    #[error("these envelope keys do not follow those in the keyring")]
    NotNext,
    /// The keyring holds [`EPOCHS_MAX`] epochs or [`BACKUP_KEYS_MAX`] backup keys.
    #[error("the keyring is full")]
    Full,
    /// The keyring is older than one that this device has sealed or opened.
    #[error("an older keyring was served than this device has seen")]
    RolledBack,
    /// The keyring is another account's, or lacks a key that this one holds.
    #[error("the newer keyring lacks what this one holds")]
    Discontinuous,
}

/// A keyring as it is kept; borrowed on both ways, so that no copy of a key is left behind.
#[derive(Encode, Decode)]
#[cbor(map)]
struct KeyringState<'a> {
    #[b(0)]
    identity: &'a ByteSlice,
    #[b(1)]
    epochs: Vec<&'a ByteSlice>,
    #[b(2)]
    backup: Vec<&'a ByteSlice>,
}

/// An account's long-lived secrets.
///
/// All of them are boxed: a growing list moves pointers, and leaves no key behind where it was.
#[expect(clippy::vec_box, reason = "what a growing vector moves, it leaves behind")]
pub struct Keyring {
    identity: Box<IdentitySecret>,
    /// Rising by one each.
    older: Vec<Box<EnvelopeSecrets>>,
    current: Box<EnvelopeSecrets>,
    /// Numbered from 1 by their places.
    older_backup: Vec<Box<BackupKey>>,
    backup: Box<BackupKey>,
}

erases!(Keyring, Keyring { identity, older, current, older_backup, backup } => {
    const fn each(_: &Vec<Box<impl ZeroizeOnDrop>>) {}
    erased(&**identity);
    each(older);
    erased(&**current);
    each(older_backup);
    erased(&**backup);
});

impl Keyring {
    /// A keyring with its first envelope keys, and the first backup key drawn.
    #[must_use]
    pub fn new(
        identity: IdentitySecret,
        envelope: EnvelopeSecrets,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self {
            identity: Box::new(identity),
            older: Vec::new(),
            current: Box::new(envelope),
            older_backup: Vec::new(),
            backup: Box::new(BackupKey::generate(rng)),
        }
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
        self.older.iter().chain([&self.current]).map(|epoch| &**epoch)
    }

    /// The key that backups of history are sealed with from now on.
    #[must_use]
    pub fn backup_key(&self) -> &BackupKey {
        &self.backup
    }

    /// Its number: 1 for the first, then rising by one. A backup names it.
    #[must_use]
    pub fn backup_key_number(&self) -> usize {
        self.older_backup.len() + 1
    }

    /// The backup key of a number, if it is held: to read what was sealed with it.
    #[must_use]
    pub fn backup_key_numbered(&self, number: usize) -> Option<&BackupKey> {
        self.backup_keys().nth(number.checked_sub(1)?)
    }

    fn backup_keys(&self) -> impl Iterator<Item = &BackupKey> {
        self.older_backup.iter().chain([&self.backup]).map(|key| &**key)
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
        self.older.push(std::mem::replace(&mut self.current, Box::new(next)));
        Ok(())
    }

    /// Draws the next backup key; those before stay, to read.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Full`].
    pub fn rotate_backup_key(&mut self, rng: &mut impl CryptoRng) -> Result<(), KeyringError> {
        self.add_backup_key(BackupKey::generate(rng))
    }

    fn add_backup_key(&mut self, next: BackupKey) -> Result<(), KeyringError> {
        if self.older_backup.len() + 1 >= BACKUP_KEYS_MAX {
            return Err(KeyringError::Full);
        }
        self.older_backup.push(std::mem::replace(&mut self.backup, Box::new(next)));
        Ok(())
    }

    /// Checks that `newer` may take this keyring's place: the same account, the same identity key,
    /// and every key that this one holds.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Discontinuous`].
    pub fn check_successor(&self, newer: &Self) -> Result<(), KeyringError> {
        let same = |ours: &[u8], theirs: &[u8]| bool::from(ours.ct_eq(theirs));
        let identity = newer.account() == self.account()
            && same(&self.identity.to_snapshot(), &newer.identity.to_snapshot());
        let epochs = self.epochs().all(|ours| {
            newer
                .epoch(ours.epoch())
                .is_some_and(|theirs| same(&ours.to_snapshot(), &theirs.to_snapshot()))
        });
        let backup = (1..).zip(self.backup_keys()).all(|(number, ours)| {
            newer
                .backup_key_numbered(number)
                .is_some_and(|theirs| same(ours.as_bytes(), theirs.as_bytes()))
        });
        if identity && epochs && backup { Ok(()) } else { Err(KeyringError::Discontinuous) }
    }
}

impl Keyring {
    /// The keyring, to be stored encrypted; also what is sealed.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let identity = self.identity.to_snapshot();
        let epochs: Vec<_> = self.epochs().map(EnvelopeSecrets::to_snapshot).collect();
        let state = KeyringState {
            identity: identity.as_slice().into(),
            epochs: epochs.iter().map(|epoch| epoch.as_slice().into()).collect(),
            backup: self.backup_keys().map(|key| key.as_bytes().as_slice().into()).collect(),
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
        let mut backup = state.backup.iter().map(|key| read_backup_key(key));
        let mut keyring = Self {
            identity: Box::new(identity),
            older: Vec::new(),
            current: Box::new(epochs.next().ok_or(SnapshotError::Malformed)??),
            older_backup: Vec::new(),
            backup: Box::new(backup.next().ok_or(SnapshotError::Malformed)??),
        };
        for epoch in epochs {
            keyring.add_epoch(epoch?).map_err(|_| SnapshotError::Malformed)?;
        }
        for key in backup {
            keyring.add_backup_key(key?).map_err(|_| SnapshotError::Malformed)?;
        }
        Ok(keyring)
    }

    /// Seals the keyring under a new lock that the password's export key and the phrase open.
    ///
    /// `number` must be higher than any this account's keyring was sealed with before; 1 is the
    /// first. From then on the lock counts.
    #[must_use]
    pub fn seal(
        &self,
        number: u64,
        export_key: &[u8],
        phrase: &RecoveryPhrase,
        rng: &mut impl CryptoRng,
    ) -> (Vec<u8>, KeyringLock) {
        let lock = KeyringLock::new(number, export_key, phrase, rng);
        (lock.seal(self, rng), lock)
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
        lock::open(sealed, account, number, &Opener::password(export_key))
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
        lock::open(sealed, account, number, &Opener::phrase(phrase))
    }
}

fn read_backup_key(bytes: &[u8]) -> Result<BackupKey, SnapshotError> {
    bytes.try_into().map(BackupKey::from_bytes).map_err(|_| SnapshotError::Malformed)
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}
