//! Partitions of messages, one for each month in UTC: made ahead, and dropped as a whole.
//!
//! ```text
//!  messages ─┬─ messages_y2026m11   what was accepted in November
//!            ├─ messages_y2026m12   made ahead; or at the first message, if a clock has leapt there
//!            └─ messages_beyond     from the year 10000 on: a clock that cannot be right
//! ```
//!
//! Nobody waits for this. A month is made beside the table and attached, which needs a lock that
//! neither readers nor writers nor a backup in progress stand in the way of; there is no default
//! partition, since attaching beside one would have to lock that. A month is detached concurrently,
//! in two transactions: the first hides it from whoever comes, the second waits for whoever was
//! there. If it waits in vain the month stays hidden and is detached for good later. Then it is
//! exported, if there is an archive, and dropped; a node that dies in between leaves that to the
//! next.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::time::Timestamp;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, query, query_as, query_scalar};
use tokio::io::AsyncWriteExt as _;

use super::super::month::Month;
use super::super::row::signed;
use super::Connection;
use crate::storage::StorageError;

/// The advisory lock of whoever makes a month; held for some milliseconds.
const MAKING: i64 = 0x5EA1_0001;
/// The advisory lock of whoever exports and drops months; held for as long as that takes.
const LETTING_GO: i64 = 0x5EA1_0002;
/// How many months ahead.
const AHEAD: usize = 3;
/// The year from which on all messages stand in one partition, which the schema brings.
const BEYOND: u64 = 10_000;
/// How long ids are remembered beyond their messages, for senders that resend late.
const IDS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How many ids are forgotten at once.
const IDS_AT_ONCE: i64 = 20_000;

/// The months that there is room for, as far as this node knows; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Months(Arc<Mutex<BTreeSet<Month>>>);

impl Months {
    pub(super) fn has(&self, month: Month) -> bool {
        self.known().contains(&month)
    }

    pub(super) fn note(&self, month: Month) {
        self.known().insert(month);
    }

    /// Forgets all; tells whether any was known.
    pub(super) fn forget(&self) -> bool {
        !std::mem::take(&mut *self.known()).is_empty()
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<Month>> {
        // The set is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a month that is let go of.
pub(super) type Archive<'a> = Option<&'a Path>;

/// Makes the coming months; detaches those that are too old, and lets go of those that are detached.
pub(super) async fn tend(
    connection: &mut Connection,
    keep: Option<Duration>,
    archive: Archive<'_>,
    now: Timestamp,
) -> Result<u64, StorageError> {
    let mut month = Month::of(now);
    for _ in 0..=AHEAD {
        make(connection, month).await?;
        month = month.next();
    }
    let Some(keep) = keep else { return Ok(0) };
    let kept = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    let before = now.as_millis().saturating_sub(kept);
    for (name, state) in months(connection).await? {
        let is_over = month_of(&name).is_some_and(|month| month.next().start_ms() <= before);
        if state == State::Hidden || (is_over && state == State::Attached) {
            detach(connection, &name, state).await;
        }
    }
    let mut dropped = 0;
    for (name, state) in months(connection).await? {
        if state == State::Detached {
            dropped += u64::from(let_go(connection, &name, archive, now).await?);
        }
    }
    forget_ids(connection, before).await?;
    Ok(dropped)
}

fn name(month: Month) -> String {
    format!("messages_y{:04}m{:02}", month.year, month.month)
}

/// The month that a partition is named by.
fn month_of(name: &str) -> Option<Month> {
    let (year, month) = name.strip_prefix("messages_y")?.split_once('m')?;
    Some(Month { year: year.parse().ok()?, month: month.parse().ok()? })
}

/// Makes room for a month, where there is none.
pub(super) async fn make(connection: &mut Connection, month: Month) -> Result<(), StorageError> {
    let name = name(month);
    if month.year >= BEYOND || state_of(connection, &name).await? == Some(State::Attached) {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    query("SELECT pg_advisory_xact_lock($1)").bind(MAKING).execute(&mut *transaction).await?;
    let (from, to) = (month.start_ms(), month.next().start_ms());
    // The names are made of numbers.
    let create = [
        format!("CREATE TABLE {name} (LIKE messages INCLUDING ALL)"),
        format!("ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0.05)"),
    ];
    let attach =
        format!("ALTER TABLE messages ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})");
    let (create, attach) = match state_of(&mut transaction, &name).await? {
        None => (create.as_slice(), Some(attach)),
        // A clock has gone back into a month that is on its way out.
        Some(State::Detached) => (&[][..], Some(attach)),
        Some(State::Attached) => (&[][..], None),
        Some(State::Hidden) => return Err(StorageError::Unavailable),
    };
    for statement in create.iter().cloned().chain(attach) {
        query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// Whether a month is part of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Attached,
    /// Nobody who comes now sees it; it is still to be detached for good.
    Hidden,
    /// It is still to be exported and dropped.
    Detached,
}

impl State {
    fn read(is_partition: bool, is_hidden: bool) -> Self {
        match (is_partition, is_hidden) {
            (true, false) => Self::Attached,
            (true, true) => Self::Hidden,
            (false, _) => Self::Detached,
        }
    }
}

/// All months, in their order.
async fn months(connection: &mut Connection) -> Result<Vec<(String, State)>, StorageError> {
    let found: Vec<(String, bool, bool)> = query_as(
        "SELECT c.relname::text, c.relispartition, coalesce(i.inhdetachpending, FALSE) \
         FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.relkind = 'r' AND c.relnamespace = \
             (SELECT relnamespace FROM pg_class WHERE oid = 'messages'::regclass) \
         ORDER BY c.relname",
    )
    .fetch_all(connection)
    .await?;
    let mut months = Vec::new();
    for (name, is_partition, is_hidden) in found {
        if month_of(&name).is_some() {
            months.push((name, State::read(is_partition, is_hidden)));
        }
    }
    Ok(months)
}

async fn state_of(connection: &mut Connection, name: &str) -> Result<Option<State>, StorageError> {
    let found: Option<(bool, bool)> = query_as(
        "SELECT c.relispartition, coalesce(i.inhdetachpending, FALSE) \
         FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid \
         WHERE c.oid = to_regclass($1)",
    )
    .bind(name)
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(is_partition, is_hidden)| State::read(is_partition, is_hidden)))
}

/// Takes a month out of the table. If somebody uses the table for too long, or another node does the
/// same, that is for later.
async fn detach(connection: &mut Connection, name: &str, state: State) {
    let how = if state == State::Hidden { "FINALIZE" } else { "CONCURRENTLY" };
    // Outside of a transaction: it is two.
    let statement = format!("ALTER TABLE messages DETACH PARTITION {name} {how}");
    if let Err(error) = query(AssertSqlSafe(statement)).execute(connection).await {
        tracing::info!(%error, name, "the month is let go of later");
    }
}

/// Exports a month that was taken out, where that is wanted, and drops it; tells whether it is
/// gone.
async fn let_go(
    connection: &mut Connection,
    name: &str,
    archive: Archive<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let mut transaction = connection.begin().await?;
    let is_alone = query_scalar("SELECT pg_try_advisory_xact_lock($1)");
    if !is_alone.bind(LETTING_GO).fetch_one(&mut *transaction).await? {
        return Ok(false);
    }
    // Another node may have been here, or brought it back.
    if state_of(&mut transaction, name).await? != Some(State::Detached) {
        return Ok(false);
    }
    if let Some(folder) = archive {
        query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
        if let Err(error) = export(&mut transaction, name, folder).await {
            tracing::warn!(%error, name, "a month could not be archived; it stays until it can");
            return Ok(false);
        }
    }
    release_blobs(&mut transaction, name, now).await?;
    let statement = format!("DROP TABLE {name}");
    query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    tracing::info!(name, "a month of messages is gone");
    Ok(true)
}

/// Why a month is not in the archive.
#[derive(Debug, thiserror::Error)]
enum NotArchived {
    #[error("the archive cannot be written: {0}")]
    File(#[from] std::io::Error),
    #[error("the month cannot be read: {0}")]
    Database(#[from] sqlx::Error),
}

/// Writes a month to a file as COPY does in its binary form, with its SHA-256 beside it; a file that
/// stands under its own name is whole and on disk.
async fn export(connection: &mut Connection, name: &str, folder: &Path) -> Result<(), NotArchived> {
    tokio::fs::create_dir_all(folder).await?;
    let (file, sum) = (folder.join(format!("{name}.copy")), folder.join(format!("{name}.sha256")));
    let unfinished = folder.join(format!("{name}.unfinished"));
    let mut out = tokio::fs::File::create(&unfinished).await?;
    let mut digest = Sha256::new();
    // The name is made of numbers. What was to destroy itself is copied nowhere.
    let statement = format!(
        "COPY (SELECT * FROM {name} WHERE expires_at IS NULL AND seen_timer_ms IS NULL) \
         TO STDOUT (FORMAT binary)"
    );
    let mut bytes = connection.copy_out_raw(&statement).await?;
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        digest.update(&chunk);
        out.write_all(&chunk).await?;
    }
    out.sync_all().await?;
    let mut line = String::new();
    for byte in digest.finalize() {
        line.push_str(&format!("{byte:02x}"));
    }
    tokio::fs::write(&sum, format!("{line}  {name}.copy\n")).await?;
    tokio::fs::rename(&unfinished, &file).await?;
    Ok(())
}

/// Lets go of the blobs that a month's messages have named, in the order of their ids; what nothing
/// names then is due at once.
async fn release_blobs(
    connection: &mut Connection,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    // The name is made of numbers.
    let held = format!(
        "SELECT id FROM blobs WHERE id IN (SELECT u.blob FROM blob_uses u JOIN {name} m \
             ON u.kind = 1 AND u.owner = m.conversation AND u.number = m.sequence) \
         ORDER BY id FOR NO KEY UPDATE"
    );
    let blobs: Vec<Vec<u8>> = query_scalar(AssertSqlSafe(held)).fetch_all(&mut *connection).await?;
    if blobs.is_empty() {
        return Ok(());
    }
    let released = format!(
        "DELETE FROM blob_uses u USING {name} m \
         WHERE u.kind = 1 AND u.owner = m.conversation AND u.number = m.sequence"
    );
    query(AssertSqlSafe(released)).execute(&mut *connection).await?;
    query(
        "UPDATE blobs SET collect_at = $2 WHERE id = ANY($1) \
           AND NOT EXISTS (SELECT 1 FROM blob_uses u WHERE u.blob = blobs.id)",
    )
    .bind(blobs)
    .bind(signed(now.as_millis()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets ids of messages that are gone for so long that nobody resends them.
async fn forget_ids(connection: &mut Connection, before: u64) -> Result<(), StorageError> {
    let margin = u64::try_from(IDS_KEPT.as_millis()).unwrap_or(u64::MAX);
    loop {
        let forgotten = query(
            "DELETE FROM message_ids WHERE ctid = ANY(ARRAY(SELECT ctid FROM message_ids \
                 WHERE received_at < $1 LIMIT $2))",
        )
        .bind(signed(before.saturating_sub(margin)))
        .bind(IDS_AT_ONCE)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if forgotten < IDS_AT_ONCE.unsigned_abs() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_by_its_month() {
        let november = Month { year: 2026, month: 11 };

        assert_eq!(name(november), "messages_y2026m11");
        assert_eq!(month_of("messages_y2026m11"), Some(november));
        assert_eq!(month_of("messages_beyond"), None);
    }
}
