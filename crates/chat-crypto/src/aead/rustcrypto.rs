//! AES-256-GCM of RustCrypto: portable, constant-time, with the processor's AES where it has it.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Tag as CrateTag};

use super::{Key, Nonce, NotAuthentic, Tag};
use crate::erasure::{erased, erases};

/// A key with its schedule, which is erased with it.
pub(super) struct Cipher(Aes256Gcm);

erases!(Cipher, Cipher(schedule) => { erased(schedule) });

impl Cipher {
    pub(super) fn new(key: &Key) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Seals `buffer` where it is.
    #[expect(clippy::expect_used, reason = "no caller has 64 GiB")]
    pub(super) fn seal(&self, nonce: &Nonce, associated: &[u8], buffer: &mut [u8]) -> Tag {
        let tag = self.0.encrypt_inout_detached(nonce.into(), associated, buffer.into());
        // INVARIANT: only plaintexts of 64 GiB and more are refused; ours are 128 KiB at most.
        tag.expect("the plaintext is short").into()
    }

    /// Seals `plaintext` into `ciphertext`, which is as long.
    #[expect(clippy::expect_used, reason = "the callers' buffers have these lengths")]
    pub(super) fn seal_between(
        &self,
        nonce: &Nonce,
        plaintext: &[u8],
        ciphertext: &mut [u8],
    ) -> Tag {
        // INVARIANT: the output was cut to the length of the plaintext.
        let buffer = InOutBuf::new(plaintext, ciphertext).expect("the lengths are equal");
        let tag = self.0.encrypt_inout_detached(nonce.into(), &[], buffer);
        // INVARIANT: only plaintexts of 64 GiB and more are refused; a chunk has 64 KiB.
        tag.expect("a chunk is short").into()
    }

    /// Opens `buffer` where it is.
    pub(super) fn open(
        &self,
        nonce: &Nonce,
        associated: &[u8],
        buffer: &mut [u8],
        tag: &Tag,
    ) -> Result<(), NotAuthentic> {
        self.0
            .decrypt_inout_detached(nonce.into(), associated, buffer.into(), &CrateTag::from(*tag))
            .map_err(|_| NotAuthentic)
    }

    /// Opens `ciphertext` into `plaintext`, which is as long.
    pub(super) fn open_between(
        &self,
        nonce: &Nonce,
        ciphertext: &[u8],
        tag: &Tag,
        plaintext: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let buffer = InOutBuf::new(ciphertext, plaintext).map_err(|_| NotAuthentic)?;
        self.0
            .decrypt_inout_detached(nonce.into(), &[], buffer, &CrateTag::from(*tag))
            .map_err(|_| NotAuthentic)
    }
}
