//! AES-256-GCM of AWS-LC: the same bytes as `rustcrypto.rs`, several times faster for long inputs.
//!
//! AWS-LC erases keys when it frees them. Absent: its random generator and its nonce sequences;
//! nonces are ours here too.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as CrateNonce, UnboundKey};
use zeroize::ZeroizeOnDrop;

use super::{Key, Nonce, NotAuthentic, Tag};

/// A key with its schedule, which is erased with it.
pub(super) struct Cipher(LessSafeKey);

// AWS-LC overwrites whatever it frees (`OPENSSL_free`), and its type does not say so.
impl ZeroizeOnDrop for Cipher {}

impl Cipher {
    #[expect(clippy::expect_used, reason = "the length is right")]
    pub(super) fn new(key: &Key) -> Self {
        // INVARIANT: AES-256 takes every key of 32 bytes.
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key")))
    }

    /// Seals `buffer` where it is.
    #[expect(clippy::expect_used, reason = "no caller has 64 GiB")]
    pub(super) fn seal(&self, nonce: &Nonce, associated: &[u8], buffer: &mut [u8]) -> Tag {
        let nonce = CrateNonce::assume_unique_for_key(*nonce);
        let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::from(associated), buffer);
        // INVARIANT: only plaintexts of 64 GiB and more are refused; ours are 128 KiB at most.
        let tag = sealed.expect("the plaintext is short");
        // INVARIANT: the tag of this algorithm has 16 bytes.
        tag.as_ref().try_into().expect("a tag has 16 bytes")
    }

    /// Seals `plaintext` into `ciphertext`, which is as long.
    pub(super) fn seal_between(
        &self,
        nonce: &Nonce,
        plaintext: &[u8],
        ciphertext: &mut [u8],
    ) -> Tag {
        ciphertext.copy_from_slice(plaintext);
        self.seal(nonce, &[], ciphertext)
    }

    /// Opens `buffer` where it is; what it holds afterwards is unspecified if it is not authentic.
    pub(super) fn open(
        &self,
        nonce: &Nonce,
        associated: &[u8],
        buffer: &mut [u8],
        tag: &Tag,
    ) -> Result<(), NotAuthentic> {
        let nonce = CrateNonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(associated), tag, buffer);
        opened.map(drop).map_err(|_| NotAuthentic)
    }

    /// Opens `ciphertext` into `plaintext`, which is as long, with the same remark.
    pub(super) fn open_between(
        &self,
        nonce: &Nonce,
        ciphertext: &[u8],
        tag: &Tag,
        plaintext: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let nonce = CrateNonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_separate_gather(nonce, Aad::empty(), ciphertext, tag, plaintext);
        opened.map_err(|_| NotAuthentic)
    }
}
