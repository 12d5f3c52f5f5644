//! The envelope once more, as `docs/protocol/envelope.md` says it and in nothing but primitives:
//! what a second implementation would be, and what a dishonest recipient would use.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::envelope::{Content, Envelope, Header, SealedContent, SignedContent};
use chat_core::key::Signature;
use chat_core::label;
use chat_crypto::identity::DeviceSecrets;
use hkdf::Hkdf;
use sha2::Sha256;

/// Key, nonce and commitment.
pub(crate) struct Keys {
    pub(crate) key: [u8; 32],
    pub(crate) nonce: [u8; 12],
    pub(crate) commitment: [u8; 32],
}

pub(crate) fn keys(secret: &[u8; 32], header: &[u8]) -> Keys {
    let info = [&b"sealwire/1/kdf/envelope"[..], Digest::of(header).as_bytes()].concat();
    let mut output = [0; 76];
    Hkdf::<Sha256>::new(None, secret).expand(&info, &mut output).unwrap();
    Keys {
        key: output[..32].try_into().unwrap(),
        nonce: output[32..44].try_into().unwrap(),
        commitment: output[44..].try_into().unwrap(),
    }
}

/// Pads to at least one byte more, in steps of 256; enough for short contents.
pub(crate) fn pad(content: &[u8]) -> Vec<u8> {
    let mut padded = [content, &[0x80]].concat();
    padded.resize(padded.len().next_multiple_of(256), 0);
    assert!(padded.len() <= 4096);
    padded
}

/// Seals what is already padded under `secret`.
pub(crate) fn seal_padded(secret: &[u8; 32], header: &[u8], padded: &[u8]) -> Envelope {
    let keys = keys(secret, header);
    let aad = [header, &keys.commitment].concat();
    let payload = Aes256Gcm::new(&keys.key.into())
        .encrypt(&keys.nonce.into(), Payload { msg: padded, aad: &aad })
        .unwrap();
    Envelope {
        header: Bytes::new(header.to_vec()).unwrap(),
        commitment: Digest::from_bytes(keys.commitment),
        payload: Bytes::new(payload).unwrap(),
        wraps: List::default(),
    }
}

/// Opens the payload as far as the padding.
pub(crate) fn open_padded(secret: &[u8; 32], envelope: &Envelope) -> Option<Vec<u8>> {
    let keys = keys(secret, &envelope.header);
    let aad = [&envelope.header[..], envelope.commitment.as_bytes()].concat();
    Aes256Gcm::new(&keys.key.into())
        .decrypt(&keys.nonce.into(), Payload { msg: &envelope.payload, aad: &aad })
        .ok()
}

/// Seals `content` with this `signature`, whatever it is worth.
pub(crate) fn seal(
    secret: &[u8; 32],
    header: &Header,
    content: &Content,
    signature: Option<Signature>,
) -> Envelope {
    let content = Bytes::new(to_bytes(content)).unwrap();
    let sealed = to_bytes(&SealedContent { content, signature });
    seal_padded(secret, &to_bytes(header), &pad(&sealed))
}

/// Signs as the sender does.
pub(crate) fn sign(
    device: &DeviceSecrets,
    secret: &[u8; 32],
    header: &Header,
    content: &Content,
) -> Signature {
    let keys = keys(secret, &to_bytes(header));
    device.sign(label::CONTENT, &signed_content(&keys, header, content).to_bytes())
}

/// What the sender signs.
pub(crate) fn signed_content(keys: &Keys, header: &Header, content: &Content) -> SignedContent {
    SignedContent {
        suite: header.suite,
        message: header.message,
        conversation: header.conversation,
        recipients: header.membership_head,
        content: Digest::of(&to_bytes(content)),
        header: Digest::of(&to_bytes(header)),
        commitment: Digest::from_bytes(keys.commitment),
    }
}
