//! What everybody who counts must do, as tests that each of them runs.
//!
//! `suite!(with_limits)` makes a test of each sentence; `with_limits` brings fresh counts.

use std::sync::Arc;
use std::time::Duration;

use chat_core::id::AccountId;
use chat_core::reject::RejectCode;
use chat_core::time::Timestamp;

use super::{Class, Limits, Subject};
use crate::config::Rates;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(super) const ALICE: Subject = Subject::Account(AccountId::from_bytes([1; 16]));
pub(super) const BOB: Subject = Subject::Account(AccountId::from_bytes([2; 16]));
/// Few enough to be used up at once.
pub(super) const RATES: Rates =
    Rates { messages_a_minute: 6, logins_a_quarter_hour: 3, ..Rates::DEFAULT };

/// One class that this node counts and tells of, and one that it asks for.
const CLASSES: [(Class, u64); 2] = [(Class::Message, 10_000), (Class::Login, 300_000)];

macro_rules! suite {
    ($with_limits:path) => {
        $crate::limits::conformance::sentences! { $with_limits;
            so_many_pass_and_the_next_is_told_when_to_come_back,
            a_refused_request_is_not_counted,
            subjects_and_classes_do_not_share,
            what_is_unused_does_not_add_up,
            of_many_at_once_only_as_many_as_are_allowed_pass,
            a_clock_that_goes_back_gives_nothing_away,
            many_are_taken_at_once_or_not_at_all,
            more_than_there_ever_are_count_as_all_there_are,
        }
    };
}
pub(super) use suite;

macro_rules! sentences {
    ($with_limits:path; $($sentence:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $sentence() {
            let rates = $crate::limits::conformance::RATES;
            $with_limits(rates, $crate::limits::conformance::$sentence).await;
        })*
    };
}
pub(super) use sentences;

pub(super) async fn so_many_pass_and_the_next_is_told_when_to_come_back(limits: Arc<dyn Limits>) {
    for (class, wait) in CLASSES {
        use_up(&limits, class, NOW).await;

        let refused = limits.take(class, ALICE, NOW).await.unwrap_err();

        assert_eq!(refused.code, RejectCode::RateLimited);
        assert_eq!(refused.retry_after_ms, Some(wait));
        let early = NOW.after(Duration::from_millis(wait - 1));
        assert!(limits.take(class, ALICE, early).await.is_err());
        let later = NOW.after(Duration::from_millis(wait));
        assert_eq!(limits.take(class, ALICE, later).await, Ok(()));
        assert!(limits.take(class, ALICE, later).await.is_err());
    }
}

pub(super) async fn a_refused_request_is_not_counted(limits: Arc<dyn Limits>) {
    for (class, wait) in CLASSES {
        use_up(&limits, class, NOW).await;

        for _ in 0..20 {
            let refused = limits.take(class, ALICE, NOW).await.unwrap_err();
            assert_eq!(refused.retry_after_ms, Some(wait));
        }

        let later = NOW.after(Duration::from_millis(wait));
        assert_eq!(limits.take(class, ALICE, later).await, Ok(()));
    }
}

pub(super) async fn subjects_and_classes_do_not_share(limits: Arc<dyn Limits>) {
    for (class, _) in CLASSES {
        use_up(&limits, class, NOW).await;

        assert!(limits.take(class, ALICE, NOW).await.is_err());
        assert_eq!(limits.take(class, BOB, NOW).await, Ok(()));
        assert_eq!(limits.take(Class::Fetch, ALICE, NOW).await, Ok(()));
    }
}

pub(super) async fn what_is_unused_does_not_add_up(limits: Arc<dyn Limits>) {
    for (class, wait) in CLASSES {
        limits.take(class, ALICE, NOW).await.unwrap();
        let much_later = NOW.after(Duration::from_secs(24 * 3600));

        use_up(&limits, class, much_later).await;

        let refused = limits.take(class, ALICE, much_later).await.unwrap_err();
        assert_eq!(refused.retry_after_ms, Some(wait));
    }
}

pub(super) async fn of_many_at_once_only_as_many_as_are_allowed_pass(limits: Arc<dyn Limits>) {
    for (class, _) in CLASSES {
        let take = |_| {
            let limits = limits.clone();
            tokio::spawn(async move { limits.take(class, ALICE, NOW).await })
        };
        let tasks: Vec<_> = (0..40).map(take).collect();

        let mut passed = 0;
        for task in tasks {
            passed += u32::from(task.await.unwrap().is_ok());
        }

        assert_eq!(passed, allowed(class));
    }
}

pub(super) async fn a_clock_that_goes_back_gives_nothing_away(limits: Arc<dyn Limits>) {
    for (class, wait) in CLASSES {
        use_up(&limits, class, NOW).await;
        let before = Timestamp::from_millis(NOW.as_millis() - 5_000);

        let refused = limits.take(class, ALICE, before).await.unwrap_err();

        assert_eq!(refused.retry_after_ms, Some(wait + 5_000));
    }
}

/// Takes all that ALICE may have.
pub(super) async fn use_up(limits: &Arc<dyn Limits>, class: Class, now: Timestamp) {
    for _ in 0..allowed(class) {
        limits.take(class, ALICE, now).await.unwrap();
    }
}

fn allowed(class: Class) -> u32 {
    class.rate(&RATES).count
}

pub(super) async fn many_are_taken_at_once_or_not_at_all(limits: Arc<dyn Limits>) {
    limits.take_many(Class::Message, ALICE, 4, NOW).await.unwrap();

    let refused = limits.take_many(Class::Message, ALICE, 3, NOW).await.unwrap_err();

    assert_eq!(refused.retry_after_ms, Some(10_000));
    assert_eq!(limits.take_many(Class::Message, ALICE, 2, NOW).await, Ok(()));
    assert!(limits.take(Class::Message, ALICE, NOW).await.is_err());
}

pub(super) async fn more_than_there_ever_are_count_as_all_there_are(limits: Arc<dyn Limits>) {
    for class in [Class::Message, Class::Login] {
        assert_eq!(limits.take_many(class, ALICE, 1_000_000, NOW).await, Ok(()));

        assert!(limits.take(class, ALICE, NOW).await.is_err());
    }
}
