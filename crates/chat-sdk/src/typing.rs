//! Typing: said to the others while it is true, and kept nowhere.
//!
//! ```text
//!  keystrokes ─▶ started, at most once in 3 s ─▶ relay ─▶ the others' apps
//!                stopped, once                            gone by itself after 6 s without another
//! ```
//!
//! Said only where there is a connection; what could not be said is not said later.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chat_core::frame::{ClientFrame, Typing};
use chat_core::id::ConversationId;
use rusqlite::Transaction;

use crate::blocking;
use crate::conversation::Conversation;
use crate::error::Result;
use crate::tasks::Instant;

/// How often somebody is said to type who goes on typing.
pub const SAID_EVERY: Duration = Duration::from_secs(3);
/// How long an app shows that somebody types without hearing it again.
pub const SHOWN_FOR: Duration = Duration::from_secs(6);

/// What is being typed here, as far as it was said.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Mutex<BTreeMap<ConversationId, Lane>>);

/// How it stands with one conversation.
#[derive(Debug)]
struct Lane {
    said_at: Instant,
    state: Typing,
    is_said: bool,
}

impl Outgoing {
    /// Notes a keystroke, or the end of them; tells whether there is something to say.
    fn note(&self, conversation: ConversationId, state: Typing, now: Instant) -> bool {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = match lanes.get(&conversation) {
            Some(lane) if lane.state == state => {
                state == Typing::Started && now.duration_since(lane.said_at) >= SAID_EVERY
            }
            Some(_) => true,
            None => state == Typing::Started,
        };
        if is_news {
            lanes.insert(conversation, Lane { said_at: now, state, is_said: false });
        }
        is_news
    }

    /// Forgets what was to be said in a conversation.
    fn forget(&self, conversation: ConversationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&conversation);
    }

    /// What is to be said now.
    pub(crate) fn take(&self) -> Vec<ClientFrame> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut frames = Vec::new();
        for (conversation, lane) in lanes.iter_mut().filter(|(_, lane)| !lane.is_said) {
            lane.is_said = true;
            frames.push(ClientFrame::Typing { conversation: *conversation, state: lane.state });
        }
        lanes.retain(|_, lane| lane.state == Typing::Started);
        frames
    }
}

impl Conversation {
    /// Says that somebody is typing here, or no longer; to be called with every keystroke.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn set_typing(&self, typing: bool) -> Result<()> {
        let state = if typing { Typing::Started } else { Typing::Stopped };
        if !self.hub.typing.note(self.id, state, Instant::now()) {
            return Ok(());
        }
        let id = self.id;
        let keeps_quiet = move |tx: &Transaction<'_>| blocking::keeps_quiet(tx, id);
        if self.hub.context.store.read(keeps_quiet).await? {
            self.hub.typing.forget(id);
            return Ok(());
        }
        self.hub.nudge.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ConversationId = ConversationId::from_bytes([1; 16]);

    #[test]
    fn keystrokes_are_said_once_in_three_seconds_and_their_end_at_once() {
        let (outgoing, start) = (Outgoing::default(), Instant::now());
        let said = |state, after_ms| outgoing.note(CHAT, state, start + ms(after_ms));

        assert!(!said(Typing::Stopped, 0));
        assert!(said(Typing::Started, 0));
        assert!(!said(Typing::Started, 2_999));
        assert!(said(Typing::Started, 3_000));
        assert_eq!(outgoing.take().len(), 1);
        assert!(said(Typing::Stopped, 3_001));
        assert!(!said(Typing::Stopped, 9_000));
        let [ClientFrame::Typing { state, .. }] = outgoing.take()[..] else { unreachable!() };

        assert_eq!(state, Typing::Stopped);
        assert!(outgoing.take().is_empty());
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }
}
