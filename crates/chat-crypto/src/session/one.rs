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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::people::{NOW, friends};
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn of_two_sessions_with_one_number_the_one_with_the_lower_hash_leads() {
        let rank = |session: &Session| *Digest::of(session.ephemeral.as_bytes()).as_bytes();
        let mut both = [1, 2].map(|seed| Session { number: 7, ..session(seed) });
        both.sort_by_key(rank);
        let [lower, higher] = both;

        assert!(lower.leads(&higher) && !higher.leads(&lower));
        assert!(!lower.leads(&lower), "none leads itself");
        let later = Session { number: 8, ..higher };
        assert!(later.leads(&lower) && !lower.leads(&later));
    }

    #[test]
    fn a_session_survives_another_that_fell_silent_a_day_ago_and_before_it_began() {
        let silent = Session { opened_at: NOW, ..session(1) };
        let began = |started_at| Session { started_at, ..session(2) };
        let a_day_later = NOW.after(SILENT_AFTER);

        assert!(began(NOW.after(MOMENT)).survives(&silent, a_day_later));
        assert!(!began(NOW).survives(&silent, a_day_later));
        let not_yet = NOW.after(SILENT_AFTER - MOMENT);
        assert!(!began(NOW.after(MOMENT)).survives(&silent, not_yet));
    }

    #[test]
    fn a_session_without_a_past_or_a_future_does_not_age() {
        let session = session(1);

        assert!(session.aged(NOW).is_none());
        assert!(session.aged(NOW.after(SILENT_AFTER)).is_none());
    }

    #[test]
    fn what_lies_ahead_of_a_clock_that_was_set_back_comes_to_lie_behind_it() {
        let behind = Timestamp::from_millis(NOW.as_millis() - 1);
        let ahead = NOW.after(Duration::from_secs(3600));
        let aged = |started_at, opened_at| {
            let aged = Session { started_at, opened_at, ..session(1) }.aged(NOW).unwrap();
            (aged.started_at, aged.opened_at)
        };

        assert_eq!(aged(NOW, ahead), (NOW, behind));
        assert_eq!(aged(ahead, NOW), (behind, NOW));
        assert_eq!(aged(ahead, ahead), (behind, behind));
    }

    #[test]
    fn a_message_that_opens_says_when() {
        let (mut alice, mut bob) = friends(1);
        bob.now = NOW.after(SILENT_AFTER);

        let message = alice.says(b"hello");
        bob.hears(&alice, &message).unwrap();

        let active = bob.sessions.active.as_ref().unwrap();
        assert_eq!((active.started_at, active.opened_at), (NOW, bob.now));
    }

    fn session(seed: u64) -> Session {
        Session::clone(friends(seed).0.sessions.active.as_ref().unwrap())
    }
}
