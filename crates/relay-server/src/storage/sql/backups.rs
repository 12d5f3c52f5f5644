//! Heads of backups, compared and swapped while their row is held; segments are blobs they name.

use async_trait::async_trait;
use chat_core::api::backup::{BackupHead, BackupSegment, PutBackup, SegmentPage};
use chat_core::codec::{Bytes, List};
use chat_core::id::AccountId;
use chat_core::limits::PAGE_MAX;
use chat_core::time::Timestamp;
use sqlx::{query, query_as};

use super::naming::{Namer, let_go, name, share_own};
use super::row::{fixed, one_more, signed, unsigned};
use super::{Connection, StorageError, Store};
use crate::storage::BackupStorage;

#[async_trait]
impl BackupStorage for Store {
    async fn backup_head(&self, account: AccountId) -> Result<Option<BackupHead>, StorageError> {
        let sql = "SELECT number, backup, first, last, head FROM backup_heads WHERE account = $1";
        read!(self, head(account, sql))
    }

    async fn backup_segments(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<SegmentPage, StorageError> {
        read!(self, segments(account, before, limit.min(PAGE_MAX)))
    }

    async fn put_backup(
        &self,
        account: AccountId,
        new: &PutBackup,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, put(account, new, now))
    }
}

type HeadRow = (i64, Vec<u8>, i64, i64, Vec<u8>);

async fn head(
    connection: &mut Connection,
    account: AccountId,
    sql: &'static str,
) -> Result<Option<BackupHead>, StorageError> {
    let found: Option<HeadRow> =
        query_as(sql).bind(account.as_bytes().as_slice()).fetch_optional(connection).await?;
    let Some((number, backup, first, last, sealed)) = found else { return Ok(None) };
    Ok(Some(BackupHead {
        number: unsigned(number)?,
        backup: fixed(&backup)?,
        first: unsigned(first)?,
        last: unsigned(last)?,
        head: Bytes::new(sealed)?,
    }))
}

async fn segments(
    connection: &mut Connection,
    account: AccountId,
    before: Option<u64>,
    limit: usize,
) -> Result<SegmentPage, StorageError> {
    let rows: Vec<(i64, Vec<u8>)> = query_as(
        "SELECT number, blob FROM blob_uses WHERE kind = 2 AND owner = $1 AND number < $2 \
         ORDER BY number DESC LIMIT $3",
    )
    .bind(account.as_bytes().as_slice())
    .bind(signed(before.unwrap_or(u64::MAX)))
    .bind(one_more(limit))
    .fetch_all(connection)
    .await?;
    let more = rows.len() > limit;
    let segment = |(number, blob): (i64, Vec<u8>)| {
        Ok(BackupSegment { number: unsigned(number)?, blob: fixed(&blob)? })
    };
    let segments: Vec<_> =
        rows.into_iter().take(limit).map(segment).collect::<Result<_, StorageError>>()?;
    Ok(SegmentPage { segments: List::new(segments)?, more })
}

async fn put(
    connection: &mut Connection,
    account: AccountId,
    new: &PutBackup,
    now: Timestamp,
) -> Result<(), StorageError> {
    let sql = concat!(
        "SELECT number, backup, first, last, head FROM backup_heads WHERE account = $1",
        for_update!()
    );
    let stored = head(connection, account, sql).await?;
    if stored.as_ref().is_some_and(|stored| is_same(stored, new)) {
        return Ok(());
    }
    if !follows(stored.as_ref(), new) {
        return Err(StorageError::Conflict);
    }
    store(connection, account, new, stored.is_some()).await?;
    let begins_anew = stored.is_none_or(|stored| stored.backup != new.backup);
    let gone = if begins_anew { u64::MAX } else { new.first - 1 };
    let owner = account.as_bytes();
    let_go(connection, Namer::Segment, owner, (0, gone), now).await?;
    for segment in &*new.segments {
        share_own(connection, account, segment.blob).await?;
        name(connection, Namer::Segment, owner, segment.number, segment.blob).await?;
    }
    Ok(())
}

/// Whether it is the stored head once more.
fn is_same(stored: &BackupHead, new: &PutBackup) -> bool {
    (stored.number, stored.backup, stored.first, stored.last)
        == (new.number, new.backup, new.first, new.last)
        && stored.head == new.head
}

/// Whether it comes next, and its segments begin where those that are known end.
fn follows(stored: Option<&BackupHead>, new: &PutBackup) -> bool {
    let number = stored.map_or(0, |stored| stored.number);
    let known = match stored {
        Some(stored) if stored.backup == new.backup => {
            if new.first < stored.first {
                return false;
            }
            stored.last
        }
        _ => new.first.saturating_sub(1),
    };
    let follow = (known + 1..).zip(&*new.segments).all(|(next, it)| it.number == next);
    new.number == number + 1 && follow && known + new.segments.len() as u64 == new.last
}

async fn store(
    connection: &mut Connection,
    account: AccountId,
    new: &PutBackup,
    is_there: bool,
) -> Result<(), StorageError> {
    let sql = if is_there {
        "UPDATE backup_heads SET number = $2, backup = $3, first = $4, last = $5, head = $6 \
         WHERE account = $1"
    } else {
        "INSERT INTO backup_heads (account, number, backup, first, last, head) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
    };
    let stored = query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(signed(new.number))
        .bind(new.backup.as_bytes().as_slice())
        .bind(signed(new.first))
        .bind(signed(new.last))
        .bind(&*new.head)
        .execute(connection)
        .await?;
    // Of two first heads at once, the second finds the first one's row.
    if stored.rows_affected() == 1 { Ok(()) } else { Err(StorageError::Conflict) }
}
