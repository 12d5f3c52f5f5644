//! Limits counted in this process, for a relay of one node.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chat_core::reject::Reject;
use chat_core::time::Timestamp;

use super::{Class, Limits, LimitsHealth, Micros, Subject, Wait, micros};
use crate::config::Rates;

const SHARDS: usize = 16;
/// A shard that has grown to this many subjects forgets those that are not limited at the moment.
const SUBJECTS_A_SHARD: usize = 8_192;

type Shard = HashMap<(Class, Subject), Micros>;

/// Counts of this process.
#[derive(Debug)]
pub struct LocalLimits {
    rates: Rates,
    shards: Vec<Mutex<Shard>>,
}

impl LocalLimits {
    /// Limits to `rates`.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self { rates, shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Takes `count`.
    pub(super) fn count(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Micros,
    ) -> Result<(), Wait> {
        let rate = class.rate(&self.rates);
        let mut shard = self.shard(subject);
        if shard.len() >= SUBJECTS_A_SHARD {
            shard.retain(|_, due| *due > now);
        }
        let due = shard.entry((class, subject)).or_insert(now);
        *due = rate.believe(*due, now);
        *due = rate.take(*due, count, now)?;
        Ok(())
    }

    /// Says whether `count` could be taken.
    pub(super) fn look(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Micros,
    ) -> Result<(), Wait> {
        let rate = class.rate(&self.rates);
        let mut shard = self.shard(subject);
        let Some(due) = shard.get_mut(&(class, subject)) else { return Ok(()) };
        *due = rate.believe(*due, now);
        rate.take(*due, count, now).map(|_| ())
    }

    /// Learns what was counted elsewhere too; what is known here already stays.
    pub(super) fn learn(&self, class: Class, subject: Subject, due: Micros) {
        let mut shard = self.shard(subject);
        let known = shard.entry((class, subject)).or_default();
        *known = due.max(*known);
    }

    #[allow(clippy::indexing_slicing)]
    fn shard(&self, subject: Subject) -> MutexGuard<'_, Shard> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(subject);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        // INVARIANT: there are SHARDS shards, and the remainder is smaller. What the lock guards is
        // whole between any two statements.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Limits for LocalLimits {
    async fn take_many(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
        now: Timestamp,
    ) -> Result<(), Reject> {
        Ok(self.count(class, subject, count, micros(now))?)
    }

    fn health(&self) -> LimitsHealth {
        LimitsHealth::default()
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::conformance::{self, ALICE, NOW, suite};

    suite!(with_limits);

    async fn with_limits<F>(rates: Rates, test: impl FnOnce(Arc<dyn Limits>) -> F)
    where
        F: Future<Output = ()>,
    {
        test(Arc::new(LocalLimits::new(rates))).await;
    }

    #[test]
    fn subjects_that_are_not_limited_are_forgotten() {
        let limits = LocalLimits::new(Rates::DEFAULT);
        let name = |number: u32| Subject::Name(chat_core::codec::Digest::of(&number.to_be_bytes()));
        let later = micros(NOW.after(std::time::Duration::from_secs(3_600)));
        for number in 0..u32::try_from(SHARDS * SUBJECTS_A_SHARD).unwrap() {
            limits.count(Class::Login, name(number), 1, micros(NOW)).unwrap();
        }

        for number in 0..1_000 {
            limits.count(Class::Login, name(number), 1, later).unwrap();
        }

        let kept: usize = limits.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept < SHARDS * SUBJECTS_A_SHARD, "{kept}");
        assert_eq!(limits.look(Class::Login, ALICE, 1, later), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_by_a_day_keeps_nobody_out_for_a_day() {
        let limits = LocalLimits::new(conformance::RATES);
        let (now, a_day) = (micros(NOW), 86_400_000_000);
        let rate = Class::Message.rate(&conformance::RATES);
        limits.count(Class::Message, ALICE, rate.count, now).unwrap();

        let Err(Wait(wait)) = limits.count(Class::Message, ALICE, 1, now - a_day) else {
            panic!("what was used up is given away")
        };

        assert!(wait <= rate.burst(), "{wait}");
        assert_eq!(limits.look(Class::Message, ALICE, 1, now - a_day + wait), Ok(()));
    }

    #[test]
    fn what_was_counted_elsewhere_counts_here() {
        let limits = LocalLimits::new(conformance::RATES);
        let now = micros(NOW);

        limits.learn(Class::Message, ALICE, now + 60_000_000);

        assert!(limits.look(Class::Message, ALICE, 1, now).is_err());
        limits.learn(Class::Message, ALICE, now);
        assert!(limits.count(Class::Message, ALICE, 1, now).is_err(), "nothing is unlearned");
    }
}
