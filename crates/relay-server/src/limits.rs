//! How often: a leaky bucket for each subject, kept as one number (GCRA, ITU-T I.371).
//!
//! ```text
//!                 now            due ─ burst           due
//!  ────────────────┼───────────────┼────────────────────┼──────▶ time
//!                  └ too early: wait for `due - burst - now`
//! ```
//!
//! `due` is the moment at which the subject will have used up everything it took. Limits live in
//! the process that holds the connection; absent: limits across nodes. A refused request is not
//! counted, and nothing of it is lost: the refusal says when to come back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;

use crate::config::Rates;

const SHARDS: usize = 16;
/// A shard that has grown to this many subjects forgets those that are not limited at the moment.
const SUBJECTS_A_SHARD: usize = 8_192;

/// What is limited.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// Sending a message.
    Message,
    /// Saying how far a device has got.
    Receipt,
    /// Saying that somebody is typing.
    Typing,
    /// Trying a password.
    Login,
    /// Asking for a device challenge.
    Challenge,
    /// Beginning to register an account.
    Registration,
    /// Registering it.
    RegistrationFinish,
    /// Fetching prekey bundles.
    Fetch,
    /// A REST request of somebody who is known.
    Request,
    /// A REST request of somebody who is not.
    Anonymous,
}

/// Who is limited.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// An account.
    Account(AccountId),
    /// A device.
    Device(DeviceAddress),
    /// A username, known or not, by its digest.
    Name(Digest),
    /// An IPv4 address or an IPv6 /64.
    Address(IpAddr),
}

impl Subject {
    /// The subject that a network address counts as: in IPv6 its /64, which is what one household
    /// is given.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & !u128::from(u64::MAX);
                Self::Address(std::net::Ipv6Addr::from_bits(prefix).into())
            }
        }
    }
}

/// So many at once, and so many in a period.
#[derive(Clone, Copy, Debug)]
struct Rate {
    count: u32,
    period: Duration,
}

/// Counts for every class and subject.
#[derive(Debug)]
pub struct Limits {
    rates: Rates,
    shards: Vec<Mutex<HashMap<(Class, Subject), u64>>>,
}

impl Limits {
    /// Limits to `rates`.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self { rates, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// What is allowed.
    #[must_use]
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Takes one from what `subject` may do of `class`.
    ///
    /// # Errors
    ///
    /// [`RejectCode::RateLimited`] with the time to wait.
    pub fn take(&self, class: Class, subject: Subject, now: Timestamp) -> Result<(), Reject> {
        let rate = self.rate(class);
        // Microseconds, so that thousands a second are counted fairly.
        let now = now.as_millis().saturating_mul(1_000);
        let period = u64::try_from(rate.period.as_micros()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(rate.count.max(1))).max(1);
        let mut shard = self.shard(subject).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= SUBJECTS_A_SHARD {
            shard.retain(|_, due| *due > now);
        }
        let due = shard.get(&(class, subject)).copied().unwrap_or(now).max(now);
        let next = due.saturating_add(interval);
        let wait = next.saturating_sub(now.saturating_add(period));
        if wait > 0 {
            let mut reject = Reject::from(RejectCode::RateLimited);
            reject.retry_after_ms = Some(wait.div_ceil(1_000));
            return Err(reject);
        }
        shard.insert((class, subject), next);
        Ok(())
    }

    fn rate(&self, class: Class) -> Rate {
        let (count, seconds) = match class {
            Class::Message | Class::Typing => (self.rates.messages_a_minute, 60),
            // Reading a full inbox gives a receipt or two a conversation.
            Class::Receipt => (self.rates.messages_a_minute.saturating_mul(10), 60),
            Class::Login => (self.rates.logins_a_quarter_hour, 900),
            // A device's answer cannot be guessed, so this only keeps the store from being filled.
            Class::Challenge => (self.rates.logins_a_quarter_hour.saturating_mul(10), 900),
            Class::Registration | Class::RegistrationFinish => {
                (self.rates.registrations_in_3_minutes, 180)
            }
            Class::Fetch => (self.rates.fetches_a_minute, 60),
            Class::Request => (self.rates.requests_a_quarter_hour, 900),
            Class::Anonymous => (self.rates.requests_a_quarter_hour.div_ceil(10), 900),
        };
        Rate { count, period: Duration::from_secs(seconds) }
    }

    #[allow(clippy::indexing_slicing)]
    fn shard(&self, subject: Subject) -> &Mutex<HashMap<(Class, Subject), u64>> {
        use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(subject);
        // INVARIANT: there are SHARDS shards, and the remainder is smaller.
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const ALICE: Subject = Subject::Account(AccountId::from_bytes([1; 16]));
    const BOB: Subject = Subject::Account(AccountId::from_bytes([2; 16]));

    #[test]
    fn sixty_messages_pass_and_the_next_is_told_when_to_come_back() {
        let limits = Limits::new(Rates::DEFAULT);
        for _ in 0..60 {
            limits.take(Class::Message, ALICE, NOW).unwrap();
        }

        let refused = limits.take(Class::Message, ALICE, NOW).unwrap_err();

        assert_eq!(refused.code, RejectCode::RateLimited);
        assert_eq!(refused.retry_after_ms, Some(1_000));
        let later = NOW.after(Duration::from_millis(1_000));
        assert_eq!(limits.take(Class::Message, ALICE, later), Ok(()));
        assert!(limits.take(Class::Message, ALICE, later).is_err());
    }

    #[test]
    fn subjects_and_classes_do_not_share() {
        let limits = Limits::new(Rates { messages_a_minute: 1, ..Rates::DEFAULT });
        limits.take(Class::Message, ALICE, NOW).unwrap();

        assert!(limits.take(Class::Message, ALICE, NOW).is_err());
        assert_eq!(limits.take(Class::Message, BOB, NOW), Ok(()));
        assert_eq!(limits.take(Class::Fetch, ALICE, NOW), Ok(()));
    }

    #[test]
    fn a_household_is_one_subject() {
        let here: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let beside: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        let elsewhere: IpAddr = "2001:db8:1:3::1".parse().unwrap();

        assert_eq!(Subject::address(here), Subject::address(beside));
        assert_ne!(Subject::address(here), Subject::address(elsewhere));
    }
}
