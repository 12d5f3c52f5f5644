//! AES-256-GCM (NIST SP 800-38D) with its full tag of 16 bytes, for keys used once.
//!
//! ```text
//!  aead.rs ── Cipher ┬ rustcrypto.rs   the crate aes-gcm, everywhere
//!                    └ aws_lc.rs       with the feature `aws-lc`: the same bytes, faster
//! ```
//!
//! Key and nonce always come out of one derivation, so no pair is ever used twice; nothing here
//! draws a nonce. Which provider computes is decided while compiling, and by nothing else
//! (`docs/adr/0015-a-faster-provider-by-feature.md`).

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(not(feature = "aws-lc"))]
mod rustcrypto;

use zeroize::{Zeroize as _, Zeroizing};

#[cfg(feature = "aws-lc")]
use self::aws_lc::Cipher;
#[cfg(not(feature = "aws-lc"))]
use self::rustcrypto::Cipher;

use crate::erasure::{erased, erases};

/// The bytes of a key.
pub(crate) type Key = [u8; 32];
/// The bytes of a nonce.
pub(crate) type Nonce = [u8; 12];
/// The bytes of a tag.
type Tag = [u8; TAG_BYTES];
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
    let tag = Cipher::new(key).seal(nonce, associated, buffer);
    output.extend_from_slice(&tag);
}

/// Opens `sealed`, if it was made with this key, nonce and associated data.
pub(crate) fn open(
    key: &Key,
    nonce: &Nonce,
    sealed: &[u8],
    associated: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
    let (ciphertext, tag) = sealed.split_last_chunk().ok_or(NotAuthentic)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    Cipher::new(key).open(nonce, associated, &mut plaintext, tag)?;
    Ok(plaintext)
}

/// A key with its schedule computed, for the many chunks of one stream.
///
/// Whoever holds it sees to it that no nonce seals twice.
pub(crate) struct ChunkCipher(Cipher);

erases!(ChunkCipher, ChunkCipher(cipher) => {
    erased(cipher);
});

impl ChunkCipher {
    pub(crate) fn new(key: &Key) -> Self {
        Self(Cipher::new(key))
    }

    /// Seals `plaintext` into `output`, which is [`TAG_BYTES`] longer.
    pub(crate) fn seal_into(&self, nonce: &Nonce, plaintext: &[u8], output: &mut [u8]) {
        let (ciphertext, tag_place) = output.split_at_mut(plaintext.len());
        tag_place.copy_from_slice(&self.0.seal_between(nonce, plaintext, ciphertext));
    }

    /// Seals all but the last [`TAG_BYTES`] of `buffer` where they are; the tag goes there.
    #[expect(clippy::expect_used, reason = "the callers' buffers have these lengths")]
    pub(crate) fn seal_in_place(&self, nonce: &Nonce, buffer: &mut [u8]) {
        // INVARIANT: a chunk's buffer has room for its tag.
        let (plaintext, tag_place) = buffer.split_last_chunk_mut().expect("room for a tag");
        *tag_place = self.0.seal(nonce, &[], plaintext);
    }

    /// Opens `sealed` into `output`, which is [`TAG_BYTES`] shorter, and becomes zeros if what was
    /// sealed is not authentic.
    pub(crate) fn open_into(
        &self,
        nonce: &Nonce,
        sealed: &[u8],
        output: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let (ciphertext, tag) = sealed.split_last_chunk().ok_or(NotAuthentic)?;
        let opened = self.0.open_between(nonce, ciphertext, tag, output);
        // SECURITY: a provider may decrypt before it knows; all of them leave the same behind.
        opened.inspect_err(|_| output.zeroize())
    }

    /// Opens `sealed` where it is: all but the last [`TAG_BYTES`] become plaintext, or zeros.
    pub(crate) fn open_in_place(
        &self,
        nonce: &Nonce,
        sealed: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let (ciphertext, tag) = sealed.split_last_chunk_mut().ok_or(NotAuthentic)?;
        let opened = self.0.open(nonce, &[], ciphertext, tag);
        opened.inspect_err(|_| ciphertext.zeroize())
    }
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
    fn sealing_makes_room_once_for_what_it_writes() {
        for length in [0, 5, 1_000] {
            let mut output = Vec::new();

            seal_onto(&mut output, &KEY, &NONCE, &vec![7; length], b"");

            let expected = length + TAG_BYTES;
            assert_eq!((output.len(), output.capacity()), (expected, expected));
        }
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

    #[test]
    fn a_chunk_is_sealed_and_opened_alike_in_place_and_elsewhere() {
        let cipher = ChunkCipher::new(&KEY);
        let mut elsewhere = [0; 5 + TAG_BYTES];
        let mut in_place = *b"hello................";

        cipher.seal_into(&NONCE, b"hello", &mut elsewhere);
        cipher.seal_in_place(&NONCE, &mut in_place);

        assert_eq!(elsewhere, *seal(&KEY, &NONCE, b"hello", b""));
        assert_eq!(in_place, elsewhere);
        let mut opened = [0; 5];
        assert_eq!(cipher.open_into(&NONCE, &elsewhere, &mut opened), Ok(()));
        assert_eq!(cipher.open_in_place(&NONCE, &mut in_place), Ok(()));
        assert_eq!((&opened, &in_place[..5]), (b"hello", &b"hello"[..]));
    }

    #[test]
    fn a_forged_chunk_leaves_zeros() {
        let cipher = ChunkCipher::new(&KEY);
        let mut forged = seal(&KEY, &NONCE, b"hello", b"");
        forged[0] ^= 1;
        let mut output = [7; 5];

        assert_eq!(cipher.open_into(&NONCE, &forged, &mut output), Err(NotAuthentic));

        assert_eq!(output, [0; 5]);
        assert_eq!(cipher.open_in_place(&NONCE, &mut forged), Err(NotAuthentic));
        assert_eq!(forged[..5], [0; 5]);
        assert_eq!(cipher.open_in_place(&NONCE, &mut [0; 15]), Err(NotAuthentic));
    }
}
