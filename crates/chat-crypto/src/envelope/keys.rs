//! What a message's secret becomes: key, nonce and commitment of one payload.
//!
//! The header is part of the derivation, so one secret under two headers gives two keys: key and
//! nonce never meet twice, although the nonce is derived and not drawn.
//! Normative: `docs/protocol/envelope.md` §3.

use chat_core::codec::Digest;
use chat_core::label;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::aead::{self, Key, Nonce};
use crate::kdf;
use crate::wrap::MessageSecret;

/// Everything that seals and opens one payload.
#[derive(ZeroizeOnDrop)]
pub(super) struct PayloadKeys {
    key: Key,
    nonce: Nonce,
    commitment: [u8; 32],
}

impl PayloadKeys {
    /// Derives the keys of the payload under the header with this encoding.
    pub(super) fn derive(secret: &MessageSecret, header: &[u8]) -> Self {
        let digest = Digest::of(header);
        let output: Zeroizing<[u8; 76]> =
            kdf::derive(secret.as_bytes(), label::ENVELOPE, digest.as_bytes());
        let mut keys = Self { key: [0; 32], nonce: [0; 12], commitment: [0; 32] };
        let fields = keys.key.iter_mut().chain(&mut keys.nonce).chain(&mut keys.commitment);
        fields.zip(output.iter()).for_each(|(to, from)| *to = *from);
        keys
    }

    /// What the envelope carries to show which key its payload is under.
    pub(super) fn commitment(&self) -> Digest {
        Digest::from_bytes(self.commitment)
    }

    /// Tells, in constant time, whether `commitment` is this key's.
    pub(super) fn are_committed_to_by(&self, commitment: &Digest) -> bool {
        self.commitment.ct_eq(commitment.as_bytes()).into()
    }

    /// Seals padded content as the payload.
    pub(super) fn seal(&self, padded: &[u8], header: &[u8]) -> Vec<u8> {
        aead::seal(&self.key, &self.nonce, padded, &self.associated(header))
    }

    /// Opens a payload whose commitment was checked.
    pub(super) fn open(
        &self,
        payload: &[u8],
        header: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, aead::NotAuthentic> {
        aead::open(&self.key, &self.nonce, payload, &self.associated(header))
    }

    fn associated(&self, header: &[u8]) -> Vec<u8> {
        [header, &self.commitment].concat()
    }
}
