//! AES-256-GCM (NIST SP 800-38D) with its full tag of 16 bytes, for keys used once.
//!
//! Key and nonce always come out of one derivation, so no pair is ever used twice; nothing here
//! draws a nonce.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Tag};
use zeroize::Zeroizing;

/// The bytes of a key.
pub(crate) type Key = [u8; 32];
/// The bytes of a nonce.
pub(crate) type Nonce = [u8; 12];
/// How much longer a ciphertext is than its plaintext.
pub(crate) const TAG_BYTES: usize = 16;

/// The ciphertext was not made with this key and nonce for this context.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the ciphertext is not authentic")]
pub(crate) struct NotAuthentic;

/// Seals `plaintext`, bound to `associated`.
pub(crate) fn seal(key: &Key, nonce: &Nonce, plaintext: &[u8], associated: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    seal_onto(&mut output, key, nonce, plaintext, associated);
    output
}

/// Seals `plaintext`, bound to `associated`, and appends the ciphertext and its tag to `output`.
///
/// Reserve room first: `output` holds plaintext for a moment, and growing would leave a copy.
#[expect(clippy::expect_used, reason = "no caller has 64 GiB")]
pub(crate) fn seal_onto(
    output: &mut Vec<u8>,
    key: &Key,
    nonce: &Nonce,
    plaintext: &[u8],
    associated: &[u8],
) {
    output.reserve(plaintext.len() + TAG_BYTES);
    let start = output.len();
    output.extend_from_slice(plaintext);
    let (_, buffer) = output.split_at_mut(start);
    let tag = Aes256Gcm::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, buffer.into())
        // INVARIANT: only plaintexts of 64 GiB and more are refused; ours are 128 KiB at most.
        .expect("the plaintext is short");
    output.extend_from_slice(&tag);
}

/// Opens `sealed`, if it was made with this key, nonce and associated data.
pub(crate) fn open(
    key: &Key,
    nonce: &Nonce,
    sealed: &[u8],
    associated: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(NotAuthentic)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    let buffer = plaintext.as_mut_slice();
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, buffer.into(), &Tag::from(*tag))
        .map_err(|_| NotAuthentic)?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [1; 32];
    const NONCE: Nonce = [2; 12];

    #[test]
    fn what_was_sealed_opens() {
        let sealed = seal(&KEY, &NONCE, b"hello", b"to alice");

        assert_eq!(sealed.len(), 5 + TAG_BYTES);
        assert_eq!(open(&KEY, &NONCE, &sealed, b"to alice").unwrap().as_slice(), b"hello");
    }

    #[test]
    fn any_changed_bit_and_any_missing_byte_is_not_authentic() {
        let sealed = seal(&KEY, &NONCE, b"hello", b"to alice");

        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&KEY, &NONCE, &changed, b"to alice"), Err(NotAuthentic));
        }
        for length in 0..sealed.len() {
            assert_eq!(open(&KEY, &NONCE, &sealed[..length], b"to alice"), Err(NotAuthentic));
        }
    }

    #[test]
    fn another_context_key_or_nonce_is_not_authentic() {
        let sealed = seal(&KEY, &NONCE, b"hello", b"to alice");

        assert_eq!(open(&KEY, &NONCE, &sealed, b"to mallory"), Err(NotAuthentic));
        assert_eq!(open(&[9; 32], &NONCE, &sealed, b"to alice"), Err(NotAuthentic));
        assert_eq!(open(&KEY, &[9; 12], &sealed, b"to alice"), Err(NotAuthentic));
    }
}
