//! Secrets that erase themselves: byte strings, X25519 and ML-KEM-1024 private keys.
//!
//! Every type here is erased when dropped, prints as `Name(..)`, and draws its bytes from the
//! generator it is given. The public half of an X25519 key is kept beside the secret: computing it
//! again costs a third of a Diffie-Hellman.
//! Normative: `docs/protocol/identity.md` §2, `docs/protocol/handshake.md` §1.

use std::fmt;

use chat_core::key::{AgreementKey, KemKey};
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use ml_kem::kem::{Decapsulate as _, Encapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem1024};
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use crate::erasure::{erased, erases};

/// How long a ciphertext of ML-KEM-1024 is.
pub(crate) const KEM_CIPHERTEXT_BYTES: usize = 1568;

/// A secret byte string of fixed length.
#[derive(Clone, ZeroizeOnDrop)]
pub(crate) struct SecretBytes<const N: usize>([u8; N]);

impl<const N: usize> SecretBytes<N> {
    pub(crate) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Has the bytes written where they stay, so that there is no copy to erase.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self([0; N]);
        fill(&mut secret.0);
        secret
    }

    pub(crate) fn random(rng: &mut impl CryptoRng) -> Self {
        Self::filled(|bytes| rng.fill_bytes(bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> From<Zeroizing<[u8; N]>> for SecretBytes<N> {
    fn from(bytes: Zeroizing<[u8; N]>) -> Self {
        Self(*bytes)
    }
}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

impl<C, const N: usize> Encode<C> for SecretBytes<N> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C, const N: usize> Decode<'b, C> for SecretBytes<N> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self).map_err(|_| minicbor::decode::Error::message("wrong length of a secret"))
    }
}

/// A Diffie-Hellman result that says nothing about our secret: the other key is of small order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the other side's key is of small order")]
pub(crate) struct NotContributory;

/// What two X25519 keys agree on.
pub(crate) type SharedSecret = Zeroizing<[u8; 32]>;

/// The secret half of an X25519 key, with the public half beside it.
#[derive(Clone)]
pub(crate) struct AgreementSecret {
    secret: StaticSecret,
    public: AgreementKey,
}

erases!(AgreementSecret, AgreementSecret { secret, public: _ } => { erased(secret) });

impl AgreementSecret {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        let secret = StaticSecret::random_from_rng(rng);
        let public = AgreementKey::from_bytes(PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    pub(crate) const fn public(&self) -> AgreementKey {
        self.public
    }

    /// X25519 (RFC 7748), refusing the all-zero result that keys of small order give.
    pub(crate) fn agree(&self, theirs: &AgreementKey) -> Result<SharedSecret, NotContributory> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(*theirs.as_bytes()));
        if shared.was_contributory() {
            Ok(Zeroizing::new(shared.to_bytes()))
        } else {
            Err(NotContributory)
        }
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgreementSecret(..)")
    }
}

/// In a snapshot: secret (32) ‖ public (32).
impl<C> Encode<C> for AgreementSecret {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let mut both = Zeroizing::new([0; 64]);
        let (secret, public) = both.split_at_mut(32);
        secret.copy_from_slice(self.secret.as_bytes());
        public.copy_from_slice(self.public.as_bytes());
        e.bytes(&*both)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AgreementSecret {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("wrong length of an agreement secret");
        let (secret, public) = d.bytes()?.split_first_chunk::<32>().ok_or_else(wrong)?;
        Ok(Self {
            secret: StaticSecret::from(*secret),
            public: AgreementKey::from_bytes(public.try_into().map_err(|_| wrong())?),
        })
    }
}

/// Bytes that are no encapsulation key of ML-KEM-1024.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the KEM key is malformed")]
pub(crate) struct MalformedKemKey;

/// The secret half of an ML-KEM-1024 key: its 64-byte seed `d ‖ z` (FIPS 203 §7.1).
///
/// A seed is always a valid key and a fiftieth of the expanded form, which is computed when it is
/// needed: once, since each of these keys opens few handshakes.
#[derive(Debug, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct KemSecret(#[n(0)] SecretBytes<64>);

erases!(KemSecret, KemSecret(seed) => { erased(seed) });

impl KemSecret {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBytes::random(rng))
    }

    fn expand(&self) -> DecapsulationKey<MlKem1024> {
        DecapsulationKey::from_seed((*self.0.as_bytes()).into())
    }

    pub(crate) fn public(&self) -> KemKey {
        KemKey::from_bytes(self.expand().encapsulation_key().to_bytes().into())
    }

    /// Decapsulates, and names the public key that this was done for.
    ///
    /// A ciphertext made for another key gives a secret nobody else has.
    pub(crate) fn decapsulate(
        &self,
        ciphertext: &[u8; KEM_CIPHERTEXT_BYTES],
    ) -> (KemKey, SharedSecret) {
        let key = self.expand();
        let mut shared = key.decapsulate(&(*ciphertext).into());
        let copy = Zeroizing::new(shared.into());
        shared.zeroize();
        (KemKey::from_bytes(key.encapsulation_key().to_bytes().into()), copy)
    }
}

/// Draws a secret for the holder of `key`, and the ciphertext that carries it there.
pub(crate) fn encapsulate(
    key: &KemKey,
    rng: &mut impl CryptoRng,
) -> Result<([u8; KEM_CIPHERTEXT_BYTES], SharedSecret), MalformedKemKey> {
    let key = EncapsulationKey::<MlKem1024>::new(&(*key.as_bytes()).into())
        .map_err(|_| MalformedKemKey)?;
    let (ciphertext, mut shared) = key.encapsulate_with_rng(rng);
    let copy = Zeroizing::new(shared.into());
    shared.zeroize();
    Ok((ciphertext.into(), copy))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    /// The canonical encodings of the points of order 1, 2, 4 and 8 on Curve25519 and its twist.
    const SMALL_ORDER: [[u8; 32]; 5] = [
        [0; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ],
        {
            let mut minus_one = [0xff; 32];
            minus_one[0] = 0xec;
            minus_one[31] = 0x7f;
            minus_one
        },
    ];

    #[test]
    fn keys_of_small_order_are_refused() {
        let ours = AgreementSecret::generate(&mut ChaCha20Rng::seed_from_u64(1));

        for key in SMALL_ORDER {
            let agreed = ours.agree(&AgreementKey::from_bytes(key));
            assert_eq!(agreed.err(), Some(NotContributory), "{key:02x?}");
        }
    }

    #[test]
    fn both_sides_agree() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (a, b) = (AgreementSecret::generate(&mut rng), AgreementSecret::generate(&mut rng));

        assert_eq!(a.agree(&b.public()), b.agree(&a.public()));
    }

    #[test]
    fn a_kem_secret_opens_what_was_made_for_its_key_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (ours, other) = (KemSecret::generate(&mut rng), KemSecret::generate(&mut rng));

        let (ciphertext, shared) = encapsulate(&ours.public(), &mut rng).unwrap();

        assert_eq!(ours.decapsulate(&ciphertext), (ours.public(), shared.clone()));
        assert_ne!(other.decapsulate(&ciphertext).1, shared);
    }

    #[test]
    fn a_kem_key_with_a_coefficient_out_of_range_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let key = KemKey::from_bytes([0xff; KemKey::BYTES]);

        assert_eq!(encapsulate(&key, &mut rng).err(), Some(MalformedKemKey));
    }

    #[test]
    fn secrets_do_not_print() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let agreement = AgreementSecret::generate(&mut rng);

        assert_eq!(format!("{agreement:?}"), "AgreementSecret(..)");
        assert_eq!(format!("{:?}", KemSecret::generate(&mut rng)), "KemSecret(SecretBytes(..))");
    }
}
