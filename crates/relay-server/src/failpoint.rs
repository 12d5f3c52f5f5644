//! Named points at which a relay under test dies, or is told that its store has failed.
//!
//! ```text
//!  checks ─checked─▶ lane ─queued─▶ rows ─written─▶ COMMIT ─committed─▶ accepted ─answered─▶ bus ─published─▶ push
//!                                                                                       │
//!  cursor stored ◀─gathered─ acknowledged ◀── device ◀─delivered─ queue of the connection ◀┘
//! ```
//!
//! `SEALWIRE_FAIL=committed:17:die` ends the process at the seventeenth passing of that point, as
//! SIGKILL would; `written:5:fail` lets every fifth passing fail. Random kills seldom hit the gaps
//! that these points stand in. `docs/faults.md` says what a relay makes of each.
//!
//! Absent from every build without debug assertions, and so from every release: there the functions
//! are empty and the variable means nothing.

use crate::storage::StorageError;

/// A gap between two steps of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Point {
    /// A message was checked, and is in no lane yet.
    Checked,
    /// A batch was taken from its lane; nothing of it is written.
    Queued,
    /// A transaction has written everything, and is not committed.
    Written,
    /// A batch is durable; nobody knows it.
    Committed,
    /// A sender was told `accepted`; no other node knows of the message.
    Answered,
    /// The nodes were told; nobody was woken.
    Published,
    /// A message is in the queue of a connection; no cursor covers it.
    Delivered,
    /// Cursors were taken to be stored.
    Gathered,
}

impl Point {
    #[cfg(debug_assertions)]
    const ALL: [(Self, &'static str); 8] = [
        (Self::Checked, "checked"),
        (Self::Queued, "queued"),
        (Self::Written, "written"),
        (Self::Committed, "committed"),
        (Self::Answered, "answered"),
        (Self::Published, "published"),
        (Self::Delivered, "delivered"),
        (Self::Gathered, "gathered"),
    ];
}

/// Passes a point at which nothing can fail but the process.
#[inline]
pub(crate) fn pass(point: Point) {
    let _ = may_fail(point);
}

/// Passes a point at which the store may fail.
///
/// # Errors
///
/// [`StorageError::Unavailable`], if a test wants it so.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn may_fail(_: Point) -> Result<(), StorageError> {
    Ok(())
}

#[cfg(debug_assertions)]
pub(crate) use armed::may_fail;

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Point, StorageError};

    /// Names the point, how many passings, and what happens.
    const VARIABLE: &str = "SEALWIRE_FAIL";

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let plan = Plan::read(&text);
        if plan.is_none() {
            // A test that misspells its point must not pass for that.
            tracing::error!("{VARIABLE} cannot be read");
            std::process::abort();
        }
        plan
    });

    #[derive(Debug)]
    pub(super) struct Plan {
        point: Point,
        passings: u64,
        what: What,
        passed: AtomicU64,
    }

    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum What {
        Die,
        Fail,
    }

    impl Plan {
        pub(super) fn read(text: &str) -> Option<Self> {
            let mut parts = text.split(':');
            let (name, passings, what) = (parts.next()?, parts.next()?, parts.next()?);
            let (point, _) = Point::ALL.into_iter().find(|(_, known)| *known == name)?;
            let passings = passings.parse().ok().filter(|count| *count > 0)?;
            let what = match what {
                "die" => What::Die,
                "fail" => What::Fail,
                _ => return None,
            };
            let is_whole = parts.next().is_none();
            is_whole.then_some(Self { point, passings, what, passed: AtomicU64::new(0) })
        }

        /// What happens at this passing.
        pub(super) fn pass(&self, point: Point) -> Result<(), StorageError> {
            if point != self.point {
                return Ok(());
            }
            let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
            if !passed.is_multiple_of(self.passings) {
                return Ok(());
            }
            match self.what {
                What::Die => std::process::abort(),
                What::Fail => Err(StorageError::Unavailable),
            }
        }
    }

    pub(crate) fn may_fail(point: Point) -> Result<(), StorageError> {
        PLAN.as_ref().map_or(Ok(()), |plan| plan.pass(point))
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::Plan;
    use super::*;

    #[test]
    fn every_so_manieth_passing_of_the_point_fails_and_no_other() {
        let plan = Plan::read("written:3:fail").unwrap();

        let passings = [Point::Written, Point::Queued, Point::Written, Point::Written];
        let outcomes = passings.map(|point| plan.pass(point));

        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(StorageError::Unavailable)]);
    }

    #[test]
    fn a_plan_names_a_point_a_count_and_a_deed() {
        assert!(Plan::read("committed:17:die").is_some());
        for text in ["", "committed", "committed:17", "committed:0:die", "comitted:1:die"] {
            assert!(Plan::read(text).is_none(), "{text}");
        }
        for text in ["committed:x:die", "committed:1:sleep", "committed:1:die:"] {
            assert!(Plan::read(text).is_none(), "{text}");
        }
    }
}
