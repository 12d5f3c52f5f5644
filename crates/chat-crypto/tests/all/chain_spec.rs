//! Sender chains once more, as `docs/protocol/sender-chains.md` says them and in nothing but
//! primitives: what a second implementation would be, and what a dishonest member would use.

use aes_gcm_siv::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{Recipient, Wrap, WrapScheme};
use chat_core::id::{ConversationId, DeviceAddress};
use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use sha2::Sha256;

/// The body of a hand-out.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct HandOut {
    #[n(0)]
    pub(crate) version: u8,
    #[n(1)]
    pub(crate) epoch: u32,
    #[n(2)]
    pub(crate) index: u32,
    #[n(3)]
    pub(crate) link: ByteArray<32>,
    #[n(4)]
    pub(crate) header_key: ByteArray<32>,
    #[n(5)]
    pub(crate) key: ByteArray<32>,
    #[n(6)]
    pub(crate) previous_length: u32,
    #[n(7)]
    pub(crate) audience: (u64, ByteArray<32>, ByteArray<32>),
    #[n(8)]
    pub(crate) started_at: u64,
}

impl HandOut {
    pub(crate) fn read(body: &[u8]) -> Self {
        minicbor::decode(body).unwrap()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap()
    }

    /// The next link and the message key of `self.index`.
    pub(crate) fn step(&self) -> (Self, [u8; 32]) {
        let link = expand(&self.link, b"sealwire/1/kdf/sender-chain-key");
        let key = expand(&self.link, b"sealwire/1/kdf/sender-message-key");
        (Self { index: self.index.wrapping_add(1), link: link.into(), ..self.clone() }, key)
    }
}

fn expand(key: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let mut output = [0; 32];
    Hkdf::<Sha256>::from_prk(key).unwrap().expand(label, &mut output).unwrap();
    output
}

/// AES-256-GCM-SIV under a nonce of zeros.
pub(crate) fn siv(key: &[u8; 32], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    Aes256GcmSiv::new(key.into())
        .encrypt(&Nonce::from([0; 12]), Payload { msg: plaintext, aad })
        .unwrap()
}

pub(crate) fn chain_id(
    conversation: ConversationId,
    sender: DeviceAddress,
    epoch: u32,
    key: &[u8; 32],
) -> Digest {
    Digest::of_parts(&[
        b"sealwire/1/hash/sender-chain-id",
        conversation.as_bytes(),
        sender.account.as_bytes(),
        sender.device.as_bytes(),
        &epoch.to_be_bytes(),
        key,
    ])
}

/// What the signing key signs.
pub(crate) fn signed(chain: Digest, number: u32, binding: Digest) -> Vec<u8> {
    let label = b"sealwire/1/sign/sender-chain";
    let length = [u8::try_from(label.len()).unwrap()];
    [&length[..], label, chain.as_bytes(), &number.to_be_bytes(), binding.as_bytes()].concat()
}

/// The associated data of the sealed secret.
pub(crate) fn associated(binding: Digest, sealed_number: &[u8]) -> Vec<u8> {
    let context = [&b"sealwire/1/kdf/wrap\x05"[..], &[0; 36]].concat();
    [&context[..], binding.as_bytes(), sealed_number].concat()
}

/// Seals `secret` as message `hand_out.index`, signed by `signer`, whoever that is.
pub(crate) fn wrap(
    hand_out: &HandOut,
    signer: &SigningKey,
    conversation: ConversationId,
    sender: DeviceAddress,
    secret: &[u8; 32],
    binding: Digest,
) -> Wrap {
    let number = hand_out.index;
    let chain = chain_id(conversation, sender, hand_out.epoch, &hand_out.key);
    let signature = signer.sign(&signed(chain, number, binding)).to_bytes();
    seal(hand_out, secret, &signature, binding)
}

/// Seals `secret` and a `signature`, whatever it is worth.
pub(crate) fn seal(
    hand_out: &HandOut,
    secret: &[u8; 32],
    signature: &[u8; 64],
    binding: Digest,
) -> Wrap {
    let sealed_number = siv(&hand_out.header_key, &hand_out.index.to_be_bytes(), &[]);
    let carried = [&secret[..], signature].concat();
    let sealed = siv(&hand_out.step().1, &carried, &associated(binding, &sealed_number));
    let bytes = Bytes::new([sealed_number, sealed].concat()).unwrap();
    Wrap { scheme: WrapScheme::SenderChain, to: Recipient::Everyone, epoch: 0, bytes }
}

/// Opens what [`siv`] sealed.
pub(crate) fn open_siv(key: &[u8; 32], sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let nonce = Nonce::from([0; 12]);
    Aes256GcmSiv::new(key.into()).decrypt(&nonce, Payload { msg: sealed, aad }).ok()
}
