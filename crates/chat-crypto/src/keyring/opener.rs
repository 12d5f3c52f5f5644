//! What a person opens the keyring with: a key pair made from the password or from the phrase.
//!
//! ```text
//!  export key, 64 bytes ───HKDF (password)──▶ seed (32) ─▶ X-Wing key pair
//!  phrase, 32 bytes ───────HKDF (phrase)────▶ seed (32) ─▶ X-Wing key pair
//!                                                            ├ public half: devices keep it
//!                                                            └ private half: nobody does
//! ```
//!
//! Devices need the public halves only to put the keyring under a new lock. So a new lock asks
//! nobody to type anything, and whoever once held an old one cannot follow.
//! Normative: `docs/protocol/keyring.md` §3.1.

use chat_core::codec::Bytes;
use chat_core::id::AccountId;
use chat_core::key::XWingKey;
use chat_core::label::{self, Label};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::kdf;
use crate::recovery::RecoveryPhrase;
use crate::secret::SecretBytes;
use crate::wrap::hpke::{self as sealing, XWing};

/// `enc (1120) ‖ sealed key (32) ‖ tag (16)`.
pub(super) const SEALED_KEY_BYTES: usize = 1120 + 32 + 16;

/// Which of the two openers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The password, through OPAQUE's export key.
    Password = 1,
    /// The recovery phrase.
    Phrase = 2,
}

impl Kind {
    /// `label ‖ kind ‖ account`: what a sealed lock key is for.
    fn context(self, account: AccountId) -> Vec<u8> {
        [label::KEYRING_LOCK.as_bytes(), &[self as u8], account.as_bytes()].concat()
    }
}

/// The key pair of a password or phrase, while it is needed.
pub(super) struct Opener {
    pub(super) kind: Kind,
    private: <XWing as hpke::Kem>::PrivateKey,
}

impl Opener {
    pub(super) fn password(export_key: &[u8]) -> Self {
        Self::from_secret(Kind::Password, label::KEYRING_PASSWORD, export_key)
    }

    pub(super) fn phrase(phrase: &RecoveryPhrase) -> Self {
        Self::from_secret(Kind::Phrase, label::KEYRING_PHRASE, phrase.entropy())
    }

    #[expect(clippy::expect_used, reason = "the length is right")]
    fn from_secret(kind: Kind, label: Label, secret: &[u8]) -> Self {
        let seed: Zeroizing<[u8; 32]> = kdf::derive(secret, label, &[]);
        // INVARIANT: any 32 bytes are a seed of X-Wing.
        let private = <XWing as hpke::Kem>::PrivateKey::from_bytes(&*seed).expect("32 bytes");
        Self { kind, private }
    }

    pub(super) fn public(&self) -> XWingKey {
        XWingKey::from_bytes(XWing::sk_to_pk(&self.private).to_bytes().into())
    }

    /// Opens a lock's key that was sealed for this opener, account and number.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        account: AccountId,
        number: u64,
    ) -> Option<SecretBytes<32>> {
        let (info, aad) = (self.kind.context(account), number.to_be_bytes());
        let key = sealing::open::<XWing>(&self.private, &info, &aad, sealed)?;
        key.as_slice().try_into().ok().map(SecretBytes::new)
    }
}

/// Seals a lock's key for the holder of `public`.
#[expect(clippy::expect_used, reason = "only keys that were once made here arrive")]
pub(super) fn seal(
    kind: Kind,
    public: &XWingKey,
    key: &SecretBytes<32>,
    account: AccountId,
    number: u64,
    rng: &mut impl CryptoRng,
) -> Bytes<SEALED_KEY_BYTES> {
    let (info, aad) = (kind.context(account), number.to_be_bytes());
    let sealed = sealing::seal::<XWing>(public.as_bytes(), &info, &aad, key.as_bytes(), rng)
        .ok()
        .and_then(|sealed| Bytes::new(sealed).ok());
    // INVARIANT: a lock is made with openers that were computed here or that `is_key` approved, and
    // the limit is the very length of what is sealed.
    sealed.expect("an opener takes a lock's key")
}

/// Tells whether the bytes are a key that can be sealed for.
pub(super) fn is_key(public: &XWingKey) -> bool {
    <XWing as hpke::Kem>::PublicKey::from_bytes(public.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_has_1168_bytes() {
        assert_eq!(SEALED_KEY_BYTES, 1_168);
    }
}
