//! The root chain: one step for every change of direction, each with a fresh Diffie-Hellman.
//!
//! ```text
//!  RootKey ──turn(DH)──▶ RootKey ──turn(DH)──▶ RootKey ─ ─ ▶
//!              │                     │
//!              ├▶ ChainKey           ├▶ ChainKey        of the direction that turned
//!              └▶ HeaderKey          └▶ HeaderKey       of that direction's next chain
//!
//!  root ‖ chain ‖ next header = HKDF(salt = root, ikm = DH, info = label)      32 bytes each
//! ```
//!
//! Normative: `docs/protocol/ratchet.md` §2.

use std::fmt;

use chat_core::label;
use minicbor::{Decode, Encode};

use super::chain::ChainKey;
use super::header::HeaderKey;
use crate::handshake::SessionKey;
use crate::kdf;
use crate::secret::{SecretBytes, SharedSecret};

/// Where the next turn's keys come from.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct RootKey(#[n(0)] SecretBytes<32>);

/// The keys that a session starts with.
pub(super) struct Start {
    pub(super) root: RootKey,
    /// For the headers of the initiator's first chain.
    pub(super) initiator: HeaderKey,
    /// For the headers of the responder's first chain.
    pub(super) responder: HeaderKey,
}

impl Start {
    pub(super) fn new(key: SessionKey) -> Self {
        let keys = kdf::expand(key.0.as_bytes(), label::SESSION_START, &[]);
        let [root, initiator, responder] = kdf::split(&keys);
        Self {
            root: RootKey(root),
            initiator: HeaderKey::new(initiator),
            responder: HeaderKey::new(responder),
        }
    }
}

impl RootKey {
    /// Mixes a fresh secret in: the next root key, a new chain, and the header key of the chain
    /// after that.
    pub(super) fn turn(&self, shared: &SharedSecret) -> (Self, ChainKey, HeaderKey) {
        let keys = kdf::mix(self.0.as_bytes(), shared, label::ROOT_CHAIN);
        let [root, chain, header] = kdf::split(&keys);
        (Self(root), ChainKey::new(chain), HeaderKey::new(header))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn another_secret_or_another_root_gives_other_keys() {
        let root = RootKey(SecretBytes::new([1; 32]));
        let other = RootKey(SecretBytes::new([2; 32]));
        let secret = |byte| Zeroizing::new([byte; 32]);

        let (next, _, _) = root.turn(&secret(1));

        assert_eq!(next.0.as_bytes(), root.turn(&secret(1)).0.0.as_bytes());
        assert_ne!(next.0.as_bytes(), root.turn(&secret(2)).0.0.as_bytes());
        assert_ne!(next.0.as_bytes(), other.turn(&secret(1)).0.0.as_bytes());
    }
}
