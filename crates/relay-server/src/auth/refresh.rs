//! Refresh tokens: 256 random bits, good once, of which the relay keeps only the hash.

use std::time::Duration;

use chat_core::codec::{Digest, from_base64url, to_base64url};
use zeroize::Zeroizing;

/// A device that was not seen for this long logs in with its key again.
pub const REFRESH_LIFETIME: Duration = Duration::from_secs(60 * 24 * 3600);

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
    fn a_token_is_read_back_and_something_else_is_none() {
        let token = RefreshToken::generate();

        assert_eq!(RefreshToken::read(&token.text()).unwrap().hash(), token.hash());
        assert!(RefreshToken::read("").is_none());
        assert!(RefreshToken::read(&token.text()[1..]).is_none());
        assert_eq!(format!("{token:?}"), "RefreshToken(..)");
    }
}
