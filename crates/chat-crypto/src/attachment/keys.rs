//! What a file key becomes: the blob's commitment, and a cipher for each run of chunks.
//!
//! ```text
//!  file key ──HKDF-Expand, size──▶ commitment (32)                  the blob's header
//!           ──HKDF-Expand, salt──▶ cipher key (32) ‖ prefix (7)     one for each run
//!
//!  nonce  =  prefix (7) ‖ u32 number of the chunk ‖ 1 for the last chunk, else 0
//! ```
//!
//! A run is what one sealer sealed without being restored in between. Each has a salt of its own,
//! so the chunk that is sealed again after a restart, over a file that may have changed, is sealed
//! under another key.
//! Normative: `docs/protocol/attachment.md` §3, §4.

use std::fmt;

use chat_core::label;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::description::Run;
use super::layout::HEADER_BYTES;
use super::{NotAuthentic, layout::Layout};
use crate::aead::{ChunkCipher, Key, Nonce};
use crate::erasure::{erased, erases};
use crate::kdf;
use crate::secret::SecretBytes;

/// The secret of one attachment.
#[derive(Clone, Encode, Decode, ZeroizeOnDrop)]
#[cbor(transparent)]
pub(super) struct FileKey(#[n(0)] SecretBytes<32>);

impl FileKey {
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBytes::random(rng))
    }

    /// What a blob of this key and size begins with.
    pub(super) fn commitment(&self, size: u64) -> [u8; HEADER_BYTES] {
        let size = size.to_be_bytes();
        *kdf::expand(self.0.as_bytes(), label::ATTACHMENT_COMMITMENT, &size)
    }

    /// Checks, in constant time, that a blob's header is the one of this key and size.
    pub(super) fn check(&self, size: u64, header: &[u8]) -> Result<(), NotAuthentic> {
        let same: bool = self.commitment(size).ct_eq(header).into();
        if same { Ok(()) } else { Err(NotAuthentic) }
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// What seals and opens the chunks of one run.
pub(super) struct RunCipher {
    cipher: ChunkCipher,
    prefix: [u8; 7],
}

erases!(RunCipher, RunCipher { cipher, prefix: _ } => {
    erased(cipher);
});

impl RunCipher {
    /// The cipher of the run with this salt; the first run of a sealer has zeros.
    pub(super) fn derive(key: &FileKey, salt: &[u8; 16]) -> Self {
        let output: Zeroizing<[u8; 39]> =
            kdf::expand(key.0.as_bytes(), label::ATTACHMENT_RUN, salt);
        let mut cipher_key: Zeroizing<Key> = Zeroizing::new([0; 32]);
        let mut prefix = [0; 7];
        let fields = cipher_key.iter_mut().chain(&mut prefix);
        fields.zip(output.iter()).for_each(|(to, from)| *to = *from);
        Self { cipher: ChunkCipher::new(&cipher_key), prefix }
    }

    fn nonce(&self, layout: &Layout, chunk: u32) -> Nonce {
        let [a, b, c, d, e, f, g] = self.prefix;
        let [h, i, j, k] = chunk.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, u8::from(layout.is_last(chunk))]
    }

    /// Seals a chunk into `output`, which is a tag longer.
    pub(super) fn seal_into(&self, layout: &Layout, chunk: u32, from: &[u8], output: &mut [u8]) {
        self.cipher.seal_into(&self.nonce(layout, chunk), from, output);
    }

    /// Seals a chunk where it is; the tag's place is the end of the buffer.
    pub(super) fn seal_in_place(&self, layout: &Layout, chunk: u32, buffer: &mut [u8]) {
        self.cipher.seal_in_place(&self.nonce(layout, chunk), buffer);
    }

    /// Opens a chunk into `output`, which is a tag shorter, and leaves zeros there otherwise.
    pub(super) fn open_into(
        &self,
        layout: &Layout,
        chunk: u32,
        sealed: &[u8],
        output: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let nonce = self.nonce(layout, chunk);
        self.cipher.open_into(&nonce, sealed, output).map_err(|_| NotAuthentic)
    }

    /// Opens a chunk where it is.
    pub(super) fn open_in_place(
        &self,
        layout: &Layout,
        chunk: u32,
        sealed: &mut [u8],
    ) -> Result<(), NotAuthentic> {
        let nonce = self.nonce(layout, chunk);
        self.cipher.open_in_place(&nonce, sealed).map_err(|_| NotAuthentic)
    }
}

/// The ciphers of all runs of an attachment, the one in use kept.
pub(super) struct Ciphers {
    key: FileKey,
    runs: Vec<Run>,
    /// How many runs begin at or before the chunk that was asked for last, and their cipher. Boxed:
    /// where there is none, the room for one would carry along what the stack held before.
    current: Option<(usize, Box<RunCipher>)>,
}

erases!(Ciphers, Ciphers { key, runs: _, current } => {
    const fn one(_: &Option<(usize, Box<impl ZeroizeOnDrop>)>) {}
    erased(key);
    one(current);
});

impl Ciphers {
    pub(super) fn new(key: FileKey, runs: Vec<Run>) -> Self {
        Self { key, runs, current: None }
    }

    /// The cipher that `chunk` was sealed with.
    pub(super) fn of(&mut self, chunk: u32) -> &RunCipher {
        let begun = self.runs.partition_point(|run| run.first <= chunk);
        let kept = self.current.take().filter(|(run, _)| *run == begun);
        let (_, cipher) = self.current.insert(kept.unwrap_or_else(|| {
            let run = begun.checked_sub(1).and_then(|run| self.runs.get(run));
            let salt = run.map_or([0; 16], |run| run.salt);
            (begun, Box::new(RunCipher::derive(&self.key, &salt)))
        }));
        cipher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_key_does_not_print() {
        assert_eq!(format!("{:?}", FileKey(SecretBytes::new([7; 32]))), "FileKey(..)");
    }
}
