//! AES-256-GCM (NIST SP 800-38D) with its full tag of 16 bytes, for keys used once.
//!
//! Key and nonce always come out of one derivation, so no pair is ever used twice; nothing here
//! draws a nonce.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Tag};
use zeroize::Zeroizing;

use crate::erasure::{erased, erases};

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

/// A key with its schedule computed, for the many chunks of one stream.
///
/// Whoever holds it sees to it that no nonce seals twice.
pub(crate) struct ChunkCipher(Aes256Gcm);

erases!(ChunkCipher, ChunkCipher(cipher) => {
    erased(cipher);
});

impl ChunkCipher {
    pub(crate) fn new(key: &Key) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Seals `plaintext` into `output`, which is [`TAG_BYTES`] longer.
    #[expect(clippy::expect_used, reason = "the callers' buffers have these lengths")]
    pub(crate) fn seal_into(&self, nonce: &Nonce, plaintext: &[u8], output: &mut [u8]) {
        let (ciphertext, tag_place) = output.split_at_mut(plaintext.len());
        // INVARIANT: `output` was cut to the length of the plaintext and a tag.
        let buffer = InOutBuf::new(plaintext, ciphertext).expect("the lengths are equal");
        let tag = self.0.encrypt_inout_detached(nonce.into(), &[], buffer);
        // INVARIANT: only plaintexts of 64 GiB and more are refused; a chunk has 64 KiB.
        tag_place.copy_from_slice(&tag.expect("a chunk is short"));
    }

    /// Seals all but the last [`TAG_BYTES`] of `buffer` where they are; the tag goes there.
    #[expect(clippy::expect_used, reason = "the callers' buffers have these lengths")]
    pub(crate) fn seal_in_place(&self, nonce: &Nonce, buffer: &mut [u8]) {
        // INVARIANT: a chunk's buffer has room for its tag.
        let (plaintext, tag_place) = buffer.split_last_chunk_mut().expect("room for a tag");
        let tag = self.0.encrypt_inout_detached(nonce.into(), &[], plaintext.into());
        // INVARIANT: only plaintexts of 64 GiB and more are refused; a chunk has 64 KiB.
        *tag_place = tag.expect("a chunk is short").into();
    }

    /// Opens `sealed` into `output`, which is [`TAG_BYTES`] shorter and stays untouched otherwise.
    pub(crate) fn open_into(
        &self,
        nonce: &Nonce,
        sealed: &[u8],
        output: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(NotAuthentic)?;
        let buffer = InOutBuf::new(ciphertext, output).map_err(|_| NotAuthentic)?;
        self.0
            .decrypt_inout_detached(nonce.into(), &[], buffer, &Tag::from(*tag))
            .map_err(|_| NotAuthentic)
    }

    /// Opens `sealed` where it is: all but the last [`TAG_BYTES`] become plaintext, or nothing.
    pub(crate) fn open_in_place(
        &self,
        nonce: &Nonce,
        sealed: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let (ciphertext, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>().ok_or(NotAuthentic)?;
        self.0
            .decrypt_inout_detached(nonce.into(), &[], ciphertext.into(), &Tag::from(*tag))
            .map_err(|_| NotAuthentic)
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
    fn a_forged_chunk_leaves_the_output_untouched() {
        let cipher = ChunkCipher::new(&KEY);
        let mut forged = seal(&KEY, &NONCE, b"hello", b"");
        forged[0] ^= 1;
        let mut output = [7; 5];

        assert_eq!(cipher.open_into(&NONCE, &forged, &mut output), Err(NotAuthentic));

        assert_eq!(output, [7; 5]);
        let before = forged.clone();
        assert_eq!(cipher.open_in_place(&NONCE, &mut forged), Err(NotAuthentic));
        assert_eq!(forged, before);
        assert_eq!(cipher.open_in_place(&NONCE, &mut [0; 15]), Err(NotAuthentic));
    }
}
