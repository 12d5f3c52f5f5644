//! From a message to the session it belongs to, and which session is active then.
//!
//! ```text
//!  1 ‖ …              active, then inactive, the latest used first
//!  2 ‖ handshake ‖ …  known handshake: its session, or refused      no second beginning
//!                     unknown: answer it with our prekeys            a new session
//!
//!  opened on another session than the active one:  active from now on if it leads
//! ```

use chat_core::codec::Digest;
use chat_core::time::Timestamp;

use super::one::Session;
use super::{
    Decrypted, FIRST_MESSAGE, HANDSHAKES_REMEMBERED_MAX, INACTIVE_MAX, Local, RATCHET_MESSAGE,
    SeenHandshake, Sessions, SpentPrekey,
};
use crate::handshake::{self, HEADER_BYTES, HandshakeHeader, Party};
use crate::prekey::PrekeySecrets;
use crate::ratchet::{HandshakeKem, Message, Ratchet};
use crate::snapshot::Shared;

/// All that a message is received with.
pub(super) struct Context<'a> {
    pub(super) local: &'a Local<'a>,
    pub(super) them: &'a Party,
    pub(super) prekeys: &'a [&'a PrekeySecrets],
    pub(super) associated: &'a [u8],
    pub(super) now: Timestamp,
}

impl Sessions {
    /// Opens a message; `None` for whatever is wrong with it.
    pub(super) fn receive(self, message: &[u8], context: &Context<'_>) -> Option<Decrypted> {
        let (kind, rest) = message.split_first()?;
        match *kind {
            RATCHET_MESSAGE => self.open_known(None, Message::from_bytes(rest)?, context),
            FIRST_MESSAGE => {
                let (opening, rest) = rest.split_first_chunk::<HEADER_BYTES>()?;
                let message = Message::from_bytes(rest)?;
                let handshake = Digest::of(opening);
                if self.has_seen(handshake) {
                    self.open_known(Some(handshake), message, context)
                } else {
                    self.open_first(opening, message, context)
                }
            }
            _ => None,
        }
    }

    /// Opens on one of our sessions; on the one that `handshake` began, if it is given.
    fn open_known(
        mut self,
        handshake: Option<Digest>,
        message: Message<'_>,
        context: &Context<'_>,
    ) -> Option<Decrypted> {
        let open = |session: &Session| {
            let is_meant = session.identity == context.them.identity
                && handshake.is_none_or(|handshake| session.handshake == handshake);
            if is_meant { session.open(message, context.associated, context.now) } else { None }
        };
        if let Some((plaintext, session)) = self.active.as_ref().and_then(|session| open(session)) {
            self.active = Some(Shared::new(session));
            return Some(Decrypted { plaintext, sessions: self, spent: None });
        }
        let mut inactive = self.inactive.iter().enumerate();
        let (place, (plaintext, session)) =
            inactive.find_map(|(place, session)| Some((place, open(session)?)))?;
        self.inactive.remove(place);
        self.admit(session, context.now);
        Some(Decrypted { plaintext, sessions: self, spent: None })
    }

    /// Begins the session that a first message asks for.
    fn open_first(
        mut self,
        opening: &[u8; HEADER_BYTES],
        message: Message<'_>,
        context: &Context<'_>,
    ) -> Option<Decrypted> {
        // SECURITY: forgetting the oldest instead would let it be replayed.
        if self.handshakes.len() >= HANDSHAKES_REMEMBERED_MAX {
            return None;
        }
        let Context { local, them, prekeys, associated, now } = *context;
        let header = HandshakeHeader::from_bytes(opening)?;
        let set = prekeys.iter().find(|set| set.number() == header.set)?;
        let key = handshake::respond(&local.party(), local.device, them, set, &header).ok()?;
        let kem = header.one_time.map_or(HandshakeKem::LastResort, |_| HandshakeKem::OneTime);
        let begun = Ratchet::respond(key, set.signed(), kem, message, associated, now).ok()?;

        let handshake = Digest::of(opening);
        self.handshakes.push(SeenHandshake { handshake, seen_at: now, set: header.set });
        let session = Session {
            handshake,
            ephemeral: header.ephemeral,
            identity: them.identity,
            unanswered: None,
            started_at: now,
            opened_at: now,
            ratchet: begun.ratchet,
            number: begun.number,
        };
        self.admit(session, now);
        let spent = Some(SpentPrekey { set: header.set, one_time: header.one_time });
        Some(Decrypted { plaintext: begun.plaintext, sessions: self, spent })
    }

    /// Takes in a session on which something was opened, and decides which one to send on.
    fn admit(&mut self, session: Session, now: Timestamp) {
        let stays = self.active.as_ref().is_some_and(|active| {
            active.identity == session.identity
                && !session.leads(active)
                && !session.survives(active, now)
        });
        if stays {
            self.shelve(Shared::new(session));
        } else {
            self.activate(session);
        }
    }

    /// Makes `session` the active one; the one before becomes inactive.
    pub(super) fn activate(&mut self, session: Session) {
        let before = self.active.replace(Shared::new(session));
        before.into_iter().for_each(|before| self.shelve(before));
    }

    fn shelve(&mut self, session: Shared<Session>) {
        self.inactive.insert(0, session);
        self.inactive.truncate(INACTIVE_MAX);
    }

    fn has_seen(&self, handshake: Digest) -> bool {
        self.handshakes.iter().any(|seen| seen.handshake == handshake)
    }
}
