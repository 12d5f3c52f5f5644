//! The sealed keyring once more, as `docs/protocol/keyring.md` says it and in nothing but
//! primitives: what a second implementation would be, and what an attacker would use.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use chat_core::id::AccountId;
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use sha2::Sha256;

use crate::people::rng;

pub(crate) const PASSWORD: (u8, &[u8]) = (1, b"sealwire/1/kdf/keyring-password");
pub(crate) const PHRASE: (u8, &[u8]) = (2, b"sealwire/1/kdf/keyring-phrase");

/// §3: what the relay keeps.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Sealed {
    #[n(0)]
    pub(crate) version: u8,
    #[n(1)]
    pub(crate) for_password: ByteVec,
    #[n(2)]
    pub(crate) for_phrase: ByteVec,
    #[n(3)]
    pub(crate) content: ByteVec,
}

/// §3: what the lock's key opens, behind the version.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Content {
    #[n(0)]
    pub(crate) keyring: ByteVec,
    #[n(1)]
    pub(crate) password: ByteVec,
    #[n(2)]
    pub(crate) phrase: ByteVec,
}

/// §4: the keyring itself, behind the version.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(crate) struct State {
    #[n(0)]
    pub(crate) identity: ByteVec,
    #[n(1)]
    pub(crate) epochs: Vec<ByteVec>,
    #[n(2)]
    pub(crate) backup: Vec<ByteVec>,
}

/// §3.2: a lock as a device keeps it, behind the version.
#[derive(Decode)]
#[cbor(map)]
pub(crate) struct Lock {
    #[n(0)]
    pub(crate) key: ByteVec,
}

/// An account and a number: what every part of a sealed keyring is tied to.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) number: u64,
}

impl Place {
    pub(crate) fn info(self, kind: u8) -> Vec<u8> {
        [&b"sealwire/1/kdf/keyring-lock"[..], &[kind], self.account.as_bytes()].concat()
    }

    pub(crate) fn content_aad(self) -> Vec<u8> {
        let number = self.number.to_be_bytes();
        [&b"sealwire/1/aad/keyring"[..], self.account.as_bytes(), &number].concat()
    }

    /// Seals a lock's key for an opener.
    pub(crate) fn seal_key(self, (kind, _): (u8, &[u8]), public: &[u8], key: &[u8]) -> ByteVec {
        let public = <XWing as Kem>::PublicKey::from_bytes(public).unwrap();
        let (enc, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            &self.info(kind),
            key,
            &self.number.to_be_bytes(),
            &mut rng(77),
        )
        .unwrap();
        [enc.to_bytes().as_slice(), &sealed].concat().into()
    }

    /// Opens a lock's key with an opener's seed.
    pub(crate) fn open_key(
        self,
        (kind, _): (u8, &[u8]),
        seed: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
            &OpModeR::Base,
            &<XWing as Kem>::PrivateKey::from_bytes(seed).unwrap(),
            &<XWing as Kem>::EncappedKey::from_bytes(&sealed[..1120]).unwrap(),
            &self.info(kind),
            &sealed[1120..],
            &self.number.to_be_bytes(),
        )
        .ok()
    }

    pub(crate) fn seal_content(self, key: &[u8], content: &Content) -> ByteVec {
        let plaintext = minicbor::to_vec((1u8, content)).unwrap();
        let payload = Payload { msg: &plaintext, aad: &self.content_aad() };
        let cipher = XChaCha20Poly1305::new_from_slice(key).unwrap();
        let sealed = cipher.encrypt(&XNonce::from([0; 24]), payload).unwrap();
        [&[0; 24][..], &sealed].concat().into()
    }

    pub(crate) fn open_content(self, key: &[u8], sealed: &[u8]) -> Option<Content> {
        let nonce: [u8; 24] = sealed[..24].try_into().unwrap();
        let payload = Payload { msg: &sealed[24..], aad: &self.content_aad() };
        let opened = XChaCha20Poly1305::new_from_slice(key)
            .unwrap()
            .decrypt(&XNonce::from(nonce), payload)
            .ok()?;
        let (version, content): (u8, Content) = minicbor::decode(&opened).unwrap();
        assert_eq!(version, 1);
        Some(content)
    }
}

/// §3.1: the seed of an opener, from the export key or the phrase's 32 bytes.
pub(crate) fn seed((_, label): (u8, &[u8]), secret: &[u8]) -> [u8; 32] {
    let mut seed = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(label, &mut seed).unwrap();
    seed
}

/// The public half of an opener.
pub(crate) fn public(seed: &[u8; 32]) -> Vec<u8> {
    let private = <XWing as Kem>::PrivateKey::from_bytes(seed).unwrap();
    XWing::sk_to_pk(&private).to_bytes().to_vec()
}

pub(crate) fn parts(sealed: &[u8]) -> Sealed {
    minicbor::decode(sealed).unwrap()
}

pub(crate) fn lock_key(lock: &chat_crypto::keyring::KeyringLock) -> Vec<u8> {
    let (version, Lock { key }): (u8, Lock) = minicbor::decode(&lock.to_snapshot()).unwrap();
    assert_eq!(version, 1);
    key.to_vec()
}
