//! How often: a leaky bucket for each subject, kept as one number (GCRA, ITU-T I.371).
//!
//! ```text
//!                 now            due ─ burst           due
//!  ────────────────┼───────────────┼────────────────────┼──────▶ time
//!                  └ too early: wait for `due - burst - now`
//! ```
//!
//! `due` is the moment at which the subject will have used up everything it took. A refused
//! request is not counted, and nothing of it is lost: the refusal says when to come back.
//!
//! [`local`] counts in this process; [`redis`] counts for all nodes together. Both do what
//! `conformance` says.

#[cfg(test)]
mod conformance;
pub mod local;
pub mod redis;
mod subject;

use std::time::Duration;

use async_trait::async_trait;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;

use crate::config::Rates;

pub use subject::Subject;

/// Counts for every class and subject.
#[async_trait]
pub trait Limits: std::fmt::Debug + Send + Sync + 'static {
    /// Takes one from what `subject` may do of `class`.
    ///
    /// # Errors
    ///
    /// [`RejectCode::RateLimited`] with the time to wait. [`RejectCode::Unavailable`] for a
    /// [`Sharing::Strict`] class while nobody can say what other nodes have counted.
    async fn take(&self, class: Class, subject: Subject, now: Timestamp) -> Result<(), Reject> {
        self.take_many(class, subject, 1, now).await
    }

    /// Takes `count` at once, or none; more than there ever are count as all there are.
    ///
    /// # Errors
    ///
    /// As [`Limits::take`].
    async fn take_many(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Timestamp,
    ) -> Result<(), Reject>;

    /// How counting together with other nodes is going.
    fn health(&self) -> LimitsHealth;

    /// Ends the connections to whoever counts.
    async fn close(&self);
}

/// How counting together goes, as counts since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LimitsHealth {
    /// What was counted for all nodes.
    pub shared: u64,
    /// What was counted by this node alone, although there are others: they could not be asked.
    pub alone: u64,
}

/// What is limited.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// Sending a message.
    Message,
    /// Saying how far a device has got.
    Receipt,
    /// Saying that somebody is typing in a conversation.
    Typing,
    /// Saying so anywhere.
    TypingAnywhere,
    /// Saying how available one is, or whom one follows.
    Presence,
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
    /// Connecting.
    Connect,
    /// Uploading or fetching 64 KiB of a blob.
    Transfer,
    /// Writing to or reading from a mailbox of two devices that are linked.
    Linking,
    /// Filing a report.
    Report,
    /// A REST request of somebody who is known.
    Request,
    /// A REST request of somebody who is not.
    Anonymous,
}

/// How a class is counted when there are several nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sharing {
    /// This node decides by what it knows, and hears at once what the others have counted. A
    /// subject that is everywhere at the same moment gets a few more than its share, once.
    Eager,
    /// All nodes are asked before the answer; while they cannot be, this node decides alone.
    Exact,
    /// All nodes are asked before the answer, and without theirs there is none.
    Strict,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Message,
        Self::Receipt,
        Self::Typing,
        Self::TypingAnywhere,
        Self::Presence,
        Self::Login,
        Self::Challenge,
        Self::Registration,
        Self::RegistrationFinish,
        Self::Fetch,
        Self::Connect,
        Self::Transfer,
        Self::Linking,
        Self::Report,
        Self::Request,
        Self::Anonymous,
    ];

    /// Its name in metrics, in the audit log and among the nodes; never given to another.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::Typing => "typing",
            Self::TypingAnywhere => "typing_anywhere",
            Self::Presence => "presence",
            Self::Login => "login",
            Self::Challenge => "challenge",
            Self::Registration => "registration",
            Self::RegistrationFinish => "registration_finish",
            Self::Fetch => "fetch",
            Self::Connect => "connect",
            Self::Transfer => "transfer",
            Self::Linking => "linking",
            Self::Report => "report",
            Self::Request => "request",
            Self::Anonymous => "anonymous",
        }
    }

    /// How it is counted when there are several nodes.
    #[must_use]
    pub const fn sharing(self) -> Sharing {
        match self {
            // SECURITY: whoever guesses passwords could wait for an outage, or cause one.
            Self::Login => Sharing::Strict,
            Self::Challenge | Self::Registration | Self::RegistrationFinish | Self::Connect => {
                Sharing::Exact
            }
            _ => Sharing::Eager,
        }
    }

    fn rate(self, rates: &Rates) -> Rate {
        let (count, seconds) = match self {
            Self::Message => (rates.messages_a_minute, 60),
            // Reading a full inbox gives a receipt or two a conversation.
            Self::Receipt => (rates.messages_a_minute.saturating_mul(10), 60),
            Self::Typing | Self::Presence => (rates.typing_a_minute, 60),
            Self::TypingAnywhere => (rates.typing_a_minute.saturating_mul(10), 60),
            Self::Login => (rates.logins_a_quarter_hour, 900),
            // A device's answer cannot be guessed, so this only keeps the store from being filled.
            Self::Challenge => (rates.logins_a_quarter_hour.saturating_mul(10), 900),
            Self::Registration | Self::RegistrationFinish => {
                (rates.registrations_in_3_minutes, 180)
            }
            Self::Fetch => (rates.fetches_a_minute, 60),
            Self::Connect => (rates.connections_a_minute, 60),
            Self::Transfer => (rates.blob_mebibytes_a_quarter_hour.saturating_mul(16), 900),
            // Two devices at one address, for ten minutes, and some patience.
            Self::Linking => (rates.requests_a_quarter_hour.div_ceil(5), 900),
            // Each may bring megabytes, and somebody has to read it.
            Self::Report => (10, 3_600),
            Self::Request => (rates.requests_a_quarter_hour, 900),
            Self::Anonymous => (rates.requests_a_quarter_hour.div_ceil(10), 900),
        };
        Rate { count, period: Duration::from_secs(seconds) }
    }
}

/// So many at once, and so many in a period.
#[derive(Clone, Copy, Debug)]
struct Rate {
    count: u32,
    period: Duration,
}

/// A moment, in microseconds since 1970, so that thousands a second are counted fairly.
type Micros = u64;

impl Rate {
    /// What one costs.
    fn interval(self) -> Micros {
        (self.burst() / u64::from(self.count.max(1))).max(1)
    }

    /// What so many cost; never more than there is.
    fn cost(self, count: u32) -> Micros {
        self.interval().saturating_mul(u64::from(count)).min(self.burst())
    }

    /// How far `due` may run ahead.
    fn burst(self) -> Micros {
        u64::try_from(self.period.as_micros()).unwrap_or(Micros::MAX)
    }

    /// What to make of a `due` that was noted earlier. One further ahead than anybody can have
    /// taken was noted by a clock that has gone back since: as much as there is was taken then.
    fn believe(self, due: Micros, now: Micros) -> Micros {
        let all_taken = now.saturating_add(self.burst());
        if due > all_taken.saturating_add(self.burst()) { all_taken } else { due }
    }

    /// Where `due` moves if `count` more are taken.
    fn take(self, due: Micros, count: u32, now: Micros) -> Result<Micros, Wait> {
        let next = due.max(now).saturating_add(self.cost(count));
        match next.saturating_sub(now.saturating_add(self.burst())) {
            0 => Ok(next),
            wait => Err(Wait(wait)),
        }
    }
}

fn micros(moment: Timestamp) -> Micros {
    moment.as_millis().saturating_mul(1_000)
}

/// How long to wait, in microseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Wait(Micros);

impl From<Wait> for Reject {
    fn from(Wait(micros): Wait) -> Self {
        let mut reject = Self::from(RejectCode::RateLimited);
        reject.retry_after_ms = Some(micros.div_ceil(1_000));
        reject
    }
}
