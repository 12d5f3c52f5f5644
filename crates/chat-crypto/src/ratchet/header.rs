//! Message headers, which nobody but the other side can read.
//!
//! ```text
//!  header    ratchet key 32 ‖ previous chain length u32 ‖ number u32 ‖ flags u8      41 bytes
//!  sealed    AES-256-GCM-SIV(header key of the chain, nonce 0, header)               57 bytes
//! ```
//!
//! No two headers of a chain are the same, because their numbers differ. AES-GCM-SIV (RFC 8452)
//! needs no more than that: with a constant nonce it is a deterministic cipher, which would show
//! equal headers and nothing else. So no nonce is sent, no counter shows and no randomness is
//! drawn. All flags are zero; the first ones are kept for a post-quantum ratchet, whose keys will
//! follow the header.
//! Normative: `docs/protocol/ratchet.md` §4.

use std::fmt;

use aes_gcm_siv::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use chat_core::key::AgreementKey;
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq as _;

use crate::secret::SecretBytes;

const HEADER_BYTES: usize = 32 + 4 + 4 + 1;
/// How long a sealed header is.
pub(crate) const SEALED_HEADER_BYTES: usize = HEADER_BYTES + 16;
const NONCE: [u8; 12] = [0; 12];
const NO_FLAGS: u8 = 0;

/// What a message says to the ratchet of the other side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// The sender's ratchet key, the same for all messages of a chain.
    pub(super) ratchet_key: AgreementKey,
    /// How many messages the sender's chain before had.
    pub(super) previous_length: u32,
    /// Which message of its chain this is, from 0.
    pub(super) number: u32,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [NO_FLAGS; HEADER_BYTES];
        let fields = self.ratchet_key.as_bytes().iter().copied();
        let fields = fields.chain(self.previous_length.to_be_bytes());
        let fields = fields.chain(self.number.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` for flags that this version does not know.
    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (ratchet_key, bytes) = bytes.split_first_chunk::<32>()?;
        let (previous_length, bytes) = bytes.split_first_chunk::<4>()?;
        let (number, flags) = bytes.split_first_chunk::<4>()?;
        (flags == [NO_FLAGS]).then_some(Self {
            ratchet_key: AgreementKey::from_bytes(*ratchet_key),
            previous_length: u32::from_be_bytes(*previous_length),
            number: u32::from_be_bytes(*number),
        })
    }
}

/// The key of one chain's headers.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct HeaderKey(#[n(0)] SecretBytes<32>);

impl HeaderKey {
    pub(super) const fn new(key: SecretBytes<32>) -> Self {
        Self(key)
    }

    #[expect(clippy::expect_used, reason = "a header is short")]
    pub(super) fn seal(&self, header: Header) -> [u8; SEALED_HEADER_BYTES] {
        let mut bytes = header.to_bytes();
        let tag = Aes256GcmSiv::new(self.0.as_bytes().into())
            .encrypt_inout_detached(&Nonce::from(NONCE), &[], bytes.as_mut_slice().into())
            // INVARIANT: only plaintexts of 64 GiB and more are refused.
            .expect("a header is short");
        let mut sealed = [0; SEALED_HEADER_BYTES];
        sealed.iter_mut().zip(bytes.into_iter().chain(tag)).for_each(|(to, from)| *to = from);
        sealed
    }

    /// Opens a header; `None` if it is not of this key's chain.
    pub(super) fn open(&self, sealed: &[u8; SEALED_HEADER_BYTES]) -> Option<Header> {
        let (ciphertext, tag) = sealed.split_first_chunk::<HEADER_BYTES>()?;
        let tag = Tag::try_from(tag).ok()?;
        let mut bytes = *ciphertext;
        Aes256GcmSiv::new(self.0.as_bytes().into())
            .decrypt_inout_detached(&Nonce::from(NONCE), &[], bytes.as_mut_slice().into(), &tag)
            .ok()?;
        Header::from_bytes(&bytes)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        ratchet_key: AgreementKey::from_bytes([7; 32]),
        previous_length: 0x0102_0304,
        number: 0x0506_0708,
    };

    #[test]
    fn a_header_opens_with_its_own_key_only() {
        let (key, other) = (key(1), key(2));

        let sealed = key.seal(HEADER);

        assert_eq!(key.open(&sealed), Some(HEADER));
        assert_eq!(other.open(&sealed), None);
    }

    #[test]
    fn any_changed_bit_shuts_a_header() {
        let key = key(1);
        let sealed = key.seal(HEADER);

        for bit in 0..SEALED_HEADER_BYTES * 8 {
            let mut changed = sealed;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(&changed), None);
        }
    }

    #[test]
    fn the_fields_stand_where_the_specification_has_them() {
        let bytes = HEADER.to_bytes();

        assert_eq!(bytes[..32], [7; 32]);
        assert_eq!(bytes[32..], [1, 2, 3, 4, 5, 6, 7, 8, 0]);
        let mut flagged = bytes;
        flagged[40] = 1;
        assert_eq!(Header::from_bytes(&bytes), Some(HEADER));
        assert_eq!(Header::from_bytes(&flagged), None);
    }

    fn key(byte: u8) -> HeaderKey {
        HeaderKey(SecretBytes::new([byte; 32]))
    }
}
