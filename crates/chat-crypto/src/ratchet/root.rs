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
//! A turn that ends a post-quantum exchange ([`super::pq`]) mixes its secret in too, under a label
//! of its own and with what the secret was made for.
//! Normative: `docs/protocol/ratchet.md` §2 and §5.

use std::fmt;

use chat_core::label;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::chain::ChainKey;
use super::header::HeaderKey;
use super::pq::Renewal;
use crate::erasure::{erased, erases};
use crate::handshake::SessionKey;
use crate::kdf;
use crate::secret::{SecretBytes, SharedSecret};

/// Where the next turn's keys come from.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct RootKey(#[n(0)] SecretBytes<32>);

erases!(RootKey, RootKey(key) => { erased(key) });

/// The keys that a session starts with.
pub(super) struct Start {
    pub(super) root: RootKey,
    /// For the headers of the initiator's first chain.
    pub(super) initiator: HeaderKey,
    /// For the headers of the responder's first chain.
    pub(super) responder: HeaderKey,
}

erases!(Start, Start { root, initiator, responder } => {
    erased(root);
    erased(initiator);
    erased(responder);
});

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
    /// Mixes a fresh secret in, or two: the next root key, a new chain, and the header key of the
    /// chain after that.
    pub(super) fn turn(
        &self,
        shared: &SharedSecret,
        renewal: Option<&Renewal>,
    ) -> (Self, ChainKey, HeaderKey) {
        let root = self.0.as_bytes();
        let keys = match renewal {
            None => kdf::mix(root, &shared[..], label::ROOT_CHAIN, &[]),
            Some(Renewal { secret, transcript }) => {
                let mut both = Zeroizing::new([0; 64]);
                let (first, second) = both.split_at_mut(32);
                first.copy_from_slice(&shared[..]);
                second.copy_from_slice(&secret[..]);
                kdf::mix(root, &both[..], label::PQ_ROOT_CHAIN, transcript.as_bytes())
            }
        };
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
    use chat_core::codec::Digest;

    use super::*;

    #[test]
    fn another_secret_or_another_root_gives_other_keys() {
        let root = RootKey(SecretBytes::new([1; 32]));
        let other = RootKey(SecretBytes::new([2; 32]));

        let next = turned(&root, 1, None);

        assert_eq!(next, turned(&root, 1, None));
        assert_ne!(next, turned(&root, 2, None));
        assert_ne!(next, turned(&other, 1, None));
    }

    #[test]
    fn a_renewal_counts_with_its_secret_and_its_transcript() {
        let root = RootKey(SecretBytes::new([1; 32]));

        let next = turned(&root, 1, Some((2, b"key and ciphertext")));

        assert_eq!(next, turned(&root, 1, Some((2, b"key and ciphertext"))));
        assert_ne!(next, turned(&root, 1, None));
        assert_ne!(next, turned(&root, 3, Some((2, b"key and ciphertext"))));
        assert_ne!(next, turned(&root, 1, Some((3, b"key and ciphertext"))));
        assert_ne!(next, turned(&root, 1, Some((2, b"another key"))));
    }

    fn turned(root: &RootKey, shared: u8, renewal: Option<(u8, &[u8])>) -> [u8; 32] {
        let renewal = renewal.map(|(byte, transcript)| Renewal {
            secret: Zeroizing::new([byte; 32]),
            transcript: Digest::of(transcript),
        });
        let (next, _, _) = root.turn(&Zeroizing::new([shared; 32]), renewal.as_ref());
        *next.0.as_bytes()
    }
}
