//! The key of a backup: random, kept in the keyring, never used itself.
//!
//! Whatever is sealed is sealed under a key derived from this one and from fresh randomness, so
//! devices that share it need not agree on nonces, and a device that was set back repeats none.

use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::secret::SecretBytes;
use crate::snapshot::{self, SnapshotError};

const BACKUP_KEY_SNAPSHOT: u8 = 1;

/// The secret that a backup is sealed and opened with; lives in the account's keyring.
#[derive(ZeroizeOnDrop)]
pub struct BackupKey(SecretBytes<32>);

impl BackupKey {
    /// Draws a new one.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBytes::random(rng))
    }

    /// Takes bytes that were a backup key before.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(SecretBytes::new(bytes))
    }

    /// Its bytes: for the keyring.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(BACKUP_KEY_SNAPSHOT, &self.0)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, BACKUP_KEY_SNAPSHOT).map(Self)
    }
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackupKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_snapshot_and_does_not_print() {
        let key = BackupKey::generate(&mut ChaCha20Rng::seed_from_u64(1));

        let again = BackupKey::from_snapshot(&key.to_snapshot()).unwrap();

        assert_eq!(again.as_bytes(), key.as_bytes());
        assert_eq!(format!("{again:?}"), "BackupKey(..)");
        assert!(BackupKey::from_snapshot(b"something else").is_err());
    }
}
