//! Logging in with the recovery phrase: a key pair that follows from the words.
//!
//! ```text
//!  phrase (32) ─HKDF─▶ seed (32) ─▶ Ed25519 ┬ public half: the relay keeps it
//!                                           └ private half: answers a challenge, once
//! ```
//!
//! The words that open the keyring also have to fetch it. Whoever has the public half can neither
//! guess the words nor learn anything of the key that opens.
//! Normative: `docs/protocol/keyring.md` §7.

use std::fmt;

use chat_core::key::{RecoveryKey, Signature, signature_input};
use chat_core::label;
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::RecoveryPhrase;
use crate::erasure::{erased, erases};
use crate::kdf;

/// What answers the relay's challenge in place of a password.
pub struct RecoveryLogin(SigningKey);

erases!(RecoveryLogin, RecoveryLogin(signing) => { erased(signing) });

impl RecoveryPhrase {
    /// The key pair of these words.
    #[must_use]
    pub fn login(&self) -> RecoveryLogin {
        let seed: Zeroizing<[u8; 32]> = kdf::derive(self.entropy(), label::RECOVERY_KEY, &[]);
        RecoveryLogin(SigningKey::from_bytes(&seed))
    }
}

impl RecoveryLogin {
    /// The public half, for the relay to keep.
    #[must_use]
    pub fn key(&self) -> RecoveryKey {
        RecoveryKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Answers a challenge: signs what [`chat_core::api::recovery::recovery_login_input`] makes.
    #[must_use]
    pub fn answer(&self, input: &[u8]) -> Signature {
        let signed = self.0.sign(&signature_input(label::RECOVERY_LOGIN, input));
        Signature::from_bytes(signed.to_bytes())
    }
}

impl fmt::Debug for RecoveryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryLogin(..)")
    }
}

#[cfg(test)]
mod tests {
    use chat_core::key::Verifier as _;
    use hkdf::Hkdf;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;
    use sha2::Sha256;

    use super::*;

    #[test]
    fn the_words_answer_for_themselves_and_for_no_others() {
        let [ours, theirs] = [1, 2]
            .map(|seed| RecoveryPhrase::generate(&mut ChaCha20Rng::seed_from_u64(seed)).login());

        let answer = ours.answer(b"challenge");

        let verifies = |login: &RecoveryLogin, input: &[u8]| {
            login.key().verifies(label::RECOVERY_LOGIN, input, &answer)
        };
        assert!(verifies(&ours, b"challenge"));
        assert!(!verifies(&theirs, b"challenge"));
        assert!(!verifies(&ours, b"another"));
        assert!(!ours.key().verifies(label::DEVICE_LOGIN, b"challenge", &answer));
    }

    #[test]
    fn the_key_is_the_one_of_the_page() {
        let phrase = RecoveryPhrase::generate(&mut ChaCha20Rng::seed_from_u64(7));

        let mut seed = [0; 32];
        let hkdf = Hkdf::<Sha256>::new(None, phrase.entropy());
        hkdf.expand(b"sealwire/1/kdf/recovery-key", &mut seed).unwrap();
        let public = SigningKey::from_bytes(&seed).verifying_key();

        assert_eq!(phrase.login().key().as_bytes(), public.as_bytes());
    }
}
