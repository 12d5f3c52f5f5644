//! Heads of backups: compared and swapped, also by many at once, and what they keep.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::backup::{BackupHead, BackupSegment, PutBackup};
use chat_core::codec::{Bytes, List};
use chat_core::id::{AccountId, BackupId, BlobId, WorkspaceId};
use chat_core::time::Timestamp;

use super::people::NOW;
use crate::blobs::ObjectName;
use crate::storage::{Piece, Reservation, Room, Storage, StorageError};

const ALICE: AccountId = AccountId::from_bytes([1; 16]);
const BOB: AccountId = AccountId::from_bytes([2; 16]);

pub(crate) async fn a_head_is_replaced_by_the_next_number_only(store: Arc<dyn Storage>) {
    assert_eq!(store.backup_head(ALICE).await, Ok(None));
    assert_eq!(store.put_backup(ALICE, &head(2, &[]), NOW).await, Err(StorageError::Conflict));
    store.put_backup(ALICE, &head(1, &[]), NOW).await.unwrap();
    store.put_backup(ALICE, &head(2, &[]), NOW).await.unwrap();

    let again = store.put_backup(ALICE, &head(2, &[]), NOW).await;
    let older = store.put_backup(ALICE, &head(1, &[]), NOW).await;
    let skipping = store.put_backup(ALICE, &head(4, &[]), NOW).await;
    let another = PutBackup { head: Bytes::new(b"another".to_vec()).unwrap(), ..head(2, &[]) };
    let fork = store.put_backup(ALICE, &another, NOW).await;

    let conflict = Err(StorageError::Conflict);
    assert_eq!((again, older, skipping, fork), (Ok(()), conflict, conflict, conflict));
    let stored = store.backup_head(ALICE).await.unwrap().unwrap();
    assert_eq!(stored.number, 2);
    assert_eq!(store.backup_head(BOB).await, Ok(None));
}

pub(crate) async fn of_many_who_replace_a_head_one_succeeds(store: Arc<dyn Storage>) {
    for number in 1..=3 {
        let replace = |device: u8| {
            let store = store.clone();
            let sealed = Bytes::new(vec![device; 8]).unwrap();
            let new = PutBackup { head: sealed, ..head(number, &[]) };
            tokio::spawn(async move { store.put_backup(ALICE, &new, NOW).await.is_ok() })
        };

        let devices: Vec<_> = (0..6).map(replace).collect();
        let mut replaced = 0;
        for device in devices {
            replaced += u32::from(device.await.unwrap());
        }

        assert_eq!(replaced, 1, "head {number}");
    }
}

pub(crate) async fn segments_are_kept_as_long_as_a_head_stands_for_them(store: Arc<dyn Storage>) {
    for number in 1..=4 {
        upload(&store, number, ALICE).await;
    }
    store.put_backup(ALICE, &head(1, &[1, 2]), NOW).await.unwrap();
    store.put_backup(ALICE, &PutBackup { last: 3, ..head(2, &[3]) }, NOW).await.unwrap();

    assert_eq!(store.collect_blobs(later(2), 10).await, Ok(1), "nothing names the fourth");
    let page = store.backup_segments(ALICE, None, 2).await.unwrap();
    assert_eq!(numbers(&page.segments), [3, 2]);
    assert!(page.more);
    let page = store.backup_segments(ALICE, Some(2), 2).await.unwrap();
    assert_eq!((numbers(&page.segments), page.more), (vec![1], false));

    let trimmed = PutBackup { first: 3, last: 3, ..head(3, &[]) };
    store.put_backup(ALICE, &trimmed, later(3)).await.unwrap();
    assert_eq!(store.collect_blobs(later(3), 10).await, Ok(2));

    let anew = PutBackup { backup: BackupId::from_bytes([8; 16]), ..head(4, &[]) };
    store.put_backup(ALICE, &anew, later(4)).await.unwrap();
    assert_eq!(store.collect_blobs(later(4), 10).await, Ok(1));
    assert!(store.backup_segments(ALICE, None, 10).await.unwrap().segments.is_empty());
}

pub(crate) async fn segments_follow_each_other_and_are_the_accounts_own(store: Arc<dyn Storage>) {
    upload(&store, 1, ALICE).await;
    upload(&store, 2, BOB).await;
    reserve(&store, 3, ALICE).await;

    let gap = PutBackup { last: 2, ..numbered(1, &[(2, 1)]) };
    let unsaid = PutBackup { last: 1, ..head(1, &[]) };
    let theirs = numbered(1, &[(1, 2)]);
    let unfinished = numbered(1, &[(1, 3)]);
    let nothing = numbered(1, &[(1, 9)]);
    let lower = PutBackup { first: 1, last: 0, ..head(2, &[]) };

    for new in [&gap, &unsaid] {
        assert_eq!(store.put_backup(ALICE, new, NOW).await, Err(StorageError::Conflict));
    }
    for new in [&theirs, &unfinished, &nothing] {
        assert_eq!(store.put_backup(ALICE, new, NOW).await, Err(StorageError::BlobMissing));
    }
    assert_eq!(store.backup_head(ALICE).await, Ok(None), "nothing of it was stored");
    let begun = PutBackup { first: 2, last: 1, ..head(1, &[]) };
    store.put_backup(ALICE, &begun, NOW).await.unwrap();
    assert_eq!(store.put_backup(ALICE, &lower, NOW).await, Err(StorageError::Conflict));
    let BackupHead { first, last, .. } = store.backup_head(ALICE).await.unwrap().unwrap();
    assert_eq!((first, last), (2, 1));
}

/// A head that brings segments, each with the number of its blob.
fn head(number: u64, blobs: &[u8]) -> PutBackup {
    numbered(number, &blobs.iter().map(|blob| (u64::from(*blob), *blob)).collect::<Vec<_>>())
}

fn numbered(number: u64, segments: &[(u64, u8)]) -> PutBackup {
    let segment = |(number, it): &(u64, u8)| BackupSegment { number: *number, blob: blob(*it) };
    PutBackup {
        number,
        backup: BackupId::from_bytes([7; 16]),
        first: 1,
        last: segments.last().map_or(0, |(last, _)| *last),
        head: Bytes::new(number.to_be_bytes().to_vec()).unwrap(),
        segments: List::new(segments.iter().map(segment).collect()).unwrap(),
    }
}

async fn reserve(store: &Arc<dyn Storage>, number: u8, uploader: AccountId) {
    let workspace = WorkspaceId::from_bytes([9; 16]);
    let new = Reservation { blob: blob(number), uploader, workspace, bytes: 10 };
    let room = Room { account: 1_000, workspace: None };
    store.reserve_blob(&new, room, later(1)).await.unwrap();
}

async fn upload(store: &Arc<dyn Storage>, number: u8, uploader: AccountId) {
    reserve(store, number, uploader).await;
    let object = ObjectName::from_bytes([number; 16]);
    let whole = [Piece { start: 0, length: 10, object }];
    store.place_pieces(blob(number), uploader, &whole, None, later(1)).await.unwrap();
}

fn numbers(segments: &[BackupSegment]) -> Vec<u64> {
    segments.iter().map(|segment| segment.number).collect()
}

fn blob(number: u8) -> BlobId {
    BlobId::from_bytes([number; 16])
}

fn later(days: u64) -> Timestamp {
    NOW.after(Duration::from_secs(days * 86_400))
}
