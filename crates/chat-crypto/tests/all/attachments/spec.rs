//! The blob once more, as `docs/protocol/attachment.md` says it and in nothing but primitives:
//! what a second implementation would be, and what a dishonest sender would use.

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use chat_core::codec::Digest;
use hkdf::Hkdf;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

pub(crate) const CHUNK: usize = 65_536;
pub(crate) const SEALED_CHUNK: usize = CHUNK + 16;
pub(crate) const HEADER: usize = 32;

/// §5
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Description {
    #[n(0)]
    pub(crate) version: u8,
    #[n(1)]
    pub(crate) key: ByteArray<32>,
    #[n(2)]
    pub(crate) size: u64,
    #[n(3)]
    pub(crate) digest: Digest,
    #[n(4)]
    pub(crate) runs: Option<Vec<Run>>,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Run {
    #[n(0)]
    pub(crate) first: u32,
    #[n(1)]
    pub(crate) salt: ByteArray<16>,
}

impl Description {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap()
    }

    /// Seals `content` with this key and these runs, and notes the digest.
    pub(crate) fn seal(&mut self, content: &[u8]) -> Vec<u8> {
        let blob = self.seal_padded(&pad(content));
        self.digest = self.digest_of(&blob);
        blob
    }

    /// Seals what is already padded, or wrongly so.
    pub(crate) fn seal_padded(&self, padded: &[u8]) -> Vec<u8> {
        let mut blob = commitment(&self.key, self.size).to_vec();
        let count = padded.len().div_ceil(CHUNK);
        for (number, chunk) in padded.chunks(CHUNK).enumerate() {
            let last = number + 1 == count;
            blob.extend(seal_chunk(&self.run_key(number), number, last, chunk));
        }
        blob
    }

    /// Opens a blob, all of it, with the checks of §7.
    pub(crate) fn open(&self, blob: &[u8]) -> Option<Vec<u8>> {
        let padded_length = padded_length(self.size) as usize;
        let count = padded_length.div_ceil(CHUNK);
        if blob.len() != HEADER + padded_length + 16 * count
            || blob[..HEADER] != commitment(&self.key, self.size)
            || self.digest_of(blob) != self.digest
        {
            return None;
        }
        let mut padded = Vec::new();
        for (number, sealed) in blob[HEADER..].chunks(SEALED_CHUNK).enumerate() {
            let (key, prefix) = self.run_key(number);
            let nonce = nonce(prefix, number, number + 1 == count);
            padded.extend(Aes256Gcm::new(&key.into()).decrypt(&nonce.into(), sealed).ok()?);
        }
        let padding = padded.split_off(self.size as usize);
        padding.iter().all(|byte| *byte == 0).then_some(padded)
    }

    /// §6: over the tree of RFC 9162 over the sealed chunks.
    pub(crate) fn digest_of(&self, blob: &[u8]) -> Digest {
        let (header, chunks) = blob.split_at(HEADER);
        let leaves: Vec<[u8; 32]> =
            chunks.chunks(SEALED_CHUNK).map(|chunk| sha256(&[&[0], chunk])).collect();
        let runs = self.runs.iter().flatten();
        let runs: Vec<u8> =
            runs.flat_map(|run| [&run.first.to_be_bytes()[..], &run.salt[..]].concat()).collect();
        let parts = [b"sealwire/1/hash/attachment", header, &tree(&leaves), &runs];
        Digest::from_bytes(sha256(&parts))
    }

    /// §4: the key and the prefix that chunk `number` is sealed with.
    pub(crate) fn run_key(&self, number: usize) -> ([u8; 32], [u8; 7]) {
        let mut runs = self.runs.iter().flatten();
        let run = runs.rfind(|run| run.first as usize <= number);
        let salt = run.map_or([0; 16], |run| *run.salt);
        let output: [u8; 39] = expand(&self.key, b"sealwire/1/kdf/attachment-run", &salt);
        (output[..32].try_into().unwrap(), output[32..].try_into().unwrap())
    }
}

/// §3
pub(crate) fn commitment(key: &[u8; 32], size: u64) -> [u8; 32] {
    expand(key, b"sealwire/1/kdf/attachment-commitment", &size.to_be_bytes())
}

/// §4
pub(crate) fn seal_chunk(
    (key, prefix): &([u8; 32], [u8; 7]),
    number: usize,
    last: bool,
    chunk: &[u8],
) -> Vec<u8> {
    let nonce = nonce(*prefix, number, last);
    Aes256Gcm::new(key.into()).encrypt(&nonce.into(), chunk).unwrap()
}

pub(crate) fn nonce(prefix: [u8; 7], number: usize, last: bool) -> [u8; 12] {
    let number = u32::try_from(number).unwrap().to_be_bytes();
    [&prefix[..], &number, &[u8::from(last)]].concat().try_into().unwrap()
}

/// §2
pub(crate) fn pad(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(padded_length(content.len() as u64) as usize, 0);
    padded
}

/// §2
pub(crate) fn padded_length(size: u64) -> u64 {
    if size <= 4096 {
        return 4096;
    }
    let e = (size as f64).log2().floor() as u32;
    let s = f64::from(e).log2().floor() as u32 + 1;
    size.div_ceil(1 << (e - s)) << (e - s)
}

fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [leaf] = leaves {
        return *leaf;
    }
    let mut left = 1;
    while left * 2 < leaves.len() {
        left *= 2;
    }
    sha256(&[&[1], &tree(&leaves[..left]), &tree(&leaves[left..])])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

fn expand<const N: usize>(key: &[u8; 32], label: &[u8], context: &[u8]) -> [u8; N] {
    let mut output = [0; N];
    let info = [label, context].concat();
    Hkdf::<Sha256>::from_prk(key).unwrap().expand(&info, &mut output).unwrap();
    output
}
