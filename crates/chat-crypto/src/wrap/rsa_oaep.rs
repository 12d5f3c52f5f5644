//! RSA-OAEP wraps (RFC 8017 §7.1): for recipients that only have Web Crypto.
//!
//! ```text
//!  wrap  =  RSAES-OAEP-ENCRYPT(n of 4096 bits, e = 65537; SHA-256, MGF1 with SHA-256)     512 bytes
//!           message: secret and list numbers · label: context ‖ binding
//! ```
//!
//! Nothing but 4096 bits and 65537 is accepted: a smaller key is weak, a larger one is a way to
//! keep senders busy. Decryption is blinded, and all its failures are one.
//! Normative: `docs/protocol/envelope.md` §6.3.

use rand_core::CryptoRng;
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _};
use rsa::pkcs8::{EncodePublicKey as _, SecretDocument};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Oaep, RsaPrivateKey, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::WrapError;

const MODULUS_BITS: usize = 4096;
const PUBLIC_EXPONENT: u64 = 65_537;

/// Draws a new private key. Searching the primes takes seconds.
pub(super) fn generate(rng: &mut impl CryptoRng) -> Result<RsaPrivateKey, WrapError> {
    RsaPrivateKey::new(rng, MODULUS_BITS).map_err(|_| WrapError::UnusableKey)
}

/// The public key as DER `SubjectPublicKeyInfo`: 550 bytes.
#[expect(clippy::expect_used, reason = "the key is a key")]
pub(super) fn public_der(private: &RsaPrivateKey) -> Vec<u8> {
    // INVARIANT: only numbers of 256 MiB and more have no DER.
    private.to_public_key().to_public_key_der().expect("4096 bits have DER").into_vec()
}

/// The private key as DER `PrivateKeyInfo` (PKCS #8).
#[expect(clippy::expect_used, reason = "the key is a key")]
pub(super) fn private_der(private: &RsaPrivateKey) -> SecretDocument {
    // INVARIANT: generated and read keys have two primes and their coefficient.
    private.to_pkcs8_der().expect("a key of two primes has DER")
}

/// Reads a private key that [`private_der`] wrote.
pub(super) fn read_private(der: &[u8]) -> Option<RsaPrivateKey> {
    RsaPrivateKey::from_pkcs8_der(der).ok().filter(|key| is_acceptable(key.as_public_key()))
}

/// Seals `plaintext` to the holder of the public key in `public_der`.
pub(super) fn seal(
    public_der: &[u8],
    label: Vec<u8>,
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, WrapError> {
    let public =
        RsaPublicKey::from_public_key_der(public_der).map_err(|_| WrapError::UnusableKey)?;
    if !is_acceptable(&public) {
        return Err(WrapError::UnusableKey);
    }
    let padding = Oaep::<Sha256>::new_with_label(label);
    public.encrypt(rng, padding, plaintext).map_err(|_| WrapError::UnusableKey)
}

/// Opens what [`seal`] made; `None` for everything else.
pub(super) fn open(
    private: &RsaPrivateKey,
    label: Vec<u8>,
    wrap: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Zeroizing<Vec<u8>>> {
    let padding = Oaep::<Sha256>::new_with_label(label);
    private.decrypt_blinded(rng, padding, wrap).ok().map(Zeroizing::new)
}

fn is_acceptable(key: &RsaPublicKey) -> bool {
    key.n().bits_vartime() as usize == MODULUS_BITS && *key.e() == BoxedUint::from(PUBLIC_EXPONENT)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_key_of_another_size_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let short = RsaPrivateKey::new(&mut rng, 2048).unwrap();

        let refused = seal(&public_der(&short), vec![], b"secret", &mut rng);

        assert_eq!(refused.unwrap_err(), WrapError::UnusableKey);
        assert!(read_private(private_der(&short).as_bytes()).is_none());
    }

    #[test]
    fn a_key_with_another_exponent_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let modulus = generate(&mut rng).unwrap().n().as_ref().clone();
        let public = |exponent: u64| {
            let key = RsaPublicKey::new(modulus.clone(), BoxedUint::from(exponent)).unwrap();
            key.to_public_key_der().unwrap().into_vec()
        };

        assert!(seal(&public(65_537), vec![], b"secret", &mut rng).is_ok());
        let refused = seal(&public(3), vec![], b"secret", &mut rng);
        assert_eq!(refused.unwrap_err(), WrapError::UnusableKey);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);

        let refused = seal(&[0x30, 0x82, 0xff, 0xff], vec![], b"secret", &mut rng);

        assert_eq!(refused.unwrap_err(), WrapError::UnusableKey);
        assert!(read_private(b"nonsense").is_none());
    }
}
