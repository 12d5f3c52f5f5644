//! The symmetric chain: one key per message, each erased as it is used.
//!
//! ```text
//!  ChainKey(0) ──step──▶ ChainKey(1) ──step──▶ ChainKey(2) ─ ─ ▶ ChainKey(2²⁴): the end
//!       │                     │
//!       ▼                     ▼
//!  MessageKey(0)         MessageKey(1)
//!       │
//!       ▼ HKDF, 44 bytes
//!  AES-256-GCM key 32 ‖ nonce 12
//! ```
//!
//! All derivations are HKDF-Expand (SHA-256) under labels of their own, since each key is uniform.
//! Normative: `docs/protocol/ratchet.md` §3.

use std::fmt;

use chat_core::label;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::aead::{self, NotAuthentic};
use crate::erasure::{erased, erases};
use crate::kdf::{self, Expander};
use crate::secret::SecretBytes;

/// How many messages a chain has.
pub(super) const CHAIN_LENGTH_MAX: u32 = 1 << 24;

/// The chain has given its last key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the chain is at its end")]
pub(crate) struct Exhausted;

/// Where the keys of the messages from [`Self::index`] on come from.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct ChainKey {
    #[n(0)]
    key: SecretBytes<32>,
    #[n(1)]
    index: u32,
}

erases!(ChainKey, ChainKey { key, index: _ } => { erased(key) });

impl ChainKey {
    pub(super) const fn new(key: SecretBytes<32>) -> Self {
        Self { key, index: 0 }
    }

    /// The number of the message whose key comes next; how many came before.
    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    /// Consumes this link: the next one, and the key of message [`Self::index`].
    pub(super) fn step(self) -> Result<(Self, MessageKey), Exhausted> {
        let (next, expander) = self.advance()?;
        Ok((next, MessageKey(expander.secret(label::MESSAGE_KEY))))
    }

    /// Consumes this link without its message's key.
    pub(super) fn pass(self) -> Result<Self, Exhausted> {
        self.advance().map(|(next, _)| next)
    }

    fn advance(self) -> Result<(Self, Expander), Exhausted> {
        if self.index >= CHAIN_LENGTH_MAX {
            return Err(Exhausted);
        }
        let expander = Expander::new(self.key.as_bytes());
        let key = expander.secret(label::CHAIN_KEY);
        Ok((Self { key, index: self.index + 1 }, expander))
    }

    /// The same key, as if it belonged to another number.
    #[cfg(test)]
    pub(super) fn at(self, index: u32) -> Self {
        Self { index, ..self }
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainKey({}, ..)", self.index)
    }
}

/// The key of one message.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct MessageKey(#[n(0)] SecretBytes<32>);

erases!(MessageKey, MessageKey(key) => { erased(key) });

impl MessageKey {
    /// Seals the one message and appends it to `output`.
    pub(super) fn seal_onto(self, output: &mut Vec<u8>, plaintext: &[u8], associated: &[u8]) {
        let cipher = self.cipher();
        aead::seal_onto(output, &cipher.key, &cipher.nonce, plaintext, associated);
    }

    /// Opens the one message.
    pub(super) fn open(
        self,
        sealed: &[u8],
        associated: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let cipher = self.cipher();
        aead::open(&cipher.key, &cipher.nonce, sealed, associated)
    }

    fn cipher(&self) -> Cipher {
        let both = kdf::expand::<44>(self.0.as_bytes(), label::MESSAGE_CIPHER, &[]);
        let mut cipher = Cipher { key: Zeroizing::new([0; 32]), nonce: [0; 12] };
        let (key, nonce) = both.split_at(32);
        cipher.key.copy_from_slice(key);
        cipher.nonce.copy_from_slice(nonce);
        cipher
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey(..)")
    }
}

struct Cipher {
    key: Zeroizing<aead::Key>,
    nonce: aead::Nonce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_its_own_key() {
        let (first, second) = keys();
        let mut sealed = Vec::new();

        first.clone().seal_onto(&mut sealed, b"hello", b"to alice");

        assert_eq!(second.open(&sealed, b"to alice"), Err(NotAuthentic));
        assert_eq!(first.clone().open(&sealed, b"to mallory"), Err(NotAuthentic));
        assert_eq!(first.open(&sealed, b"to alice").unwrap().as_slice(), b"hello");
    }

    #[test]
    fn keys_do_not_print() {
        let (chain, key) = ChainKey::new(SecretBytes::new([1; 32])).step().unwrap();

        assert_eq!(format!("{chain:?} {key:?}"), "ChainKey(1, ..) MessageKey(..)");
    }

    #[test]
    fn a_chain_has_sixteen_million_messages() {
        assert_eq!(CHAIN_LENGTH_MAX, 16_777_216);
    }

    #[test]
    fn a_chain_ends() {
        let chain = ChainKey { key: SecretBytes::new([1; 32]), index: CHAIN_LENGTH_MAX - 1 };

        let (end, _) = chain.step().unwrap();

        assert_eq!(end.index(), CHAIN_LENGTH_MAX);
        assert_eq!(end.step().unwrap_err(), Exhausted);
    }

    fn keys() -> (MessageKey, MessageKey) {
        let (next, first) = ChainKey::new(SecretBytes::new([1; 32])).step().unwrap();
        let (_, second) = next.step().unwrap();
        (first, second)
    }
}
