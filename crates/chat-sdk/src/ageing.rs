//! Sessions grow old: when that is told, when nothing is sent on them any more, and what is erased.
//!
//! ```text
//!  age of the newest post-quantum secret      < 7 days    sent on
//!                                             ≥ 7 days    sent on, and the app is warned once a day
//!                                             ≥ 30 days   not sent on: a new session is started first
//! ```
//!
//! The age rises while the other device is silent, since a session is renewed only by what both
//! sides say. A new session needs a prekey bundle; as long as the relay gives none, the message
//! waits in the outbox. It is never sent on the old session instead.
//! Normative: `docs/protocol/ratchet.md` §5 and §7.

use std::time::Duration;

use chat_core::id::DeviceAddress;
use chat_core::time::Timestamp;
use chat_crypto::session::Sessions;
use rusqlite::Transaction;

use crate::error::Result;
use crate::hub::Hub;
use crate::store::sessions;

/// How old the newest post-quantum secret of a session gets before the app is warned.
pub const WARN_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// How old it gets before nothing more is sent on the session.
pub const REPLACE_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often quiet sessions are gone through, and a warning is repeated.
pub(crate) const ONCE_A: Duration = Duration::from_secs(24 * 3600);

/// How it stands with the session that messages to a device are sent on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    /// There is none, or it is too old: start one.
    Gone,
    /// It is sent on, and somebody should know.
    Old,
    /// It is sent on.
    Fresh,
}

impl Age {
    pub(crate) fn of(sessions: &Sessions, now: Timestamp) -> Self {
        match sessions.pq_age(now) {
            None => Self::Gone,
            Some(age) if age >= REPLACE_AFTER => Self::Gone,
            Some(age) if age >= WARN_AFTER => Self::Old,
            Some(_) => Self::Fresh,
        }
    }
}

/// Erases the keys that have been kept for too long in sessions on which nothing has happened.
pub(crate) async fn tidy(hub: &Hub) -> Result<()> {
    let now = hub.now();
    hub.context.store.write(move |tx| tidy_quiet(tx, now)).await
}

fn tidy_quiet(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let day_ms = u64::try_from(ONCE_A.as_millis()).unwrap_or(u64::MAX);
    let a_day_ago = Timestamp::from_millis(now.as_millis().saturating_sub(day_ms));
    for device in sessions::quiet_since(tx, a_day_ago)? {
        sessions::save(tx, &sessions::load(tx, device)?.tidied(now), now)?;
    }
    Ok(())
}

/// Which devices an app was warned of, and when.
#[derive(Debug, Default)]
pub(crate) struct Warned(std::collections::BTreeMap<DeviceAddress, Timestamp>);

impl Warned {
    /// Whether it is time to warn of this device, again or for the first time.
    pub(crate) fn is_due(&mut self, device: DeviceAddress, now: Timestamp) -> bool {
        self.0.retain(|_, at| now.since(*at) < ONCE_A && *at <= now);
        let is_due = !self.0.contains_key(&device);
        self.0.entry(device).or_insert(now);
        is_due
    }
}

#[cfg(test)]
mod tests {
    use chat_core::id::{AccountId, DeviceId};

    use super::*;
    use crate::stage::{NOW, alice_and_bob, later};

    #[tokio::test]
    async fn keys_of_messages_that_never_came_go_after_a_week_of_silence() {
        let (alice, mut bob, chat) = alice_and_bob().await;
        for _ in 0..2 {
            let message = alice.says(chat, "hello").await;
            let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
            alice.is_told(message, 1).await;
            bob.opens(1, &envelope).await;
        }
        let message = alice.says(chat, "lost").await;
        alice.seals(chat, &mut []).await;
        alice.is_told(message, 3).await;
        alice.says(chat, "here").await;
        let (_, envelope) = alice.seals(chat, &mut []).await;
        bob.opens(4, &envelope).await;
        let from = alice.own.address;
        let with_skipped = stored(&bob, from).await;

        tidied(&bob, later(Duration::from_secs(6 * 24 * 3600))).await;
        let after_six_days = stored(&bob, from).await;
        tidied(&bob, later(Duration::from_secs(8 * 24 * 3600))).await;
        let after_eight = stored(&bob, from).await;

        assert_eq!(after_six_days, with_skipped);
        assert!(after_eight + 60 < with_skipped, "{after_eight} of {with_skipped} bytes");
    }

    #[test]
    fn an_app_is_warned_of_a_device_once_a_day() {
        let mut warned = Warned::default();
        let device = |byte| DeviceAddress {
            account: AccountId::from_bytes([byte; 16]),
            device: DeviceId::from_bytes([byte; 16]),
        };

        assert!(warned.is_due(device(1), NOW) && warned.is_due(device(2), NOW));
        assert!(!warned.is_due(device(1), later(ONCE_A - Duration::from_millis(1))));
        assert!(warned.is_due(device(1), later(ONCE_A)));
        assert!(warned.is_due(device(2), Timestamp::from_millis(5)), "the clock was set back");
    }

    async fn tidied(person: &crate::stage::Person, now: Timestamp) {
        person.write(move |tx, _, _| tidy_quiet(tx, now)).await;
    }

    async fn stored(person: &crate::stage::Person, theirs: DeviceAddress) -> usize {
        person.write(move |tx, _, _| Ok(sessions::load(tx, theirs)?.to_snapshot().len())).await
    }
}
