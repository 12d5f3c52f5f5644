//! Handshake and ratchet once more, straight from `docs/protocol/{handshake,ratchet}.md`.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm_siv::Aes256GcmSiv;
use hkdf::Hkdf;
use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, MlKem768, MlKem1024};
use sha2::{Digest as _, Sha256};

#[derive(Clone, Copy)]
pub(super) struct Party {
    pub(super) account: [u8; 16],
    pub(super) device: [u8; 16],
    pub(super) identity: [u8; 32],
    pub(super) agreement: [u8; 32],
}

/// What the responder published, and what of it was used.
pub(super) struct Prekeys {
    pub(super) set: u32,
    pub(super) signed: [u8; 32],
    pub(super) one_time: Option<(u16, [u8; 32])>,
    pub(super) kem: Vec<u8>,
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(super) fn x25519(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    x25519_dalek::x25519(*secret, *public)
}

pub(super) fn public(secret: &[u8; 32]) -> [u8; 32] {
    x25519_dalek::x25519(*secret, x25519_dalek::X25519_BASEPOINT_BYTES)
}

pub(super) fn kem_public(seed: &[u8; 64]) -> Vec<u8> {
    kem(seed).encapsulation_key().to_bytes().to_vec()
}

pub(super) fn kem_encapsulate(seed: &[u8; 64], randomness: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let (ciphertext, shared) =
        kem(seed).encapsulation_key().encapsulate_deterministic(&(*randomness).into());
    assert_eq!(kem(seed).decapsulate(&ciphertext), shared);
    (ciphertext.to_vec(), shared.into())
}

fn kem(seed: &[u8; 64]) -> DecapsulationKey<MlKem1024> {
    DecapsulationKey::from_seed((*seed).into())
}

/// handshake.md §3
pub(super) fn handshake_header(prekeys: &Prekeys, ephemeral: &[u8; 32], kem: &[u8]) -> Vec<u8> {
    let index = prekeys.one_time.map_or(0xffff, |(index, _)| index);
    [&prekeys.set.to_be_bytes()[..], &index.to_be_bytes(), ephemeral, kem].concat()
}

/// handshake.md §4
pub(super) fn transcript(
    initiator: &Party,
    responder: &Party,
    prekeys: &Prekeys,
    ephemeral: &[u8; 32],
    ciphertext: &[u8],
) -> Vec<u8> {
    let party = |p: &Party| [&p.account[..], &p.device, &p.identity, &p.agreement].concat();
    let (index, one_time) = prekeys.one_time.unwrap_or((0xffff, [0; 32]));
    [
        &[1][..],
        &party(initiator),
        &party(responder),
        &prekeys.set.to_be_bytes(),
        &prekeys.signed,
        &index.to_be_bytes(),
        &one_time,
        ephemeral,
        &prekeys.kem,
        ciphertext,
    ]
    .concat()
}

/// handshake.md §4
pub(super) fn session_key(secrets: &[[u8; 32]], transcript: &[u8]) -> [u8; 32] {
    let input = [&[0xff; 32][..], &secrets.concat()].concat();
    let info = [&b"sealwire/1/kdf/handshake"[..], &sha256(transcript)].concat();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, &input).expand(&info, &mut key).unwrap();
    key
}

fn expand<const N: usize>(key: &[u8; 32], label: &str) -> [u8; N] {
    let mut output = [0; N];
    Hkdf::<Sha256>::from_prk(key).unwrap().expand(label.as_bytes(), &mut output).unwrap();
    output
}

fn three(bytes: [u8; 96]) -> [[u8; 32]; 3] {
    std::array::from_fn(|part| bytes[part * 32..][..32].try_into().unwrap())
}

/// ratchet.md §2: root key, header key of the initiator, header key of the responder.
pub(super) fn session_start(key: &[u8; 32]) -> [[u8; 32]; 3] {
    three(expand(key, "sealwire/1/kdf/session-start"))
}

/// ratchet.md §2: next root key, chain key, header key of that side's next chain.
pub(super) fn turn(root: &[u8; 32], shared: &[u8; 32]) -> [[u8; 32]; 3] {
    let mut output = [0; 96];
    Hkdf::<Sha256>::new(Some(root), shared)
        .expand(b"sealwire/1/kdf/root-chain", &mut output)
        .unwrap();
    three(output)
}

/// ratchet.md §3: next chain key, message key.
pub(super) fn step(chain: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
    (expand(chain, "sealwire/1/kdf/chain-key"), expand(chain, "sealwire/1/kdf/message-key"))
}

/// ratchet.md §5: the same at the turn that carries the ciphertext.
pub(super) fn pq_turn(
    root: &[u8; 32],
    shared: &[u8; 32],
    secret: &[u8; 32],
    transcript: &[u8; 32],
) -> [[u8; 32]; 3] {
    let info = [&b"sealwire/1/kdf/pq-root-chain"[..], transcript].concat();
    let mut output = [0; 96];
    Hkdf::<Sha256>::new(Some(root), &[&shared[..], secret].concat())
        .expand(&info, &mut output)
        .unwrap();
    three(output)
}

/// ratchet.md §5: the ML-KEM-768 key of a seed.
pub(super) fn pq_key(seed: &[u8; 64]) -> Vec<u8> {
    DecapsulationKey::<MlKem768>::from_seed((*seed).into()).encapsulation_key().to_bytes().to_vec()
}

/// ratchet.md §5: ciphertext and secret.
pub(super) fn pq_encapsulate(seed: &[u8; 64], randomness: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let key = DecapsulationKey::<MlKem768>::from_seed((*seed).into());
    let (ciphertext, shared) =
        key.encapsulation_key().encapsulate_deterministic(&(*randomness).into());
    assert_eq!(key.decapsulate(&ciphertext), shared);
    (ciphertext.to_vec(), shared.into())
}

/// ratchet.md §4
pub(super) fn header(ratchet_key: &[u8; 32], previous: u32, number: u32, flags: u8) -> Vec<u8> {
    [&ratchet_key[..], &previous.to_be_bytes(), &number.to_be_bytes(), &[flags]].concat()
}

/// ratchet.md §4
pub(super) fn seal_extension(
    key: &[u8; 32],
    number: u32,
    extension: &[u8],
    sealed_header: &[u8],
) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[0] = 1;
    nonce[8..].copy_from_slice(&number.to_be_bytes());
    let payload = Payload { msg: extension, aad: sealed_header };
    Aes256GcmSiv::new(key.into()).encrypt(&nonce.into(), payload).unwrap()
}

/// ratchet.md §4
pub(super) fn seal_header(key: &[u8; 32], header: &[u8]) -> Vec<u8> {
    Aes256GcmSiv::new(key.into()).encrypt(&[0; 12].into(), header).unwrap()
}

/// ratchet.md §3 and §6: key, nonce, sealed body; `front` is what stands in front of it.
pub(super) fn seal_body(
    message_key: &[u8; 32],
    front: &[u8],
    plaintext: &[u8],
    associated: &[u8],
) -> ([u8; 32], [u8; 12], Vec<u8>) {
    let both: [u8; 44] = expand(message_key, "sealwire/1/kdf/message-cipher");
    let key: [u8; 32] = both[..32].try_into().unwrap();
    let nonce: [u8; 12] = both[32..].try_into().unwrap();
    let aad = [associated, front].concat();
    let sealed = Aes256Gcm::new(&key.into())
        .encrypt(&nonce.into(), Payload { msg: plaintext, aad: &aad })
        .unwrap();
    (key, nonce, sealed)
}
