//! Prekeys: made, uploaded, replaced in time, and kept while somebody may still use them.
//!
//! ```text
//!  set n   ──── 7 days, or prekeys_low ────▶ set n+1 made, stored, uploaded
//!     └── kept 30 days more: a first message may have been on the road that long ──▶ erased
//! ```
//!
//! A set is stored before it is uploaded and the very same upload is repeated after a crash, so no
//! prekey is ever public whose secret half we do not have.

use std::time::Duration;

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::limits::ONE_TIME_PREKEYS_MAX;
use chat_core::prekey::PrekeyUpload;
use chat_core::time::Timestamp;
use chat_crypto::prekey::PrekeySecrets;
use rusqlite::Transaction;

use crate::context::{Context, Own};
use crate::error::{Kind, Result};
use crate::random::Rng;
use crate::store::prekeys;
use crate::store::unreadable;

/// How old a set gets before the next is made.
pub const REPLACE_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a replaced set is kept.
pub const KEEP_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why prekeys are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// The relay says that few one-time prekeys are left.
    Low,
    /// A connection was made, or a day has passed.
    Routine,
}

/// Makes and uploads a new set if it is time, and erases those that nobody can use any more.
///
/// # Errors
///
/// [`Kind::RelayUnreachable`]: the set is stored, the next call uploads it. [`Kind::Conflict`] if
/// another process of this device uploads at the same time.
pub async fn replenish(context: &Context, occasion: Occasion) -> Result<()> {
    let Some(first) = due(context, occasion, 0).await? else { return Ok(()) };
    match upload(context, first).await {
        Err(error) if error.kind() == Kind::Conflict => {}
        outcome => return outcome,
    }
    // Either an earlier attempt got through and its answer did not, or this store is older than
    // what the relay has, and a number beyond that is needed.
    let relay_has = context.relay.prekey_count().await?.number;
    let waiting = context.store.read(prekeys::waiting_upload).await?;
    if waiting.is_some_and(|(number, _)| number == relay_has) {
        return context.store.write(move |tx| prekeys::uploaded(tx, relay_has)).await;
    }
    match due(context, Occasion::Low, relay_has).await? {
        Some(next) => upload(context, next).await,
        None => Ok(()),
    }
}

/// A set's number and its upload, encoded.
type Due = (u32, Vec<u8>);

/// The upload that is due, with a number above `above`; made now if need be.
async fn due(context: &Context, occasion: Occasion, above: u32) -> Result<Option<Due>> {
    let (own, now, mut rng) = (context.own.clone(), context.now(), context.rng());
    let prepare = move |tx: &Transaction<'_>| {
        forget_unusable(tx, now)?;
        let waiting = prekeys::waiting_upload(tx)?;
        if let Some(due) = waiting.filter(|(number, _)| *number > above) {
            return Ok(Some(due));
        }
        let newest = prekeys::newest(tx)?;
        let is_fresh = newest.is_some_and(|(_, made_at)| now.since(made_at) < REPLACE_AFTER);
        if is_fresh && occasion == Occasion::Routine {
            return Ok(None);
        }
        let number = newest.map_or(0, |(number, _)| number).max(above);
        make(tx, &own, number.checked_add(1).ok_or(Kind::Internal)?, now, &mut rng).map(Some)
    };
    context.store.write(prepare).await
}

async fn upload(context: &Context, (number, upload): Due) -> Result<()> {
    let upload: PrekeyUpload = from_bytes(&upload).map_err(unreadable)?;
    context.relay.put_prekeys(&upload).await?;
    context.store.write(move |tx| prekeys::uploaded(tx, number)).await
}

fn make(
    tx: &Transaction<'_>,
    own: &Own,
    number: u32,
    now: Timestamp,
    rng: &mut Rng,
) -> Result<Due> {
    let (secrets, upload) =
        PrekeySecrets::generate(&own.device, own.address, number, ONE_TIME_PREKEYS_MAX, now, rng);
    let upload = to_bytes(&upload);
    prekeys::insert(tx, number, &secrets.to_snapshot(), Some(&upload), now)?;
    Ok((number, upload))
}

fn forget_unusable(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    let made_before = now.as_millis().saturating_sub(millis(REPLACE_AFTER + KEEP_FOR));
    prekeys::forget_older(tx, Timestamp::from_millis(made_before))?;
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The secrets of all sets that are kept, newest first: what a first message may go by.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn load(tx: &Transaction<'_>) -> Result<Vec<PrekeySecrets>> {
    prekeys::load_all(tx)?
        .iter()
        .map(|row| PrekeySecrets::from_snapshot(&row.secrets).map_err(unreadable))
        .collect()
}

/// Stores a set of which a one-time prekey was spent, in the transaction that stores the session
/// it began.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub fn save(tx: &Transaction<'_>, secrets: &PrekeySecrets) -> Result<()> {
    prekeys::save(tx, secrets.number(), &secrets.to_snapshot())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::context::tests::{offline, start};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    async fn sets(context: &Context) -> Vec<u32> {
        let sets = context.store.read(load).await.unwrap();
        sets.iter().map(PrekeySecrets::number).collect()
    }

    /// What the next attempt would upload.
    async fn waiting(context: &Context) -> Option<Due> {
        context.store.read(prekeys::waiting_upload).await.unwrap()
    }

    async fn pretend_uploaded(context: &Context) {
        let (number, _) = waiting(context).await.unwrap();
        context.store.write(move |tx| prekeys::uploaded(tx, number)).await.unwrap();
    }

    #[tokio::test]
    async fn a_set_that_did_not_get_through_is_uploaded_unchanged_later() {
        let context = offline(ManualClock::at(start())).await;

        let error = replenish(&context, Occasion::Low).await.unwrap_err();
        let first = waiting(&context).await;
        replenish(&context, Occasion::Low).await.unwrap_err();

        assert_eq!(error.code(), "relay_unreachable");
        assert!(first.is_some());
        assert_eq!(waiting(&context).await, first);
        assert_eq!(sets(&context).await, [1]);
    }

    #[tokio::test]
    async fn a_set_is_replaced_after_a_week_and_kept_for_a_month_more() {
        let clock = ManualClock::at(start());
        let context = offline(clock.clone()).await;
        let mut kept = Vec::new();
        for _day in 0..60 {
            if replenish(&context, Occasion::Routine).await.is_err() {
                pretend_uploaded(&context).await;
                kept.push(sets(&context).await);
            }
            clock.advance(DAY);
        }

        assert_eq!(kept.len(), 9, "one a week");
        assert_eq!(kept[5], [6, 5, 4, 3, 2, 1], "made on day 35");
        assert_eq!(kept[6], [7, 6, 5, 4, 3, 2], "made on day 42");
    }

    #[tokio::test]
    async fn few_left_are_reason_enough_for_a_new_set() {
        let context = offline(ManualClock::at(start())).await;
        replenish(&context, Occasion::Routine).await.unwrap_err();
        pretend_uploaded(&context).await;

        replenish(&context, Occasion::Routine).await.unwrap();
        replenish(&context, Occasion::Low).await.unwrap_err();

        assert_eq!(sets(&context).await, [2, 1]);
    }

    #[tokio::test]
    async fn a_spent_prekey_is_gone() {
        let context = offline(ManualClock::at(start())).await;
        replenish(&context, Occasion::Routine).await.unwrap_err();

        context
            .store
            .write(|tx| {
                let mut sets = load(tx)?;
                sets[0].spend(7);
                save(tx, &sets[0])
            })
            .await
            .unwrap();

        let left = context.store.read(load).await.unwrap();
        assert_eq!(left[0].one_time_left(), ONE_TIME_PREKEYS_MAX - 1);
    }
}
