//! ML-KEM-768 (FIPS 203) for the post-quantum part of the ratchet.
//!
//! A level below the handshake's ML-KEM-1024, since its keys travel again and again: 1184 bytes
//! one way, 1088 back. A secret is kept as its seed of 64 bytes and expanded when it is needed.
//! Normative: `docs/protocol/ratchet.md` §5.

use minicbor::{Decode, Encode};
use ml_kem::kem::{Decapsulate as _, Encapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::erasure::{erased, erases};
use crate::secret::{MalformedKemKey, SecretBytes, SharedSecret};

/// How long an encapsulation key is.
pub(super) const KEM_KEY_BYTES: usize = 1184;
/// How long a ciphertext is.
pub(super) const KEM_CIPHERTEXT_BYTES: usize = 1088;

/// The bytes of an encapsulation key.
pub(super) type KemKeyBytes = [u8; KEM_KEY_BYTES];
/// The bytes of a ciphertext.
pub(super) type KemCiphertext = [u8; KEM_CIPHERTEXT_BYTES];

/// The seed `d ‖ z` of a decapsulation key (FIPS 203 §7.1).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct KemSeed(#[n(0)] SecretBytes<64>);

erases!(KemSeed, KemSeed(seed) => { erased(seed) });

impl KemSeed {
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBytes::random(rng))
    }

    fn expand(&self) -> DecapsulationKey<MlKem768> {
        DecapsulationKey::from_seed((*self.0.as_bytes()).into())
    }

    pub(super) fn public(&self) -> KemKeyBytes {
        self.expand().encapsulation_key().to_bytes().into()
    }

    /// Decapsulates, and names the public key that this was done for.
    ///
    /// A ciphertext made for another key gives a secret nobody else has.
    pub(super) fn decapsulate(&self, ciphertext: &KemCiphertext) -> (KemKeyBytes, SharedSecret) {
        let key = self.expand();
        let mut shared = key.decapsulate(&(*ciphertext).into());
        let copy = Zeroizing::new(shared.into());
        shared.zeroize();
        (key.encapsulation_key().to_bytes().into(), copy)
    }
}

/// Checks that `key` is an encapsulation key (FIPS 203 §7.2).
pub(super) fn check(key: &KemKeyBytes) -> Result<(), MalformedKemKey> {
    parse(key).map(drop)
}

/// Draws a secret for the holder of `key`, and the ciphertext that carries it there.
pub(super) fn encapsulate(
    key: &KemKeyBytes,
    rng: &mut impl CryptoRng,
) -> Result<(KemCiphertext, SharedSecret), MalformedKemKey> {
    let (ciphertext, mut shared) = parse(key)?.encapsulate_with_rng(rng);
    let copy = Zeroizing::new(shared.into());
    shared.zeroize();
    Ok((ciphertext.into(), copy))
}

fn parse(key: &KemKeyBytes) -> Result<EncapsulationKey<MlKem768>, MalformedKemKey> {
    EncapsulationKey::new(&(*key).into()).map_err(|_| MalformedKemKey)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_secret_goes_to_the_holder_of_the_key_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (ours, other) = (KemSeed::generate(&mut rng), KemSeed::generate(&mut rng));

        let (ciphertext, shared) = encapsulate(&ours.public(), &mut rng).unwrap();

        assert_eq!(ours.decapsulate(&ciphertext), (ours.public(), shared.clone()));
        assert_ne!(other.decapsulate(&ciphertext).1, shared);
    }

    #[test]
    fn a_key_with_a_coefficient_out_of_range_is_none() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = [0xff; KEM_KEY_BYTES];

        assert_eq!(check(&key), Err(MalformedKemKey));
        assert_eq!(encapsulate(&key, &mut rng).err(), Some(MalformedKemKey));
        assert_eq!(check(&KemSeed::generate(&mut rng).public()), Ok(()));
    }
}
