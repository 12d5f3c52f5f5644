//! One session: a ratchet, and what distinguishes it from the others with the same device.

use std::cmp::Ordering;

use chat_core::codec::Digest;
use chat_core::key::{AgreementKey, IdentityKey};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::SILENT_AFTER;
use crate::erasure::{erased, erases};
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
    /// What the side that started it made of its clock and of the sessions that it knew.
    #[n(7)]
    pub(super) number: u32,
}

erases!(
    Session,
    Session {
        handshake: _,
        ephemeral: _,
        identity: _,
        unanswered: _,
        started_at: _,
        opened_at: _,
        ratchet,
        number: _,
    } => { erased(ratchet) }
);

/// An encoded handshake header.
#[derive(Debug, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Opening(#[cbor(n(0), with = "minicbor::bytes")] pub(super) Vec<u8>);

impl Session {
    /// Whether to send on this session rather than on `other`.
    ///
    /// Both sides know everything that is compared, so whoever knows both sessions prefers the same.
    pub(super) fn leads(&self, other: &Self) -> bool {
        let rank = |session: &Self| Digest::of(session.ephemeral.as_bytes());
        match self.number.cmp(&other.number) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => rank(self) < rank(other),
        }
    }

    /// Whether this session came after all that `other` has opened, and that is long ago: the other
    /// side has lost `other`, and its clock or ours was wrong.
    pub(super) fn survives(&self, other: &Self, now: Timestamp) -> bool {
        self.started_at > other.opened_at && now.since(other.opened_at) >= SILENT_AFTER
    }

    /// The same session without what has been kept for too long; `None` if there is no such thing.
    pub(super) fn aged(&self, now: Timestamp) -> Option<Self> {
        if !self.ratchet.has_expired_keys(now) && self.opened_at <= now && self.started_at <= now {
            return None;
        }
        // What was stored lies before now, whatever the clock said then.
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(1));
        let corrected = |time: Timestamp| if time > now { before } else { time };
        Some(Self {
            ratchet: self.ratchet.without_expired_keys(now),
            started_at: corrected(self.started_at),
            opened_at: corrected(self.opened_at),
            ..self.clone()
        })
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
