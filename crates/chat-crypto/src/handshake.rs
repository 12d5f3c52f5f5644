//! PQXDH: two devices agree on a secret while one of them sleeps.
//!
//! ```text
//!              initiator                            responder
//!  agreement   DAKa ──────── DH1 ─────────────────▶ signed prekey SPK
//!  ephemeral   EK   ──────── DH2 ─────────────────▶ DAKb
//!              EK   ──────── DH3 ─────────────────▶ SPK
//!              EK   ──────── DH4, if there is one ▶ one-time prekey
//!              encapsulation ── SS ───────────────▶ one-time KEM prekey, or the last-resort one
//!
//!  key = HKDF(salt 0, 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4] ‖ SS, label ‖ SHA-256(transcript))
//!
//!  header on the wire (1606 bytes):
//!  set number u32 ‖ one-time index u16, 0xFFFF for none ‖ EK 32 ‖ KEM ciphertext 1568
//! ```
//!
//! The transcript holds everything that both sides must see alike: suite, addresses, identity and
//! agreement keys, prekey ids and the public keys themselves, ephemeral key, KEM key and
//! ciphertext. So a header changed on the way, or keys shown to one side only, give two different
//! secrets, without an assumption on the KEM beyond the secrecy of its result.
//! Normative: `docs/protocol/handshake.md` §3 and §4.

use chat_core::codec::Digest;
use chat_core::id::DeviceAddress;
use chat_core::key::{AgreementKey, IdentityKey, KemKey};
use chat_core::label;
use chat_core::prekey::VerifiedBundle;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::erasure::{erased, erases};
use crate::identity::DeviceSecrets;
use crate::kdf;
use crate::prekey::PrekeySecrets;
use crate::secret::{
    AgreementSecret, KEM_CIPHERTEXT_BYTES, MalformedKemKey, NotContributory, SecretBytes,
    SharedSecret, encapsulate,
};

/// X25519, ML-KEM-1024, SHA-256, AES-256-GCM, AES-256-GCM-SIV.
const SUITE: u8 = 1;
/// How long a handshake header is.
pub(crate) const HEADER_BYTES: usize = 4 + 2 + 32 + KEM_CIPHERTEXT_BYTES;
const NO_ONE_TIME: u16 = 0xffff;

/// What a handshake gives: the key a session starts from, once.
pub(crate) struct SessionKey(pub(crate) SecretBytes<32>);

erases!(SessionKey, SessionKey(key) => { erased(key) });

/// Why a handshake gave nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// A key is of small order, or no key at all.
    #[error("a key of the other side cannot be used")]
    UnusableKey,
    /// The header names prekeys that are spent, or never were.
    #[error("the handshake names prekeys that are not held")]
    UnknownPrekey,
}

impl From<NotContributory> for HandshakeError {
    fn from(_: NotContributory) -> Self {
        Self::UnusableKey
    }
}

impl From<MalformedKemKey> for HandshakeError {
    fn from(_: MalformedKemKey) -> Self {
        Self::UnusableKey
    }
}

/// One side, as the other knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    pub(crate) address: DeviceAddress,
    pub(crate) identity: IdentityKey,
    pub(crate) agreement: AgreementKey,
}

/// What the initiator sends ahead of its messages until it is answered.
#[derive(Debug)]
pub(crate) struct HandshakeHeader {
    pub(crate) set: u32,
    pub(crate) one_time: Option<u16>,
    pub(crate) ephemeral: AgreementKey,
    ciphertext: Box<[u8; KEM_CIPHERTEXT_BYTES]>,
}

impl HandshakeHeader {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&self.set.to_be_bytes());
        bytes.extend_from_slice(&self.one_time.unwrap_or(NO_ONE_TIME).to_be_bytes());
        bytes.extend_from_slice(self.ephemeral.as_bytes());
        bytes.extend_from_slice(&*self.ciphertext);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (set, bytes) = bytes.split_first_chunk::<4>()?;
        let (one_time, bytes) = bytes.split_first_chunk::<2>()?;
        let (ephemeral, ciphertext) = bytes.split_first_chunk::<32>()?;
        let one_time = u16::from_be_bytes(*one_time);
        Some(Self {
            set: u32::from_be_bytes(*set),
            one_time: (one_time != NO_ONE_TIME).then_some(one_time),
            ephemeral: AgreementKey::from_bytes(*ephemeral),
            ciphertext: Box::new(ciphertext.try_into().ok()?),
        })
    }
}

/// Starts a session with the device whose keys `bundle` holds.
pub(crate) fn initiate(
    us: &Party,
    device: &DeviceSecrets,
    their_identity: IdentityKey,
    bundle: &VerifiedBundle,
    rng: &mut impl CryptoRng,
) -> Result<(SessionKey, HandshakeHeader), HandshakeError> {
    let them = Party {
        address: bundle.certificate.address,
        identity: their_identity,
        agreement: bundle.certificate.agreement,
    };
    let one_time = bundle.one_time.as_ref();
    let kem = one_time.map_or(&bundle.set.last_resort, |prekey| &prekey.kem);
    let ephemeral = AgreementSecret::generate(rng);
    let (ciphertext, shared) = encapsulate(kem, rng)?;

    let mut secrets = Secrets::new();
    secrets.add(&device.agree(&bundle.set.signed)?);
    secrets.add(&ephemeral.agree(&them.agreement)?);
    secrets.add(&ephemeral.agree(&bundle.set.signed)?);
    if let Some(prekey) = one_time {
        secrets.add(&ephemeral.agree(&prekey.agreement)?);
    }
    secrets.add(&shared);

    let header = HandshakeHeader {
        set: bundle.set.number,
        one_time: one_time.map(|prekey| prekey.index),
        ephemeral: ephemeral.public(),
        ciphertext: Box::new(ciphertext),
    };
    let keys = PublicKeys {
        signed: bundle.set.signed,
        one_time: one_time.map(|prekey| prekey.agreement),
        kem,
    };
    Ok((secrets.into_key(&transcript(us, &them, &keys, &header)), header))
}

/// Answers the handshake that `header` began with the prekeys of one of our sets.
pub(crate) fn respond(
    us: &Party,
    device: &DeviceSecrets,
    them: &Party,
    prekeys: &PrekeySecrets,
    header: &HandshakeHeader,
) -> Result<SessionKey, HandshakeError> {
    let unknown = HandshakeError::UnknownPrekey;
    let one_time = match header.one_time {
        Some(index) => Some(prekeys.one_time(index).ok_or(unknown)?),
        None => None,
    };
    let signed = prekeys.signed();

    let mut secrets = Secrets::new();
    secrets.add(&signed.agree(&them.agreement)?);
    secrets.add(&device.agree(&header.ephemeral)?);
    secrets.add(&signed.agree(&header.ephemeral)?);
    if let Some(prekey) = one_time {
        secrets.add(&prekey.agreement.agree(&header.ephemeral)?);
    }
    let kem = one_time.map_or(prekeys.last_resort(), |prekey| &prekey.kem);
    let (kem, shared) = kem.decapsulate(&header.ciphertext);
    secrets.add(&shared);

    let keys = PublicKeys {
        signed: signed.public(),
        one_time: one_time.map(|prekey| prekey.agreement.public()),
        kem: &kem,
    };
    Ok(secrets.into_key(&transcript(them, us, &keys, header)))
}

/// The input of the key derivation, in one buffer that never grows.
struct Secrets(Zeroizing<Vec<u8>>);

impl Secrets {
    fn new() -> Self {
        let mut input = Zeroizing::new(Vec::with_capacity(6 * 32));
        input.extend_from_slice(&[0xff; 32]);
        Self(input)
    }

    fn add(&mut self, secret: &SharedSecret) {
        self.0.extend_from_slice(&**secret);
    }

    fn into_key(self, transcript: &Digest) -> SessionKey {
        SessionKey(kdf::derive(&self.0, label::HANDSHAKE, transcript.as_bytes()).into())
    }
}

/// The responder's public prekeys that a handshake used.
struct PublicKeys<'a> {
    signed: AgreementKey,
    one_time: Option<AgreementKey>,
    kem: &'a KemKey,
}

/// Every field has a fixed length, so no two transcripts are the same bytes.
fn transcript(
    initiator: &Party,
    responder: &Party,
    keys: &PublicKeys<'_>,
    header: &HandshakeHeader,
) -> Digest {
    let one_time = keys.one_time.map_or([0; 32], |key| *key.as_bytes());
    Digest::of_parts(&[
        &[SUITE],
        initiator.address.account.as_bytes(),
        initiator.address.device.as_bytes(),
        initiator.identity.as_bytes(),
        initiator.agreement.as_bytes(),
        responder.address.account.as_bytes(),
        responder.address.device.as_bytes(),
        responder.identity.as_bytes(),
        responder.agreement.as_bytes(),
        &header.set.to_be_bytes(),
        keys.signed.as_bytes(),
        &header.one_time.unwrap_or(NO_ONE_TIME).to_be_bytes(),
        &one_time,
        header.ephemeral.as_bytes(),
        keys.kem.as_bytes(),
        &*header.ciphertext,
    ])
}

#[cfg(test)]
mod tests;
