//! Official vectors of the primitives, run through our wrappers where there are any.
//!
//! ```text
//!  aead        AES-256-GCM, AES-256-GCM-SIV, ChaCha20- and XChaCha20-Poly1305
//!  agreement   X25519
//!  derivation  HMAC-SHA-256, HKDF-SHA-256
//!  kem         ML-KEM-768, ML-KEM-1024
//! ```
//!
//! HPKE, X-Wing and RSA-OAEP stand beside their code in `wrap/official.rs`, Ed25519 in chat-core,
//! OPAQUE in the relay. Every test counts its cases, so that an empty file fails. Where the data
//! comes from: `crates/chat-crypto/tests/official/README.md`; what each primitive is checked
//! against: `docs/protocol/README.md` §5.

mod aead;
mod agreement;
mod derivation;
mod kem;

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// A generator that gives these bytes and no more: what a vector says was drawn.
pub(crate) struct Tape(Vec<u8>);

impl Tape {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Tells whether everything was drawn.
    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let drawn: Vec<_> = self.0.drain(..bytes.len()).collect();
        bytes.copy_from_slice(&drawn);
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Cases as JSON: a list of objects, whose texts are hexadecimal.
pub(crate) fn cases(json: &str) -> Vec<serde_json::Value> {
    serde_json::from_str(json).unwrap()
}

/// The bytes of a field of a case.
pub(crate) fn field(case: &serde_json::Value, name: &str) -> Vec<u8> {
    hex(case[name].as_str().unwrap())
}

/// Cases as text: `NAME = value` by line, a case ends where `first` begins another.
fn paragraphs(text: &str, first: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut cases = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.trim() == first {
            cases.push(std::collections::BTreeMap::new());
        }
        if let Some(case) = cases.last_mut() {
            case.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    cases
}
