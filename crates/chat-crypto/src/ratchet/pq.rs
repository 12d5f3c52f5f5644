//! The post-quantum part of the ratchet: now and then a turn carries a fresh ML-KEM-768 key, the
//! turn that answers it the ciphertext, and the secret goes into the root key with that answer.
//!
//! ```text
//!                    our turn, due: draw a key               their turn brings the ciphertext:
//!           ┌───────────────────────────────▶ Offering ────────────┐ mix, erase the seed
//!           │                                 every message of     │
//!         Quiet ◀─────────────────────────────our chain: key ──────┘
//!          ▲│
//!          ││ their turn brings a key         our turn: draw a secret, mix
//!          │└───────────────────────────────▶ Asked ──────────────▶ Answering
//!          │                                                       every message of our chain:
//!          └───────────────────────────────────────────────────────ciphertext
//!                    their next turn: they have it
//!
//!  due   the exchange before ended 32 turns ago when this one will, or 24 hours ago, or the session
//!        began with last-resort prekeys
//!
//!  root ‖ chain ‖ next header = HKDF(salt = root, ikm = DH ‖ SS, info = label ‖ SHA-256(key ‖ ct))
//! ```
//!
//! Turns of the two sides alternate, so both cannot offer at once, and a side's next chain proves
//! that it has opened one of our last: what each message of a chain repeats is acknowledged by that,
//! and needs no counter, no epoch and no acknowledgement of its own.
//! Normative: `docs/protocol/ratchet.md` §5.

use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::time::Timestamp;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::kem::{self, KEM_CIPHERTEXT_BYTES, KEM_KEY_BYTES, KemCiphertext, KemKeyBytes, KemSeed};
use crate::erasure::{erased, erases};
use crate::secret::{MalformedKemKey, SharedSecret};
use crate::snapshot::Shared;

/// Most turns, of both sides, from one secret to the next.
pub(crate) const RENEWED_EVERY_TURNS: u32 = 32;
/// A turn that comes later than this after the newest secret begins an exchange.
pub(crate) const RENEWED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Which KEM key the handshake used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HandshakeKem {
    /// One that is erased with the first message.
    OneTime,
    /// One that lives on for weeks: the session is renewed with its first answer.
    LastResort,
}

/// What all messages of a chain carry beside their text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Carries {
    Nothing,
    Key,
    Ciphertext,
}

impl Carries {
    /// How many bytes that is, before they are sealed.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Key => KEM_KEY_BYTES,
            Self::Ciphertext => KEM_CIPHERTEXT_BYTES,
        }
    }
}

/// What their turn brings.
#[derive(Debug)]
pub(super) enum Brought {
    Nothing,
    Key(Box<KemKeyBytes>),
    Ciphertext(Box<KemCiphertext>),
}

/// A secret for the root key, with what it was made for.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) secret: SharedSecret,
    /// Of key and ciphertext.
    pub(super) transcript: Digest,
}

erases!(Renewal, Renewal { secret, transcript: _ } => { erased(secret) });

impl Renewal {
    fn new(secret: SharedSecret, key: &KemKeyBytes, ciphertext: &KemCiphertext) -> Self {
        Self { secret, transcript: Digest::of_parts(&[key, ciphertext]) }
    }
}

/// The other side did what the protocol does not allow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OutOfStep;

/// How far the exchange of a session is, on one side.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct PostQuantum {
    #[n(0)]
    stage: Stage,
    /// Turns of both sides since the newest secret.
    #[n(1)]
    turns: u32,
    /// When our part in the newest secret was drawn.
    #[n(2)]
    renewed_at: Timestamp,
}

#[derive(Clone, Debug, Encode, Decode)]
enum Stage {
    #[n(0)]
    Quiet,
    /// Every message of our chain carries the key of this seed.
    #[n(1)]
    #[cbor(map)]
    Offering {
        #[n(0)]
        seed: Shared<KemSeed>,
        #[n(1)]
        drawn_at: Timestamp,
    },
    /// Our next turn answers this key.
    #[n(2)]
    Asked(#[n(0)] Shared<ByteArray<KEM_KEY_BYTES>>),
    /// Every message of our chain carries this ciphertext; its secret is mixed in.
    #[n(3)]
    Answering(#[n(0)] Shared<ByteArray<KEM_CIPHERTEXT_BYTES>>),
}

erases!(PostQuantum, PostQuantum { stage, turns: _, renewed_at: _ } => { erased(stage) });

erases!(Stage, stage => {
    match stage {
        Stage::Offering { seed, drawn_at: _ } => erased(&**seed),
        Stage::Quiet | Stage::Asked(_) | Stage::Answering(_) => {}
    }
});

impl PostQuantum {
    /// As a session begins.
    pub(super) const fn new(kem: HandshakeKem, now: Timestamp) -> Self {
        let turns = match kem {
            HandshakeKem::OneTime => 0,
            HandshakeKem::LastResort => RENEWED_EVERY_TURNS,
        };
        Self { stage: Stage::Quiet, turns, renewed_at: now }
    }

    /// How old our part in the newest secret is.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        now.since(self.renewed_at)
    }

    /// What each message of our chain carries.
    pub(super) fn carries(&self) -> Carries {
        match &self.stage {
            Stage::Quiet | Stage::Asked(_) => Carries::Nothing,
            Stage::Offering { .. } => Carries::Key,
            Stage::Answering(_) => Carries::Ciphertext,
        }
    }

    /// The bytes of what each message of our chain carries.
    pub(super) fn carried(&self) -> Vec<u8> {
        match &self.stage {
            Stage::Quiet | Stage::Asked(_) => Vec::new(),
            Stage::Offering { seed, .. } => seed.public().to_vec(),
            Stage::Answering(ciphertext) => ciphertext.to_vec(),
        }
    }

    /// Begins a chain of ours: answers their key, or offers one of ours if that is due.
    pub(super) fn our_turn(
        &self,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Option<Renewal>), MalformedKemKey> {
        if let Stage::Asked(key) = &self.stage {
            let (ciphertext, secret) = kem::encapsulate(key, rng)?;
            let renewal = Renewal::new(secret, key, &ciphertext);
            let stage = Stage::Answering(Shared::new(ciphertext.into()));
            return Ok((Self { stage, turns: 0, renewed_at: now }, Some(renewal)));
        }
        let stage = if self.is_due(now) {
            Stage::Offering { seed: Shared::new(KemSeed::generate(rng)), drawn_at: now }
        } else {
            Stage::Quiet
        };
        Ok((Self { stage, ..self.one_turn_more(now) }, None))
    }

    /// Begins a chain of theirs, with what its messages carry.
    pub(super) fn their_turn(
        &self,
        brought: Brought,
        now: Timestamp,
    ) -> Result<(Self, Option<Renewal>), OutOfStep> {
        match (&self.stage, brought) {
            (Stage::Offering { seed, drawn_at }, Brought::Ciphertext(ciphertext)) => {
                let (key, secret) = seed.decapsulate(&ciphertext);
                let renewal = Renewal::new(secret, &key, &ciphertext);
                let renewed_at = (*drawn_at).min(now);
                Ok((Self { stage: Stage::Quiet, turns: 0, renewed_at }, Some(renewal)))
            }
            (Stage::Quiet | Stage::Answering(_), Brought::Nothing) => {
                Ok((self.one_turn_more(now), None))
            }
            (Stage::Quiet | Stage::Answering(_), Brought::Key(key)) => {
                kem::check(&key).map_err(|_| OutOfStep)?;
                let stage = Stage::Asked(Shared::new((*key).into()));
                Ok((Self { stage, ..self.one_turn_more(now) }, None))
            }
            // SECURITY: a key of ours that stays unanswered would leave the session as it was.
            (Stage::Offering { .. } | Stage::Asked(_), _) | (_, Brought::Ciphertext(_)) => {
                Err(OutOfStep)
            }
        }
    }

    /// The same, nothing of it later than `now`: a clock that was set back makes nothing younger.
    pub(super) fn by_clock(mut self, now: Timestamp) -> Self {
        self.renewed_at = self.renewed_at.min(now);
        self
    }

    /// Quiet, and one turn further.
    fn one_turn_more(&self, now: Timestamp) -> Self {
        let turns = self.turns.saturating_add(1);
        Self { stage: Stage::Quiet, turns, renewed_at: self.renewed_at.min(now) }
    }

    /// Whether the turn that begins now offers a key, which the next one answers.
    fn is_due(&self, now: Timestamp) -> bool {
        self.turns.saturating_add(2) >= RENEWED_EVERY_TURNS || self.age(now) >= RENEWED_EVERY
    }

    /// What a thief of this state gets of an exchange.
    #[cfg(test)]
    pub(super) fn seed(&self) -> Option<KemSeed> {
        match &self.stage {
            Stage::Offering { seed, .. } => Some(KemSeed::clone(seed)),
            Stage::Quiet | Stage::Asked(_) | Stage::Answering(_) => None,
        }
    }
}
