//! `timers`: how much time messages have left, by a clock that nobody can set.
//!
//! ```text
//!  deadline          by the wall clock            in `messages`, from when the timer runs
//!  boot · started · left   by the steady clock    here, and wound anew whenever it is looked at:
//!
//!  left = min( left − steady time passed in the same boot,  deadline − wall clock )
//! ```
//!
//! So a message goes by whichever of the two clocks is earlier: a wall clock that is set back
//! extends nothing, also across a restart of the device, since what was left before caps what is
//! left after.

use chat_core::time::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::millis;
use crate::clock::Steady;
use crate::error::Result;

/// Brings every timer that runs to what it has left at this moment, by both clocks.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn wind(tx: &Transaction<'_>, now: Timestamp, steady: Steady) -> Result<()> {
    begin(tx, now, steady)?;
    tx.prepare_cached(
        "UPDATE timers SET boot = ?2, started_ms = ?3, left_ms = min(
            left_ms - CASE WHEN boot = ?2 THEN max(0, ?3 - started_ms) ELSE 0 END,
            (SELECT deadline - ?1 FROM messages WHERE id = message))",
    )?
    .execute(params![millis(now), steady.boot, steady.millis()])?;
    Ok(())
}

/// Winds the timers that were never wound; all, if they are of another boot.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn settle(tx: &Transaction<'_>, now: Timestamp, steady: Steady) -> Result<()> {
    if are_of_another_boot(tx, steady)? { wind(tx, now, steady) } else { begin(tx, now, steady) }
}

/// Winds the timers that were never wound, and leaves the others as they are.
fn begin(tx: &Transaction<'_>, now: Timestamp, steady: Steady) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO timers (message, boot, started_ms, left_ms)
         SELECT message, ?2, ?3, deadline - ?1
         FROM unwound CROSS JOIN messages ON id = message WHERE deadline IS NOT NULL",
    )?
    .execute(params![millis(now), steady.boot, steady.millis()])?;
    tx.prepare_cached("DELETE FROM unwound")?.execute([])?;
    Ok(())
}

/// Tells whether there is something to settle: a timer that was never wound, or one of another boot.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn are_unsettled(tx: &Transaction<'_>, steady: Steady) -> Result<bool> {
    let is_unwound: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM unwound)")?
        .query_row([], |row| row.get(0))?;
    Ok(is_unwound || are_of_another_boot(tx, steady)?)
}

fn are_of_another_boot(tx: &Transaction<'_>, steady: Steady) -> Result<bool> {
    // Each half finds its first row by the index; `<>` would read them all.
    let are = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM timers WHERE boot < ?1)
                 OR EXISTS (SELECT 1 FROM timers WHERE boot > ?1)",
        )?
        .query_row([steady.boot], |row| row.get(0))?;
    Ok(are)
}

/// How long until the next timer ends, by whichever clock that is; zero if one has.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn next(
    tx: &Transaction<'_>,
    now: Timestamp,
    steady: Steady,
) -> Result<Option<std::time::Duration>> {
    let left: Option<i64> = tx
        .prepare_cached(
            "SELECT min(
                ifnull((SELECT min(deadline) - ?1 FROM messages WHERE deadline IS NOT NULL),
                    9223372036854775807),
                ifnull((SELECT started_ms + left_ms - ?3 FROM timers WHERE boot = ?2
                    ORDER BY started_ms + left_ms LIMIT 1), 9223372036854775807),
                ifnull((SELECT min(left_ms) FROM timers WHERE boot < ?2), 9223372036854775807),
                ifnull((SELECT min(left_ms) FROM timers WHERE boot > ?2), 9223372036854775807))",
        )?
        .query_row(params![millis(now), steady.boot, steady.millis()], |row| row.get(0))?;
    let left = left.filter(|left| *left < i64::MAX);
    Ok(left.map(|left| std::time::Duration::from_millis(u64::try_from(left).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chat_core::id::MessageId;

    use super::*;
    use crate::expiry::erase_due;
    use crate::message::{Draft, Timer};
    use crate::stage::{NOW, Person, alice_and_bob};

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_clock_that_is_set_back_extends_nothing() {
        let (alice, message) = with_an_hour().await;
        sweep(&alice, NOW, steady(1, 0)).await;

        let back = Timestamp::from_millis(NOW.as_millis() - 86_400_000);
        let early = sweep(&alice, back, steady(1, 3_599_999)).await;
        let due = sweep(&alice, back, steady(1, 3_600_000)).await;

        assert_eq!((early, due), (vec![], vec![message]));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_forward_ends_what_is_due_by_it() {
        let (alice, message) = with_an_hour().await;
        sweep(&alice, NOW, steady(1, 0)).await;

        let due = sweep(&alice, NOW.after(HOUR), steady(1, 1)).await;

        assert_eq!(due, [message]);
    }

    #[tokio::test]
    async fn time_with_the_device_switched_off_counts_by_the_wall_clock() {
        let (alice, message) = with_an_hour().await;
        sweep(&alice, NOW, steady(1, 500)).await;

        let due = sweep(&alice, NOW.after(HOUR), steady(2, 5)).await;

        assert_eq!(due, [message]);
    }

    #[tokio::test]
    async fn across_a_restart_what_was_left_before_is_the_most_there_is() {
        let (alice, message) = with_an_hour().await;
        sweep(&alice, NOW, steady(1, 0)).await;
        let half = Duration::from_secs(1800);
        sweep(&alice, NOW.after(half), steady(1, 1_800_000)).await;

        // Switched off, set back by a year, and on again.
        let year_ago = Timestamp::from_millis(NOW.as_millis() - 31_536_000_000);
        let at_start = sweep(&alice, year_ago, steady(2, 0)).await;
        let next = alice.write(move |tx, _, _| next(tx, year_ago, steady(2, 0))).await;
        let early = sweep(&alice, year_ago.after(half), steady(2, 1_799_999)).await;
        let due = sweep(&alice, year_ago.after(half), steady(2, 1_800_000)).await;

        assert_eq!((at_start, early, due), (vec![], vec![], vec![message]));
        assert_eq!(next, Some(half));
    }

    #[tokio::test]
    async fn a_timer_that_was_wound_goes_with_its_message() {
        let (alice, message) = with_an_hour().await;
        sweep(&alice, NOW, steady(1, 0)).await;
        sweep(&alice, NOW.after(HOUR), steady(1, 3_600_000)).await;

        let left: i64 = alice
            .write(|tx, _, _| Ok(tx.query_row("SELECT count(*) FROM timers", [], |r| r.get(0))?))
            .await;

        assert_eq!(left, 0);
        assert!(alice.has(message).await.is_none());
    }

    /// Alice, with a message that lives for an hour from now.
    async fn with_an_hour() -> (Person, MessageId) {
        let (alice, _, chat) = alice_and_bob().await;
        let draft = Draft::text("brief").expiring(Timer::after_sent(HOUR));
        let message = alice.says_with(chat, draft).await;
        alice.is_told(message, 1).await;
        (alice, message)
    }

    async fn sweep(person: &Person, now: Timestamp, steady: Steady) -> Vec<MessageId> {
        let due = person
            .write(move |tx, _, _| {
                wind(tx, now, steady)?;
                erase_due(tx, now)
            })
            .await;
        due.into_iter().map(|(_, message)| message).collect()
    }

    fn steady(boot: u8, millis: u64) -> Steady {
        Steady { boot: [boot; 16], since: Duration::from_millis(millis) }
    }
}
