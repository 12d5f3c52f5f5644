//! HPKE wraps (RFC 9180, base mode): to an account's envelope key, by anybody.
//!
//! ```text
//!  wrap  =  enc ‖ AES-256-GCM(secret and list number)
//!           32     36 + 16          X25519:  DHKEM(X25519, HKDF-SHA256)     84 bytes
//!           1120   36 + 16          X-Wing:  MLKEM768-X25519              1 172 bytes
//! ```
//!
//! The KDF is HKDF-SHA256 for both. `info` is the wrap's context, `aad` the binding of the
//! envelope. Base mode shows nothing of the sender: that is the signature's task.
//! Normative: `docs/protocol/envelope.md` §6.2.

use hpke::aead::AesGcm256;
use hpke::hybrid_array::typenum::Unsigned as _;
use hpke::kdf::HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::WrapError;

/// DHKEM(X25519, HKDF-SHA256), KEM id 0x0020.
pub(crate) type X25519 = hpke::kem::X25519HkdfSha256;
/// MLKEM768-X25519, KEM id 0x647a.
pub(crate) type XWing = hpke::kem::XWing;

/// Seals `plaintext` to the holder of `public`.
pub(crate) fn seal<K: Kem>(
    public: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, WrapError> {
    let public = K::PublicKey::from_bytes(public).map_err(|_| WrapError::UnusableKey)?;
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        aad,
        rng,
    )
    .map_err(|_| WrapError::UnusableKey)?;
    Ok([enc.to_bytes().as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made; `None` for everything else.
pub(crate) fn open<K: Kem>(
    private: &K::PrivateKey,
    info: &[u8],
    aad: &[u8],
    wrap: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let enc_length = <K::EncappedKey as Serializable>::OutputSize::USIZE;
    let (enc, sealed) = wrap.split_at_checked(enc_length)?;
    let enc = K::EncappedKey::from_bytes(enc).ok()?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, K>(
        &OpModeR::Base,
        private,
        &enc,
        info,
        sealed,
        aad,
    )
    .ok()
    .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::official::{Tape, hex};

    /// RFC 9180, appendix A.1.1 in its inputs, with AES-256-GCM in place of AES-128-GCM: the KEM
    /// part, `enc`, is the appendix's own.
    #[test]
    fn the_encapsulated_key_is_that_of_the_rfc() {
        let ikm_e = hex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234");
        let recipient = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let mut rng = Tape::new(&ikm_e);

        let wrap = seal::<X25519>(&recipient, &info, b"aad", b"plaintext", &mut rng).unwrap();

        let enc = hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        assert_eq!(wrap[..32], enc);
    }

    #[test]
    fn the_recipient_of_the_rfc_opens_what_is_sealed_to_it() {
        let private = hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
        let recipient = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        let private = <X25519 as Kem>::PrivateKey::from_bytes(&private).unwrap();

        let wrap =
            seal::<X25519>(&recipient, b"info", b"aad", b"plaintext", &mut Tape::new(&[7; 32]))
                .unwrap();

        assert_eq!(*open::<X25519>(&private, b"info", b"aad", &wrap).unwrap(), b"plaintext");
        assert!(open::<X25519>(&private, b"info", b"other", &wrap).is_none());
        assert!(open::<X25519>(&private, b"other", b"aad", &wrap).is_none());
    }

    /// RFC 9180, appendix A.1.1 to the last byte, through the same crate: AES-128-GCM, because the
    /// RFC has no vector for X25519 with AES-256-GCM.
    #[test]
    fn the_whole_vector_of_the_rfc_holds() {
        let mut rng =
            Tape::new(&hex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"));
        let recipient = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        let recipient = <X25519 as Kem>::PublicKey::from_bytes(&recipient).unwrap();

        let (_, sealed) =
            hpke::single_shot_seal_with_rng::<hpke::aead::AesGcm128, HkdfSha256, X25519>(
                &OpModeS::Base,
                &recipient,
                &hex("4f6465206f6e2061204772656369616e2055726e"),
                &hex("4265617574792069732074727574682c20747275746820626561757479"),
                &hex("436f756e742d30"),
                &mut rng,
            )
            .unwrap();

        let expected = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9\
                        6d8770ac83d07bea87e13c512a";
        assert_eq!(sealed, hex(expected));
    }

    #[test]
    fn a_point_of_small_order_is_no_key() {
        let refused =
            seal::<X25519>(&[0; 32], b"info", b"aad", b"plaintext", &mut Tape::new(&[7; 32]));

        assert_eq!(refused.unwrap_err(), WrapError::UnusableKey);
    }

    #[test]
    fn a_public_key_outside_the_field_is_no_key() {
        let refused = seal::<XWing>(&[0xff; 1216], b"info", b"aad", b"p", &mut Tape::new(&[7; 64]));

        assert_eq!(refused.unwrap_err(), WrapError::UnusableKey);
    }
}
