//! One session: a ratchet, and what distinguishes it from the others with the same device.

use chat_core::codec::Digest;
use chat_core::key::{AgreementKey, IdentityKey};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::ratchet::{Message, Ratchet};
use crate::snapshot::Shared;

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct Session {
    /// The digest of the handshake header that began it.
    #[n(0)]
    pub(super) handshake: Digest,
    /// The ephemeral key of that handshake.
    #[n(1)]
    pub(super) ephemeral: AgreementKey,
    /// Whose device the other one is.
    #[n(2)]
    pub(super) identity: IdentityKey,
    /// Sent with every message until the first answer; only on the side that started.
    #[n(3)]
    pub(super) unanswered: Option<Shared<Opening>>,
    #[n(4)]
    pub(super) started_at: Timestamp,
    /// When it last opened a message, or was started.
    #[n(5)]
    pub(super) opened_at: Timestamp,
    #[n(6)]
    pub(super) ratchet: Ratchet,
}

/// An encoded handshake header.
#[derive(Debug, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Opening(#[cbor(n(0), with = "minicbor::bytes")] pub(super) Vec<u8>);

impl Session {
    /// What decides between two sessions that were started at once: the lower one wins.
    pub(super) fn rank(&self) -> Digest {
        Digest::of(self.ephemeral.as_bytes())
    }

    /// The plaintext of a message, and the session after it.
    pub(super) fn open(
        &self,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Option<(Zeroizing<Vec<u8>>, Self)> {
        let (plaintext, ratchet) = self.ratchet.open(message, associated, now).ok()?;
        Some((plaintext, Self { ratchet, unanswered: None, opened_at: now, ..self.clone() }))
    }
}
