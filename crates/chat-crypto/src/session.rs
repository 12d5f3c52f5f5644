//! All sessions between our device and one other.
//!
//! ```text
//!  Sessions ┬ active            we send on this one
//!           ├ inactive, ≤ 5     still opened, for what is on the road; 30 days
//!           └ handshakes seen   so that none begins a session twice
//!
//!  message = 1 ‖ ratchet message                                   ≥  74 bytes
//!          | 2 ‖ handshake header (1606) ‖ ratchet message         until the first answer
//!
//!  two sessions, however they came about:  the higher number is active, on both sides; of equal
//!  ones that with the lower SHA-256 of its ephemeral key. The other opens what is on the road
//!
//!  number = seconds of the starter's clock, at least one more than of any session it knows
//! ```
//!
//! A state never changes: every operation gives the next one, to be stored before its bytes leave,
//! or with the message it opened. Nothing has moved when a message is refused, and all refusals are
//! one error.
//! Normative: `docs/protocol/ratchet.md` §8 and §9.

mod one;
mod receiving;

use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::device::DeviceCertificate;
use chat_core::id::DeviceAddress;
use chat_core::key::IdentityKey;
use chat_core::limits::{PAYLOAD_BYTES_MAX, WRAP_BYTES_MAX};
use chat_core::prekey::VerifiedBundle;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use self::one::{Opening, Session};
use self::receiving::Context;
use crate::erasure::erases;
use crate::handshake::{self, HandshakeError, Party};
use crate::identity::DeviceSecrets;
use crate::prekey::PrekeySecrets;
use crate::ratchet::{self, HandshakeKem, OVERHEAD_BYTES, OVERHEAD_BYTES_MAX, Ratchet};
use crate::snapshot::{self, Shared, SnapshotError};
use crate::wrap::CARRIED_BYTES;

/// Most inactive sessions with one device.
pub const INACTIVE_MAX: usize = 5;
/// How long an inactive session is kept after it last opened something.
pub const INACTIVE_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a handshake is remembered: longer than its prekeys, which live 37 days at most.
pub const HANDSHAKES_REMEMBERED_FOR: Duration = Duration::from_secs(40 * 24 * 3600);
/// Most handshakes remembered; more in so short a time are refused.
pub const HANDSHAKES_REMEMBERED_MAX: usize = 256;
/// How long the active session must be silent until one that they started later replaces it,
/// whatever its number.
pub const SILENT_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Longest plaintext of a message.
pub const PLAINTEXT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

const SNAPSHOT: u8 = 1;
const RATCHET_MESSAGE: u8 = 1;
const FIRST_MESSAGE: u8 = 2;

/// The longest wrap there is: handshake and post-quantum key in front of what every wrap carries.
const _: () = assert!(
    1 + handshake::HEADER_BYTES + OVERHEAD_BYTES_MAX + CARRIED_BYTES <= WRAP_BYTES_MAX,
    "a wrap has room for all that a session message can hold"
);

/// Why a session did not do what it was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no session to send on.
    #[error("there is no session with this device; start one")]
    NoSession,
    /// The bundle belongs to another device, or to our own.
    #[error("the prekey bundle belongs to another device")]
    WrongDevice,
    /// A key of the other side is no key, or one that agrees with everything.
    #[error("a key of the other device cannot be used")]
    UnusableKey,
    /// The active session has sent all it can without an answer.
    #[error("the session's chain is at its end; start a new session")]
    Exhausted,
    /// The plaintext exceeds [`PLAINTEXT_BYTES_MAX`].
    #[error("the plaintext is too long to encrypt")]
    TooLong,
    /// Not made by this device, for us, for this context, or opened before.
    #[error("the message is not authentic")]
    NotAuthentic,
}

impl From<HandshakeError> for SessionError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::UnusableKey => Self::UnusableKey,
            HandshakeError::UnknownPrekey => Self::NotAuthentic,
        }
    }
}

impl From<ratchet::SealError> for SessionError {
    fn from(error: ratchet::SealError) -> Self {
        match error {
            ratchet::SealError::Exhausted(_) => Self::Exhausted,
            ratchet::SealError::UnusableKey(_) | ratchet::SealError::UnusableKemKey(_) => {
                Self::UnusableKey
            }
        }
    }
}

/// Who we are.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Our account and device.
    pub address: DeviceAddress,
    /// Our account's identity key.
    pub identity: IdentityKey,
    /// Our device's secrets.
    pub device: &'a DeviceSecrets,
}

impl Local<'_> {
    fn party(&self) -> Party {
        let agreement = self.device.agreement();
        Party { address: self.address, identity: self.identity, agreement }
    }
}

/// The prekeys that a first message used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpentPrekey {
    /// The number of the prekey set.
    pub set: u32,
    /// The one-time prekey to spend; `None` if the last-resort prekeys had to do.
    pub one_time: Option<u16>,
}

/// A message that was opened, and everything to be stored with it in one transaction.
#[derive(Debug)]
pub struct Decrypted {
    /// What the message says.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The sessions as they are now.
    pub sessions: Sessions,
    /// The prekeys that began a session, if this message did.
    pub spent: Option<SpentPrekey>,
}

/// All sessions with one other device.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Sessions {
    #[n(0)]
    theirs: DeviceAddress,
    #[n(1)]
    active: Option<Shared<Session>>,
    /// The latest used first.
    #[n(2)]
    inactive: Vec<Shared<Session>>,
    /// Oldest first.
    #[n(3)]
    handshakes: Vec<SeenHandshake>,
}

erases!(Sessions, Sessions { theirs: _, active, inactive, handshakes: _ } => {
    const fn each(_: &Vec<Shared<impl ZeroizeOnDrop>>) {}
    const fn either(_: &Option<Shared<impl ZeroizeOnDrop>>) {}
    either(active);
    each(inactive);
});

#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct SeenHandshake {
    #[n(0)]
    handshake: Digest,
    #[n(1)]
    seen_at: Timestamp,
    /// The number of the prekey set that it used.
    #[n(2)]
    set: u32,
}

impl Sessions {
    /// No session yet with the device at `theirs`.
    #[must_use]
    pub fn new(theirs: DeviceAddress) -> Self {
        Self { theirs, active: None, inactive: Vec::new(), handshakes: Vec::new() }
    }

    /// The other device.
    #[must_use]
    pub fn theirs(&self) -> DeviceAddress {
        self.theirs
    }

    /// Whether there is a session to send on.
    #[must_use]
    pub fn has_active(&self) -> bool {
        self.active.is_some()
    }

    /// The identity key that the active session was made with.
    #[must_use]
    pub fn their_identity(&self) -> Option<IdentityKey> {
        self.active.as_ref().map(|session| session.identity)
    }

    /// Whether the other device has answered on the active session.
    ///
    /// Until it has, every message carries the handshake and is 1606 bytes longer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.active.as_ref().is_some_and(|session| session.unanswered.is_none())
    }

    /// How old our part in the newest post-quantum secret of the active session is.
    ///
    /// Whoever copied our state before that, and can solve what X25519 hides, reads along until
    /// both sides have taken a turn once more. It grows while the other side does not answer;
    /// starting a new session makes it zero.
    #[must_use]
    pub fn pq_age(&self, now: Timestamp) -> Option<Duration> {
        self.active.as_ref().map(|session| session.ratchet.pq_age(now))
    }

    /// Starts a session from a prekey bundle. It becomes the active one.
    ///
    /// Meant for when there is none, or to replace one that is broken or old: the other side takes
    /// the new one over as soon as it hears of it.
    ///
    /// # Errors
    ///
    /// [`SessionError::WrongDevice`], [`SessionError::UnusableKey`].
    pub fn start(
        &self,
        local: &Local<'_>,
        their_identity: IdentityKey,
        bundle: &VerifiedBundle,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SessionError> {
        if bundle.certificate.address != self.theirs || local.address == self.theirs {
            return Err(SessionError::WrongDevice);
        }
        let (key, header) =
            handshake::initiate(&local.party(), local.device, their_identity, bundle, rng)?;
        let opening = header.to_bytes();
        let number = self.next_number(now);
        let kem = header.one_time.map_or(HandshakeKem::LastResort, |_| HandshakeKem::OneTime);
        let session = Session {
            handshake: Digest::of(&opening),
            ephemeral: header.ephemeral,
            identity: their_identity,
            unanswered: Some(Shared::new(Opening(opening))),
            started_at: now,
            opened_at: now,
            ratchet: Ratchet::initiate(key, bundle.set.signed, number, kem, now),
            number,
        };
        let mut next = self.tidied(now);
        next.activate(session);
        Ok(next)
    }

    /// Higher than the number of every session here, so that the one to be started leads them.
    fn next_number(&self, now: Timestamp) -> u32 {
        let sessions = self.active.iter().chain(&self.inactive);
        let highest = sessions.map(|session| session.number).max().unwrap_or(0);
        let seconds = u32::try_from(now.as_millis() / 1000).unwrap_or(u32::MAX);
        seconds.max(highest.saturating_add(1))
    }

    /// Encrypts on the active session.
    ///
    /// Gives the bytes to send and the sessions as they are afterwards. **Store the sessions before
    /// the bytes leave**: a state used twice gives two messages under one key.
    ///
    /// # Errors
    ///
    /// [`SessionError::NoSession`], [`SessionError::Exhausted`], [`SessionError::TooLong`].
    pub fn encrypt(
        &self,
        plaintext: &[u8],
        associated: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Self), SessionError> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(SessionError::TooLong);
        }
        let mut next = self.tidied(now);
        let active = next.active.as_ref().ok_or(SessionError::NoSession)?;
        let opening = active.unanswered.as_ref().map_or(&[][..], |opening| &opening.0);
        let kind = if opening.is_empty() { RATCHET_MESSAGE } else { FIRST_MESSAGE };

        let length = 1 + opening.len() + OVERHEAD_BYTES + plaintext.len();
        let mut message = Vec::with_capacity(length);
        message.push(kind);
        message.extend_from_slice(opening);
        let ratchet = active.ratchet.seal_onto(&mut message, plaintext, associated, now, rng)?;

        let session = Session { ratchet, ..Session::clone(active) };
        next.active = Some(Shared::new(session));
        Ok((message, next))
    }

    /// Decrypts a message of the other device; its first ones begin a session.
    ///
    /// `prekeys` are the secrets of all prekey sets that are kept. Everything in the answer is to be
    /// stored in one transaction, the one-time prekey it names being spent in the same.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotAuthentic`], whatever the reason.
    #[expect(clippy::too_many_arguments, reason = "everything that a first message needs")]
    pub fn decrypt(
        &self,
        local: &Local<'_>,
        their_certificate: &Verified<DeviceCertificate>,
        their_identity: IdentityKey,
        prekeys: &[&PrekeySecrets],
        message: &[u8],
        associated: &[u8],
        now: Timestamp,
    ) -> Result<Decrypted, SessionError> {
        if their_certificate.address != self.theirs || local.address == self.theirs {
            return Err(SessionError::NotAuthentic);
        }
        let agreement = their_certificate.agreement;
        let them = Party { address: self.theirs, identity: their_identity, agreement };
        let context = Context { local, them: &them, prekeys, associated, now };
        let mut sessions = self.tidied(now);
        // SECURITY: not by the clock alone. One that was wrong for a moment must not make room for
        // a replay while the keys it needs are still there.
        sessions.handshakes.retain(|seen| {
            now.since(seen.seen_at) < HANDSHAKES_REMEMBERED_FOR
                || prekeys.iter().any(|set| set.number() == seen.set)
        });
        sessions.receive(message, &context).ok_or(SessionError::NotAuthentic)
    }

    /// The same sessions without what has been kept for too long: inactive sessions, keys of
    /// skipped messages.
    ///
    /// Every operation does this; it is meant for sessions on which there is none for days.
    #[must_use]
    pub fn tidied(&self, now: Timestamp) -> Self {
        let mut kept = self.clone();
        for session in kept.active.iter_mut().chain(&mut kept.inactive) {
            let aged = session.aged(now);
            aged.into_iter().for_each(|aged| *session = Shared::new(aged));
        }
        kept.inactive.retain(|session| now.since(session.opened_at) < INACTIVE_KEPT_FOR);
        kept
    }

    /// The sessions, to be stored encrypted: at most 1 KiB when all is quiet.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, SNAPSHOT)
    }
}

#[cfg(test)]
mod chaos;
#[cfg(test)]
pub(crate) mod people;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod tests;
