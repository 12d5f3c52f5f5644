//! AES-256-GCM-SIV (RFC 8452) under a nonce of zeros: deterministic, so nothing is drawn or sent.
//!
//! Every key seals different plaintexts only: a header key numbers that never repeat, a message
//! key one secret. A sender whose state was rolled back would seal two secrets under one key; this
//! mode then shows whether they are equal, and nothing else.

use aes_gcm_siv::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use zeroize::Zeroizing;

use crate::secret::SecretBytes;

/// How much longer a ciphertext is than its plaintext.
pub(super) const TAG_BYTES: usize = 16;
const NONCE: [u8; 12] = [0; 12];

/// Seals `plaintext`, bound to `associated`.
#[expect(clippy::expect_used, reason = "no caller has 64 GiB")]
pub(super) fn seal(key: &SecretBytes<32>, plaintext: &[u8], associated: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    sealed.extend_from_slice(plaintext);
    let tag = Aes256GcmSiv::new(key.as_bytes().into())
        .encrypt_inout_detached(&Nonce::from(NONCE), associated, sealed.as_mut_slice().into())
        // INVARIANT: only plaintexts of 64 GiB and more are refused; ours have 96 bytes at most.
        .expect("the plaintext is short");
    sealed.extend_from_slice(&tag);
    sealed
}

/// Opens `sealed`, if it was made with this key and associated data.
pub(super) fn open(
    key: &SecretBytes<32>,
    sealed: &[u8],
    associated: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    let buffer = plaintext.as_mut_slice();
    Aes256GcmSiv::new(key.as_bytes().into())
        .decrypt_inout_detached(&Nonce::from(NONCE), associated, buffer.into(), &Tag::from(*tag))
        .ok()?;
    Some(plaintext)
}
