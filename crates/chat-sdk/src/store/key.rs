//! What opens a store: 32 bytes from the platform's key store, or a passphrase.
//!
//! Bytes are SQLCipher's key as they are. A passphrase goes through SQLCipher's own derivation
//! (PBKDF2-HMAC-SHA-512, 256 000 rounds, a random salt in the file), so a file never has two
//! derivations to agree on.

use std::fmt;
use std::fmt::Write as _;

use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// The end of the name of a file beside a store, by which processes take turns to draw its key.
pub(super) const TURNS: &str = "-keying";

/// The key of a store.
#[derive(Clone, ZeroizeOnDrop)]
pub struct StoreKey(Secret);

#[derive(Clone, ZeroizeOnDrop)]
enum Secret {
    Bytes([u8; 32]),
    Passphrase(String),
}

impl StoreKey {
    /// Takes 32 random bytes, for example out of the platform's key store; with the feature
    /// `keychain`, `Keychain` draws and keeps them there.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let key = Self(Secret::Bytes(bytes));
        bytes.zeroize();
        key
    }

    /// Takes a passphrase; opening then costs about a fifth of a second.
    #[must_use]
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self(Secret::Passphrase(passphrase.into()))
    }

    /// The statement that hands the key to SQLCipher.
    pub(super) fn pragma(&self) -> Zeroizing<String> {
        // Room for everything at once: a string that grows leaves copies behind.
        match &self.0 {
            Secret::Bytes(bytes) => {
                let mut sql = Zeroizing::new(String::with_capacity(96));
                sql.push_str("PRAGMA key = \"x'");
                for byte in bytes {
                    // INVARIANT: writing to a string cannot fail.
                    let _ = write!(sql, "{byte:02x}");
                }
                sql.push_str("'\"");
                sql
            }
            Secret::Passphrase(passphrase) => {
                let mut sql = Zeroizing::new(String::with_capacity(32 + 2 * passphrase.len()));
                sql.push_str("PRAGMA key = '");
                for character in passphrase.chars() {
                    sql.push(character);
                    // SECURITY: a quote is doubled, so no passphrase is a statement.
                    if character == '\'' {
                        sql.push(character);
                    }
                }
                sql.push('\'');
                sql
            }
        }
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_passphrase_stays_inside_it() {
        let key = StoreKey::passphrase("a'; DROP TABLE account; --");

        assert_eq!(key.pragma().as_str(), "PRAGMA key = 'a''; DROP TABLE account; --'");
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        assert_eq!(format!("{:?}", StoreKey::passphrase("hush")), "StoreKey(..)");
        assert_eq!(format!("{:?}", StoreKey::from_bytes([7; 32])), "StoreKey(..)");
    }
}
