//! Message headers, which nobody but the other side can read.
//!
//! ```text
//!  header     ratchet key 32 ‖ previous u32 ‖ number u32 ‖ flags u8                  41 bytes
//!  sealed     AES-256-GCM-SIV(header key of the chain, nonce 0, header)              57 bytes
//!
//!  flags  0   nothing follows the header
//!         1   an extension does: ML-KEM-768 key                                1184 + 16 bytes
//!         2   an extension does: ML-KEM-768 ciphertext                         1088 + 16 bytes
//!  extension  AES-256-GCM-SIV(the same key, nonce 1 ‖ 0 × 7 ‖ number u32, aad sealed header)
//! ```
//!
//! No two headers of a chain are the same, because their numbers differ. AES-GCM-SIV (RFC 8452)
//! needs no more than that: with a constant nonce it is a deterministic cipher, which would show
//! equal headers and nothing else. So no nonce is sent, no counter shows and no randomness is
//! drawn. Extensions of a chain all say the same, so their nonce has the number of the message, which
//! whoever has opened the header knows.
//! Normative: `docs/protocol/ratchet.md` §4.

use std::fmt;

use aes_gcm_siv::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use chat_core::key::AgreementKey;
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq as _;

use super::pq::Carries;
use crate::erasure::{erased, erases};
use crate::secret::SecretBytes;

const HEADER_BYTES: usize = 32 + 4 + 4 + 1;
/// How long a sealed header is.
pub(crate) const SEALED_HEADER_BYTES: usize = HEADER_BYTES + 16;
const NONCE: [u8; 12] = [0; 12];
const EXTENSION_NONCE: u8 = 1;
/// How much longer an extension is when it is sealed.
const EXTENSION_TAG_BYTES: usize = 16;

/// How long the sealed extension behind a header is.
pub(super) const fn extension_bytes(carries: Carries) -> usize {
    match carries {
        Carries::Nothing => 0,
        Carries::Key | Carries::Ciphertext => carries.length() + EXTENSION_TAG_BYTES,
    }
}

/// What a message says to the ratchet of the other side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    /// The sender's ratchet key, the same for all messages of a chain.
    pub(super) ratchet_key: AgreementKey,
    /// How many messages the sender's chain before had; in the first chain of a session, which
    /// follows none, the number of the session.
    pub(super) previous: u32,
    /// Which message of its chain this is, from 0.
    pub(super) number: u32,
    /// What follows the header; the same for all messages of a chain.
    pub(super) carries: Carries,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let flags = match self.carries {
            Carries::Nothing => 0,
            Carries::Key => 1,
            Carries::Ciphertext => 2,
        };
        let mut bytes = [flags; HEADER_BYTES];
        let fields = self.ratchet_key.as_bytes().iter().copied();
        let fields = fields.chain(self.previous.to_be_bytes());
        let fields = fields.chain(self.number.to_be_bytes());
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` for flags that this version does not know.
    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (ratchet_key, bytes) = bytes.split_first_chunk::<32>()?;
        let (previous, bytes) = bytes.split_first_chunk::<4>()?;
        let (number, flags) = bytes.split_first_chunk::<4>()?;
        let carries = match flags {
            [0] => Carries::Nothing,
            [1] => Carries::Key,
            [2] => Carries::Ciphertext,
            _ => return None,
        };
        Some(Self {
            ratchet_key: AgreementKey::from_bytes(*ratchet_key),
            previous: u32::from_be_bytes(*previous),
            number: u32::from_be_bytes(*number),
            carries,
        })
    }
}

/// The key of one chain's headers.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct HeaderKey(#[n(0)] SecretBytes<32>);

erases!(HeaderKey, HeaderKey(key) => { erased(key) });

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

    /// Seals what follows the sealed header of message `number` and appends it to `output`.
    #[expect(clippy::expect_used, reason = "an extension is short")]
    pub(super) fn seal_extension(
        &self,
        output: &mut Vec<u8>,
        extension: &[u8],
        header: &[u8; SEALED_HEADER_BYTES],
        number: u32,
    ) {
        let start = output.len();
        output.extend_from_slice(extension);
        let (_, buffer) = output.split_at_mut(start);
        let tag = Aes256GcmSiv::new(self.0.as_bytes().into())
            .encrypt_inout_detached(&extension_nonce(number), header, buffer.into())
            // INVARIANT: only plaintexts of 64 GiB and more are refused.
            .expect("an extension is short");
        output.extend_from_slice(&tag);
    }

    /// Opens what follows the sealed header of message `number`.
    pub(super) fn open_extension(
        &self,
        sealed: &[u8],
        header: &[u8; SEALED_HEADER_BYTES],
        number: u32,
    ) -> Option<Vec<u8>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<EXTENSION_TAG_BYTES>()?;
        let mut extension = ciphertext.to_vec();
        let buffer = extension.as_mut_slice();
        Aes256GcmSiv::new(self.0.as_bytes().into())
            .decrypt_inout_detached(
                &extension_nonce(number),
                header,
                buffer.into(),
                &Tag::from(*tag),
            )
            .ok()?;
        Some(extension)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// Differs from the header's own in its first byte.
fn extension_nonce(number: u32) -> Nonce {
    let [a, b, c, d] = number.to_be_bytes();
    Nonce::from([EXTENSION_NONCE, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
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
        previous: 0x0102_0304,
        number: 0x0506_0708,
        carries: Carries::Nothing,
    };

    #[test]
    fn a_header_opens_with_its_own_key_only() {
        let (key, other) = (key(1), key(2));

        let sealed = key.seal(HEADER);

        assert_eq!(key.open(&sealed), Some(HEADER));
        assert_eq!(other.open(&sealed), None);
        assert_eq!(format!("{key:?}"), "HeaderKey(..)");
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
    }

    #[test]
    fn headers_and_extensions_have_their_lengths() {
        assert_eq!((HEADER_BYTES, SEALED_HEADER_BYTES), (41, 57));
        assert_eq!(extension_bytes(Carries::Nothing), 0);
        assert_eq!(extension_bytes(Carries::Key), 1_184 + 16);
        assert_eq!(extension_bytes(Carries::Ciphertext), 1_088 + 16);
    }

    #[test]
    fn flags_say_what_follows_and_unknown_ones_shut_the_header() {
        for flags in 0..=u8::MAX {
            let mut bytes = HEADER.to_bytes();
            bytes[40] = flags;

            let read = Header::from_bytes(&bytes);

            let carries = match flags {
                0 => Some(Carries::Nothing),
                1 => Some(Carries::Key),
                2 => Some(Carries::Ciphertext),
                _ => None,
            };
            assert_eq!(read.map(|header| header.carries), carries);
            assert!(read.is_none_or(|header| header.to_bytes() == bytes));
        }
    }

    #[test]
    fn an_extension_opens_behind_its_own_header_only() {
        let (key, other) = (key(1), key(2));
        let header = key.seal(HEADER);
        let mut sealed = Vec::new();

        key.seal_extension(&mut sealed, &[5; 1184], &header, 7);

        assert_eq!(sealed.len(), extension_bytes(Carries::Key));
        assert_eq!(key.open_extension(&sealed, &header, 7), Some(vec![5; 1184]));
        assert_eq!(key.open_extension(&sealed, &header, 8), None);
        assert_eq!(other.open_extension(&sealed, &header, 7), None);
        assert_eq!(key.open_extension(&sealed, &other.seal(HEADER), 7), None);
        assert_eq!(key.open_extension(&sealed[1..], &header, 7), None);
        assert_eq!(key.open_extension(&[], &header, 7), None);
    }

    #[test]
    fn equal_extensions_of_a_chain_look_different() {
        let key = key(1);
        let sealed = |number| {
            let mut sealed = Vec::new();
            let header = key.seal(Header { number, ..HEADER });
            key.seal_extension(&mut sealed, &[5; 1184], &header, number);
            sealed
        };

        let (first, second) = (sealed(0), sealed(1));

        let alike = first.iter().zip(&second).filter(|(a, b)| a == b).count();
        assert!(alike < 30, "{alike} bytes in common");
    }

    fn key(byte: u8) -> HeaderKey {
        HeaderKey(SecretBytes::new([byte; 32]))
    }
}
