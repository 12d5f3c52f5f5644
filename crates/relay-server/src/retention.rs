//! Retention: for how long the relay keeps messages, as its operator and each workspace decide.
//!
//! ```text
//!  relay's rule ─┐                         ┌─▶ reading: what is beyond it is not shown, at once
//!                ├─ the strictest ─────────┤
//!  workspace's ──┘                         └─▶ erasing: batches, or a whole partition (storage)
//! ```
//!
//! A rule shortens lives and never lengthens them: timers of messages go on by themselves. Whoever
//! loosens a rule brings nothing back. Pure decisions; [`crate::service::retention`] carries them
//! out.

pub mod ledger;
mod written;

use std::time::Duration;

use chat_core::api::conversations::MessagePage;
use chat_core::codec::List;
use chat_core::time::Timestamp;

pub use self::written::WrittenRules;

/// How long messages are kept, and how many.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// A message is gone when it is this old; never by itself, if this is absent.
    pub keep: Option<Duration>,
    /// Whether a message is gone as soon as every device has it.
    pub hold: Hold,
    /// Most bytes that an account may have stored; as many as there is room for, if absent.
    pub account_bytes: Option<u64>,
    /// Most bytes that a workspace may have stored.
    pub workspace_bytes: Option<u64>,
}

/// What becomes of a message that every device of every member has acknowledged.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Hold {
    /// It stays, for devices that come later.
    #[default]
    Kept,
    /// It is gone: the relay stores and forwards.
    UntilDelivered,
}

impl Rules {
    /// The stricter of each.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let until_delivered = [self.hold, other.hold].contains(&Hold::UntilDelivered);
        Self {
            keep: lower(self.keep, other.keep),
            hold: if until_delivered { Hold::UntilDelivered } else { Hold::Kept },
            account_bytes: lower(self.account_bytes, other.account_bytes),
            workspace_bytes: lower(self.workspace_bytes, other.workspace_bytes),
        }
    }

    /// Messages from before this moment are gone.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        let kept = u64::try_from(self.keep?.as_millis()).unwrap_or(u64::MAX);
        Some(Timestamp::from_millis(now.as_millis().saturating_sub(kept)))
    }

    /// Takes the envelopes off a page that are beyond the rule and not erased yet: lateness never
    /// shows.
    pub fn hide(self, page: &mut MessagePage, now: Timestamp) {
        let Some(cutoff) = self.cutoff(now) else { return };
        let mut messages = std::mem::take(&mut page.messages).into_vec();
        for message in messages.iter_mut().filter(|message| message.at < cutoff) {
            message.envelope = None;
        }
        // INVARIANT: there are as many as before.
        page.messages = List::new(messages).unwrap_or_default();
    }
}

fn lower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_each_counts() {
        let relay = Rules { keep: Some(days(30)), account_bytes: Some(7), ..Rules::default() };
        let workspace = Rules {
            keep: Some(days(90)),
            hold: Hold::UntilDelivered,
            account_bytes: Some(9),
            workspace_bytes: Some(8),
        };

        let both = Rules {
            keep: Some(days(30)),
            hold: Hold::UntilDelivered,
            account_bytes: Some(7),
            workspace_bytes: Some(8),
        };
        assert_eq!(relay.strictest(workspace), both);
        assert_eq!(workspace.strictest(relay), both);
        assert_eq!(Rules::default().strictest(Rules::default()), Rules::default());
    }

    #[test]
    fn nothing_is_older_than_the_beginning_of_time() {
        let rules = Rules { keep: Some(days(30)), ..Rules::default() };

        assert_eq!(rules.cutoff(Timestamp::from_millis(5)), Some(Timestamp::from_millis(0)));
        assert_eq!(Rules::default().cutoff(Timestamp::from_millis(5)), None);
    }

    fn days(days: u64) -> Duration {
        Duration::from_secs(days * 24 * 3600)
    }
}
