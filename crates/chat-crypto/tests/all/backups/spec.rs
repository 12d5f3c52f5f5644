//! Heads and segments once more, as `docs/protocol/backup.md` says it and in nothing but
//! primitives: what a second implementation would be, and what a device that was removed could do.

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use chat_core::codec::Digest;
use chat_core::id::AccountId;
use hkdf::Hkdf;
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

const SEGMENT: &[u8] = b"sealwire/1/kdf/backup-segment";
const HEAD: &[u8] = b"sealwire/1/kdf/backup-head";

/// §3
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Sealed {
    #[n(0)]
    pub(crate) version: u8,
    #[n(1)]
    pub(crate) key: u32,
    #[n(2)]
    pub(crate) salt: ByteArray<32>,
    #[n(3)]
    pub(crate) commitment: ByteArray<32>,
    #[n(4)]
    pub(crate) ciphertext: ByteVec,
}

/// §4
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Content {
    #[n(0)]
    pub(crate) previous: ByteArray<32>,
    #[n(1)]
    pub(crate) records: Vec<ByteVec>,
}

/// §5
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Head {
    #[n(0)]
    pub(crate) revision: u64,
    #[n(1)]
    pub(crate) backup: ByteArray<16>,
    #[n(2)]
    pub(crate) first: u64,
    #[n(3)]
    pub(crate) last: u64,
    #[n(4)]
    pub(crate) newest: ByteArray<32>,
}

/// A backup key and its number.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) u32, pub(crate) [u8; 32]);

impl Key {
    pub(crate) fn seal_head(&self, account: AccountId, head: &Head, salt: [u8; 32]) -> Vec<u8> {
        self.seal(HEAD, account.as_bytes(), &minicbor::to_vec(head).unwrap(), salt)
    }

    pub(crate) fn open_head(&self, account: AccountId, sealed: &[u8]) -> Head {
        minicbor::decode(&self.open(HEAD, account.as_bytes(), sealed).unwrap()).unwrap()
    }

    pub(crate) fn seal_segment(&self, place: &[u8], content: &Content, salt: [u8; 32]) -> Vec<u8> {
        self.seal(SEGMENT, place, &minicbor::to_vec(content).unwrap(), salt)
    }

    pub(crate) fn open_segment(&self, place: &[u8], sealed: &[u8]) -> Content {
        minicbor::decode(&self.open(SEGMENT, place, sealed).unwrap()).unwrap()
    }

    fn seal(&self, label: &[u8], place: &[u8], content: &[u8], salt: [u8; 32]) -> Vec<u8> {
        self.seal_padded(label, place, &pad(content), salt)
    }

    pub(crate) fn seal_padded(
        &self,
        label: &[u8],
        place: &[u8],
        padded: &[u8],
        salt: [u8; 32],
    ) -> Vec<u8> {
        let (key, nonce, commitment) = self.derive(label, &salt, place);
        let ciphertext = Aes256Gcm::new(&key.into()).encrypt(&nonce.into(), padded).unwrap();
        let (salt, commitment) = (salt.into(), commitment.into());
        let sealed =
            Sealed { version: 1, key: self.0, salt, commitment, ciphertext: ciphertext.into() };
        minicbor::to_vec(&sealed).unwrap()
    }

    fn open(&self, label: &[u8], place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let sealed: Sealed = minicbor::decode(sealed).unwrap();
        let (key, nonce, commitment) = self.derive(label, &sealed.salt, place);
        if sealed.version != 1 || sealed.key != self.0 || *sealed.commitment != commitment {
            return None;
        }
        let cipher = Aes256Gcm::new(&key.into());
        let padded = cipher.decrypt(&nonce.into(), sealed.ciphertext.as_slice()).ok()?;
        let end = padded.iter().rposition(|byte| *byte != 0)?;
        (pad(&padded[..end]) == padded).then(|| padded[..end].to_vec())
    }

    /// K, N and C.
    pub(crate) fn derive(
        &self,
        label: &[u8],
        salt: &[u8; 32],
        place: &[u8],
    ) -> ([u8; 32], [u8; 12], [u8; 32]) {
        let info = [label, salt, place].concat();
        let mut output = [0; 76];
        Hkdf::<Sha256>::from_prk(&self.1).unwrap().expand(&info, &mut output).unwrap();
        let [key, commitment] = [0, 44].map(|at| output[at..at + 32].try_into().unwrap());
        (key, output[32..44].try_into().unwrap(), commitment)
    }
}

/// Where a segment belongs.
pub(crate) fn place(account: AccountId, backup: [u8; 16], number: u64) -> Vec<u8> {
    [&account.as_bytes()[..], &backup, &number.to_be_bytes()].concat()
}

/// What names a segment.
pub(crate) fn digest(segment: &[u8]) -> Digest {
    let digest = Sha256::digest([b"sealwire/1/hash/backup-segment", segment].concat());
    Digest::from_bytes(digest.into())
}

/// As contents of envelopes are padded.
pub(crate) fn pad(content: &[u8]) -> Vec<u8> {
    let mut padded = [content, &[0x80]].concat();
    let length = padded.len();
    let step = if length <= 4096 {
        256
    } else {
        let e = length.ilog2();
        1 << (e - (e.ilog2() + 1))
    };
    padded.resize(length.div_ceil(step) * step, 0);
    padded
}
