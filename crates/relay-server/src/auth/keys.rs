//! The ring of keys that sign access tokens: one for every thirty days, all from one secret.
//!
//! ```text
//!  secret, epoch ──HKDF──▶ key 681 (checks)   key 682 (signs)   key 683 (published early)   time ▶
//! ```
//!
//! Every node derives the same ring from the store's secret and the store's epoch, so nothing has
//! to be handed round, and a store restored from a backup signs with other keys.

use std::time::Duration;

use chat_core::label;
use chat_core::time::Timestamp;
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::Sha256;
use zeroize::Zeroizing;

const PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many bytes the ring's secret has.
pub const SECRET_BYTES: usize = 32;

/// Derives the key of any moment.
pub struct KeyRing {
    secret: Zeroizing<Vec<u8>>,
    epoch: u64,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(..)")
    }
}

/// A key and its name.
pub struct TokenKey {
    id: String,
    secret: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring over the store's secret and epoch.
    #[must_use]
    pub fn new(secret: Zeroizing<Vec<u8>>, epoch: u64) -> Self {
        Self { secret, epoch }
    }

    /// The key that signs at `now`.
    #[must_use]
    pub fn signing(&self, now: Timestamp) -> TokenKey {
        self.key(period(now))
    }

    /// The keys that are good at `now`: the one before, the one that signs, the next.
    #[must_use]
    pub fn valid(&self, now: Timestamp) -> [TokenKey; 3] {
        let period = period(now);
        [period.saturating_sub(1), period, period.saturating_add(1)].map(|period| self.key(period))
    }

    fn key(&self, period: u64) -> TokenKey {
        let mut info = label::TOKEN_KEY.as_bytes().to_vec();
        info.extend(self.epoch.to_be_bytes());
        info.extend(period.to_be_bytes());
        let mut secret = Zeroizing::new([0; 32]);
        // INVARIANT: HKDF-SHA-256 gives up to 8160 bytes.
        let derived = Hkdf::<Sha256>::new(None, &self.secret).expand(&info, secret.as_mut());
        debug_assert!(derived.is_ok());
        TokenKey { id: format!("{}-{period}", self.epoch), secret }
    }
}

fn period(now: Timestamp) -> u64 {
    now.as_millis() / u64::try_from(PERIOD.as_millis()).unwrap_or(u64::MAX)
}

impl TokenKey {
    /// Its name: `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.secret).verifying_key().to_bytes()
    }

    /// The secret half, as PKCS #8 (RFC 8410 §7).
    #[must_use]
    pub fn encoding(&self) -> EncodingKey {
        const PREFIX: [u8; 16] =
            [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let mut der = Zeroizing::new([0; 48]);
        let (prefix, key) = der.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(&PREFIX);
        key.copy_from_slice(self.secret.as_ref());
        EncodingKey::from_ed_der(der.as_ref())
    }

    /// The public half, to check with.
    #[must_use]
    pub fn decoding(&self) -> DecodingKey {
        DecodingKey::from_ed_der(&self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn ring(epoch: u64) -> KeyRing {
        KeyRing::new(Zeroizing::new(vec![7; SECRET_BYTES]), epoch)
    }

    #[test]
    fn the_ring_turns_every_thirty_days_and_keeps_the_key_before() {
        let ring = ring(1);
        let key = ring.signing(NOW);

        let later = ring.valid(NOW.after(PERIOD));

        assert_eq!(later[0].id(), key.id());
        assert_eq!(later[0].public(), key.public());
        assert_ne!(later[1].public(), key.public());
        assert!(ring.valid(NOW.after(PERIOD * 2)).iter().all(|other| other.id() != key.id()));
    }

    #[test]
    fn every_node_derives_the_same_and_a_restored_store_another() {
        assert_eq!(ring(1).signing(NOW).public(), ring(1).signing(NOW).public());
        assert_ne!(ring(1).signing(NOW).public(), ring(2).signing(NOW).public());
    }
}
