//! Refresh tokens: 256 random bits, good once, of which the relay keeps only the hash.
//!
//! ```text
//!  random ──▶ token 0 ──HKDF(relay's secret)──▶ token 1 ──HKDF──▶ token 2 …        one family
//! ```
//!
//! Whoever asks again with a token that was just spent can thus be given the same successor, though
//! it is kept nowhere.

use std::time::Duration;

use chat_core::codec::{Digest, from_base64url, to_base64url};
use chat_core::label;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A device that was not seen for this long logs in with its key again.
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(60 * 24 * 3600);
/// For how long an answer may be asked for again.
pub const FORGIVEN_FOR: Duration = Duration::from_secs(10);

/// What refresh tokens follow from each other by; the same on all nodes.
pub struct RefreshSecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshSecret(..)")
    }
}

impl RefreshSecret {
    /// Over the store's secret.
    #[must_use]
    pub fn new(secret: Zeroizing<Vec<u8>>) -> Self {
        Self(secret)
    }
}

/// A refresh token.
pub struct RefreshToken(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

impl RefreshToken {
    /// Draws a new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(crate::random::bytes()))
    }

    /// The token that this one is spent for.
    #[must_use]
    pub fn successor(&self, secret: &RefreshSecret) -> Self {
        let mut info = Zeroizing::new(label::REFRESH_TOKEN.as_bytes().to_vec());
        info.reserve_exact(self.0.len());
        info.extend_from_slice(self.0.as_ref());
        let mut bytes = Zeroizing::new([0; 32]);
        // INVARIANT: HKDF-SHA-256 gives up to 8160 bytes.
        let derived = Hkdf::<Sha256>::new(None, &secret.0).expand(&info, bytes.as_mut());
        debug_assert!(derived.is_ok());
        Self(bytes)
    }

    /// Reads one, as a client sent it; `None` if it cannot be one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(from_base64url(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// As it is handed to the client.
    #[must_use]
    pub fn text(&self) -> String {
        to_base64url(self.0.as_ref())
    }

    /// What the relay keeps. All the bits are random, so a plain hash cannot be searched.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_follows_from_the_token_and_the_relays_secret() {
        let token = RefreshToken::generate();
        let [ours, theirs] = [1, 2].map(|byte| RefreshSecret(Zeroizing::new(vec![byte; 32])));

        let successor = token.successor(&ours);

        assert_eq!(successor.hash(), token.successor(&ours).hash());
        assert_ne!(successor.hash(), token.successor(&theirs).hash());
        assert_ne!(successor.hash(), token.hash());
        assert_ne!(successor.hash(), successor.successor(&ours).hash());
    }

    #[test]
    fn a_token_is_read_back_and_something_else_is_none() {
        let token = RefreshToken::generate();

        assert_eq!(RefreshToken::read(&token.text()).unwrap().hash(), token.hash());
        assert!(RefreshToken::read("").is_none());
        assert!(RefreshToken::read(&token.text()[1..]).is_none());
        assert_eq!(format!("{token:?}"), "RefreshToken(..)");
    }
}
