//! One side of a linking, as `docs/protocol/linking.md` says it and in nothing but primitives: what
//! a second implementation would be, and what a dishonest device would use.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, Serializable as _};
use minicbor::Encoder;
use sha2::{Digest as _, Sha256};

pub(crate) const NEW: u8 = 1;
pub(crate) const EXISTING: u8 = 2;
pub(crate) const INTRODUCTION: u8 = 1;
pub(crate) const ADMISSION: u8 = 2;
pub(crate) const RECEIPT: u8 = 3;
pub(crate) const CANCEL: u8 = 255;

/// §3, §4: the device that shows the code.
pub(crate) struct Shower {
    pub(crate) private: Vec<u8>,
    pub(crate) nonce: [u8; 32],
    pub(crate) code: Vec<u8>,
    pub(crate) hello: Vec<u8>,
}

impl Shower {
    pub(crate) fn new(role: u8, expires_at: u64, seed: u8) -> Self {
        let (private, nonce) = (vec![seed; 32], [seed.wrapping_add(1); 32]);
        let hello = hello(1, &public(&private), &commitment(&nonce));
        let code = code(1, &[seed; 16], role, &sha256(&[&hello]), expires_at);
        Self { private, nonce, code, hello }
    }

    pub(crate) fn reveal(&self) -> Vec<u8> {
        reveal(1, &self.nonce)
    }

    /// What both sides have once the answer is there.
    pub(crate) fn agree(&self, answer: &[u8]) -> Agreement {
        let enc = &answer[answer.len() - 1120..];
        let code = sha256(&[&self.code]);
        let hello = sha256(&[&self.hello]);
        let info = [&b"sealwire/1/kdf/link-channel"[..], &code, &hello].concat();
        let context = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, XWing>(
            &OpModeR::Base,
            &<XWing as Kem>::PrivateKey::from_bytes(&self.private).unwrap(),
            &<XWing as Kem>::EncappedKey::from_bytes(enc).unwrap(),
            &info,
        )
        .unwrap();
        let mut secret = [0; 32];
        context.export(b"sealwire/1/kdf/link-channel", &mut secret).unwrap();
        let label = b"sealwire/1/hash/link-transcript";
        let transcript = sha256(&[label, &code, &hello, &sha256(&[answer]), &self.nonce]);
        Agreement { secret, transcript }
    }
}

/// §5: the channel.
#[derive(Clone)]
pub(crate) struct Agreement {
    pub(crate) secret: [u8; 32],
    pub(crate) transcript: [u8; 32],
}

impl Agreement {
    fn expand<const N: usize>(&self, label: &[u8], more: &[u8]) -> [u8; N] {
        let info = [label, &self.transcript, more].concat();
        let mut output = [0; N];
        Hkdf::<Sha256>::from_prk(&self.secret).unwrap().expand(&info, &mut output).unwrap();
        output
    }

    /// Seven places of six bits.
    pub(crate) fn emoji(&self) -> Vec<usize> {
        let bytes: [u8; 6] = self.expand(b"sealwire/1/kdf/link-emoji", &[]);
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        (0..7).map(|i| usize::from_str_radix(&bits[6 * i..6 * i + 6], 2).unwrap()).collect()
    }

    pub(crate) fn key(&self, sender: u8, step: u8) -> [u8; 44] {
        self.expand(b"sealwire/1/kdf/link-message", &[sender, step])
    }

    pub(crate) fn seal(&self, sender: u8, step: u8, plaintext: &[u8]) -> Vec<u8> {
        let key = self.key(sender, step);
        let nonce: [u8; 12] = key[32..].try_into().unwrap();
        let cipher = Aes256Gcm::new_from_slice(&key[..32]).unwrap();
        cipher.encrypt(&nonce.into(), Payload { msg: plaintext, aad: &[] }).unwrap()
    }

    pub(crate) fn open(&self, sender: u8, step: u8, sealed: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(sender, step);
        let nonce: [u8; 12] = key[32..].try_into().unwrap();
        let cipher = Aes256Gcm::new_from_slice(&key[..32]).unwrap();
        cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad: &[] }).ok()
    }

    /// §6.3: what the receipt is under.
    pub(crate) fn mix(&self, shared: &[u8; 32]) -> Self {
        let mut secret = [0; 32];
        Hkdf::<Sha256>::new(Some(&self.secret), shared)
            .expand(b"sealwire/1/kdf/link-receipt", &mut secret)
            .unwrap();
        Self { secret, ..self.clone() }
    }
}

pub(crate) fn code(
    version: u8,
    rendezvous: &[u8],
    role: u8,
    hello: &[u8],
    expires_at: u64,
) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(5).unwrap().u8(0).unwrap().u8(version).unwrap();
    e.u8(1).unwrap().bytes(rendezvous).unwrap().u8(2).unwrap().u8(role).unwrap();
    e.u8(3).unwrap().bytes(hello).unwrap().u8(4).unwrap().u64(expires_at).unwrap();
    e.into_writer()
}

pub(crate) fn hello(version: u8, key: &[u8], commitment: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(3).unwrap().u8(0).unwrap().u8(version).unwrap();
    e.u8(1).unwrap().bytes(key).unwrap().u8(2).unwrap().bytes(commitment).unwrap();
    e.into_writer()
}

/// An answer or a reveal: they differ in the length of what they carry.
pub(crate) fn reveal(version: u8, bytes: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(2).unwrap().u8(0).unwrap().u8(version).unwrap().u8(1).unwrap().bytes(bytes).unwrap();
    e.into_writer()
}

/// §6.1: a claim and the signature over it.
pub(crate) fn introduction(claim: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(2).unwrap().u8(0).unwrap().bytes(claim).unwrap();
    e.u8(1).unwrap().bytes(signature).unwrap();
    e.into_writer()
}

pub(crate) fn claim(device: &[u8], key: &[u8], agreement: &[u8], schemes: &[u8]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    e.map(4).unwrap().u8(0).unwrap().bytes(device).unwrap().u8(1).unwrap().bytes(key).unwrap();
    e.u8(2).unwrap().bytes(agreement).unwrap();
    e.u8(3).unwrap().array(schemes.len() as u64).unwrap();
    for scheme in schemes {
        e.u8(*scheme).unwrap();
    }
    e.into_writer()
}

pub(crate) fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"sealwire/1/hash/link-commitment", nonce])
}

pub(crate) fn public(private: &[u8]) -> Vec<u8> {
    let private = <XWing as Kem>::PrivateKey::from_bytes(private).unwrap();
    XWing::sk_to_pk(&private).to_bytes().to_vec()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}
