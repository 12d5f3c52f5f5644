//! The hand-out of a chain: all that a recipient needs of it, from one message on.
//!
//! It is the body of content of the kind [`HAND_OUT`](super::HAND_OUT) and secret to the members:
//! it travels on ratchet sessions only, under the suite `HandOut`.
//! Normative: `docs/protocol/sender-chains.md` §4.

use chat_core::key::SenderKey;
use chat_core::time::Timestamp;
use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Encode};

use super::{Audience, HandOutError};
use crate::secret::SecretBytes;

const VERSION: u8 = 1;

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct HandOut {
    #[n(0)]
    version: u8,
    #[n(1)]
    pub(super) epoch: u32,
    /// The number of the first message that it opens.
    #[n(2)]
    pub(super) index: u32,
    /// The link at `index`.
    #[n(3)]
    pub(super) link: SecretBytes<32>,
    #[n(4)]
    pub(super) header_key: SecretBytes<32>,
    #[n(5)]
    pub(super) key: SenderKey,
    /// How many messages the chain of the epoch before had.
    #[n(6)]
    pub(super) previous_length: u32,
    #[n(7)]
    pub(super) audience: Audience,
    #[n(8)]
    pub(super) started_at: Timestamp,
}

impl HandOut {
    #[expect(clippy::too_many_arguments, reason = "these are its fields")]
    pub(super) fn new(
        epoch: u32,
        index: u32,
        link: SecretBytes<32>,
        header_key: SecretBytes<32>,
        key: SenderKey,
        previous_length: u32,
        audience: Audience,
        started_at: Timestamp,
    ) -> Self {
        let version = VERSION;
        Self { version, epoch, index, link, header_key, key, previous_length, audience, started_at }
    }

    /// Reads the body of a hand-out and refuses a key that cannot tell forgeries.
    pub(super) fn read(body: &[u8]) -> Result<Self, HandOutError> {
        let malformed = |_| HandOutError::Malformed;
        let hand_out: Self = chat_core::codec::from_bytes(body).map_err(malformed)?;
        if hand_out.version != VERSION || hand_out.epoch == 0 {
            return Err(HandOutError::Malformed);
        }
        if !is_usable(&hand_out.key) {
            return Err(HandOutError::UnusableKey);
        }
        Ok(hand_out)
    }
}

/// Tells whether a key is the one encoding of a point that is not of small order.
fn is_usable(key: &SenderKey) -> bool {
    VerifyingKey::from_bytes(key.as_bytes()).is_ok_and(|point| {
        !point.is_weak() && point.to_edwards().compress().as_bytes() == key.as_bytes()
    })
}
