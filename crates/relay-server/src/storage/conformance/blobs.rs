//! Blobs: room, pieces that replace each other, and what is collected when.

use std::sync::Arc;
use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::id::{AccountId, BlobId, WorkspaceId};
use chat_core::time::Timestamp;

use super::people::{NOW, Person, group, people, stored};
use crate::blobs::ObjectName;
use crate::storage::{
    AppendError, Freshness, NewMessage, Piece, Placed, Reservation, Room, Storage, StorageError,
    StoredBlob,
};

const ROOM: Room = Room { account: 1_000, workspace: Some(1_500) };
const AFTER_SENT: Option<Expiry> = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 5_000 });
const AFTER_A_WHILE: Option<Expiry> =
    Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 200_000_000 });
const ALICE: AccountId = AccountId::from_bytes([1; 16]);
const BOB: AccountId = AccountId::from_bytes([2; 16]);
const HERE: WorkspaceId = WorkspaceId::from_bytes([9; 16]);

pub(crate) async fn room_is_taken_before_anything_comes(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 600).await.unwrap();

    let too_much = reserve(&store, 2, ALICE, 401).await;
    let exactly = reserve(&store, 3, ALICE, 400).await;

    assert_eq!(too_much, Err(StorageError::QuotaExceeded));
    assert_eq!(exactly, Ok(()));
    assert_eq!(reserve(&store, 4, ALICE, 1).await, Err(StorageError::QuotaExceeded));
    assert_eq!(store.blob_bytes_of(ALICE).await, Ok(1_000));
    assert_eq!(reserve(&store, 5, BOB, 501).await, Err(StorageError::QuotaExceeded));
    assert_eq!(reserve(&store, 5, BOB, 500).await, Ok(()));
    assert_eq!(reserve(&store, 6, BOB, 2_000).await, Err(StorageError::QuotaExceeded));
}

pub(crate) async fn of_many_who_want_the_last_room_one_gets_it(store: Arc<dyn Storage>) {
    let want = |number| {
        let store = store.clone();
        tokio::spawn(async move { reserve(&store, number, ALICE, 600).await.is_ok() })
    };
    let wanting: Vec<_> = (0..6).map(want).collect();

    let mut got = 0;
    for one in wanting {
        got += u32::from(one.await.unwrap());
    }

    assert_eq!(got, 1);
    assert_eq!(store.blob_bytes_of(ALICE).await, Ok(600));
}

pub(crate) async fn room_comes_back_with_deletion(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 1_000).await.unwrap();

    assert_eq!(store.delete_blob(blob(1), BOB).await, Err(StorageError::NotFound));
    assert_eq!(store.delete_blob(blob(1), ALICE).await, Ok(()));

    assert_eq!(store.delete_blob(blob(1), ALICE).await, Err(StorageError::NotFound));
    assert_eq!(store.blob_bytes_of(ALICE).await, Ok(0));
    assert_eq!(reserve(&store, 2, ALICE, 1_000).await, Ok(()));
}

pub(crate) async fn pieces_follow_each_other_until_the_blob_is_complete(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 100).await.unwrap();

    let first = place(&store, &[piece(0, 60, 1)], None).await;
    let gap = place(&store, &[piece(61, 39, 2)], None).await;
    let second = place(&store, &[piece(60, 40, 3)], None).await;
    let late = place(&store, &[piece(0, 100, 4)], None).await;

    assert_eq!(first, Placed::Here(stands_at(60)));
    assert_eq!(gap, Placed::Elsewhere(stands_at(60)));
    assert_eq!(second, Placed::Here(stands_at(100)));
    assert_eq!(late, Placed::Elsewhere(stands_at(100)), "what is complete never changes");
    let pieces = store.blob_pieces(blob(1), 0, 10).await.unwrap();
    assert_eq!(pieces, [piece(0, 60, 1), piece(60, 40, 3)]);
    assert_eq!(store.blob_pieces(blob(1), 59, 1).await.unwrap(), [piece(0, 60, 1)]);
    assert_eq!(store.blob_pieces(blob(1), 60, 9).await.unwrap(), [piece(60, 40, 3)]);
    let stranger = store.place_pieces(blob(1), BOB, &[piece(0, 9, 5)], None, later(1)).await;
    assert_eq!(stranger, Err(StorageError::NotFound));
}

pub(crate) async fn an_earlier_piece_replaces_what_came_after(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 100).await.unwrap();
    place(&store, &[piece(0, 30, 1)], None).await;
    place(&store, &[piece(30, 30, 2)], None).await;
    place(&store, &[piece(60, 30, 3)], None).await;

    let within = place(&store, &[piece(40, 10, 4)], None).await;
    let copied = place(&store, &[piece(30, 10, 5), piece(40, 20, 6)], Some(object(2))).await;

    assert_eq!(within, Placed::Elsewhere(stands_at(90)), "it would lose what is before it");
    assert_eq!(copied, Placed::Here(stands_at(60)));
    let pieces = store.blob_pieces(blob(1), 0, 10).await.unwrap();
    assert_eq!(pieces, [piece(0, 30, 1), piece(30, 10, 5), piece(40, 20, 6)]);
    assert_eq!(garbage(&store).await, [object(2), object(3)]);
    let again = place(&store, &[piece(30, 10, 7), piece(40, 20, 8)], Some(object(2))).await;
    assert_eq!(again, Placed::Elsewhere(stands_at(60)), "what was copied is no longer there");
}

pub(crate) async fn others_read_what_is_complete_in_their_workspace(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let here = store.account(alice.account).await.unwrap().unwrap().workspace;
    let new = Reservation { blob: blob(1), uploader: alice.account, workspace: here, bytes: 10 };
    store.reserve_blob(&new, ROOM, later(1)).await.unwrap();
    let elsewhere = Reservation { blob: blob(2), workspace: HERE, ..new };
    store.reserve_blob(&elsewhere, ROOM, later(1)).await.unwrap();

    let before = store.blob(blob(1), bob.account).await.unwrap();
    for (number, from) in [(1, 1), (2, 2)] {
        let whole = [piece(0, 10, from)];
        store.place_pieces(blob(number), alice.account, &whole, None, later(1)).await.unwrap();
    }

    let complete = StoredBlob { uploader: alice.account, bytes: 10, stored: 10 };
    assert_eq!(before, None);
    assert_eq!(store.blob(blob(1), bob.account).await, Ok(Some(complete)));
    assert_eq!(store.blob(blob(2), bob.account).await, Ok(None), "it is of another workspace");
    assert_eq!(store.blob(blob(2), alice.account).await, Ok(Some(complete)));
    assert_eq!(store.blob(blob(1), BOB).await, Ok(None), "nobody of that workspace");
    assert_eq!(store.blob(blob(3), alice.account).await, Ok(None));
}

pub(crate) async fn what_nothing_names_is_collected(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 100).await.unwrap();
    reserve(&store, 2, ALICE, 100).await.unwrap();
    place(&store, &[piece(0, 60, 1)], None).await;

    let too_early = store.collect_blobs(before(later(1)), 10).await;
    let first = store.collect_blobs(later(1), 10).await;
    let second = store.collect_blobs(later(2), 10).await;

    assert_eq!((too_early, first, second), (Ok(0), Ok(1), Ok(1)));
    assert_eq!(store.blob(blob(1), ALICE).await, Ok(None));
    assert_eq!(store.blob_bytes_of(ALICE).await, Ok(0));
    assert_eq!(garbage(&store).await, [object(1)]);
    store.forget_garbage(&[object(1)]).await.unwrap();
    assert!(garbage(&store).await.is_empty());
}

pub(crate) async fn those_who_collect_at_once_get_different_blobs(store: Arc<dyn Storage>) {
    for number in 0..40 {
        reserve(&store, number, ALICE, 1).await.unwrap();
    }
    let collect = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut collected = 0;
            for _ in 0..20 {
                collected += store.collect_blobs(later(1), 5).await.unwrap();
            }
            collected
        })
    };

    let tasks: Vec<_> = (0..4).map(collect).collect();
    let mut collected = 0;
    for task in tasks {
        collected += task.await.unwrap();
    }

    assert_eq!(collected, 40);
    assert_eq!(store.blob_bytes_of(ALICE).await, Ok(0));
}

pub(crate) async fn what_an_account_leaves_is_due_at_once(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 100).await.unwrap();
    reserve(&store, 2, BOB, 100).await.unwrap();

    assert_eq!(store.abandon_blobs(ALICE, NOW).await, Ok(1));

    assert_eq!(store.collect_blobs(NOW, 10).await, Ok(1));
    assert!(store.blob(blob(2), BOB).await.unwrap().is_some());
}

pub(crate) async fn objects_that_rows_know_are_listed_by_shard(store: Arc<dyn Storage>) {
    reserve(&store, 1, ALICE, 100).await.unwrap();
    place(&store, &[piece(0, 60, 1)], None).await;
    place(&store, &[piece(0, 60, 0xff)], None).await;

    let known = async |shard| {
        let known = store.known_objects(shard).await.unwrap();
        known.into_iter().collect::<Vec<_>>()
    };

    assert_eq!(known(1).await, [object(1)], "as garbage");
    assert_eq!(known(0xff).await, [object(0xff)]);
    assert!(known(0).await.is_empty() && known(2).await.is_empty());
}

pub(crate) async fn a_blob_lives_as_long_as_a_message_that_names_it(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    complete(&store, &alice, 1).await;
    complete(&store, &alice, 2).await;
    let short = alice.writes_with(&chat, "short", AFTER_SENT);
    let long = alice.writes_with(&chat, "long", AFTER_A_WHILE);
    stored(&store, NewMessage { blobs: vec![blob(1), blob(2), blob(1)], ..short }).await;
    stored(&store, NewMessage { blobs: vec![blob(2)], ..long }).await;

    let day = later(1);
    assert_eq!(store.collect_blobs(later(2), 10).await, Ok(0), "both are named");
    assert_eq!(store.expire_due(day, 10).await.unwrap().len(), 1);
    assert_eq!(store.collect_blobs(day, 10).await, Ok(1));
    assert_eq!(store.blob(blob(1), alice.account).await, Ok(None));
    assert!(store.blob(blob(2), alice.account).await.unwrap().is_some());
    assert_eq!(store.expire_due(later(3), 10).await.unwrap().len(), 1);
    assert_eq!(store.collect_blobs(later(3), 10).await, Ok(1));
    assert_eq!(store.blob_bytes_of(alice.account).await, Ok(0));
}

pub(crate) async fn a_message_that_names_what_is_not_there_is_refused(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    complete(&store, &alice, 1).await;
    let own = store.account(alice.account).await.unwrap().unwrap();
    let new =
        Reservation { blob: blob(2), uploader: alice.account, workspace: own.workspace, bytes: 10 };
    store.reserve_blob(&new, ROOM, later(1)).await.unwrap();
    let elsewhere = Reservation { blob: blob(3), workspace: HERE, ..new };
    store.reserve_blob(&elsewhere, ROOM, later(1)).await.unwrap();
    store.place_pieces(blob(3), alice.account, &[piece(0, 10, 3)], None, later(1)).await.unwrap();
    let naming = |text: &str, number: u8| NewMessage {
        blobs: vec![blob(1), blob(number)],
        ..alice.writes(&chat, text)
    };

    let batch = [
        naming("unfinished", 2),
        alice.writes(&chat, "plain"),
        naming("of another workspace", 3),
        naming("unknown", 4),
        naming("good", 1),
    ];
    let outcomes = store.append(&batch, NOW).await.unwrap();

    let missing = Err(AppendError::BlobMissing);
    let sequences: Vec<_> =
        outcomes.into_iter().map(|outcome| outcome.map(|it| it.sequence)).collect();
    assert_eq!(sequences, [missing, Ok(1), missing, missing, Ok(2)]);
}

pub(crate) async fn a_resend_is_known_although_its_blob_is_gone(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    complete(&store, &alice, 1).await;
    let message = NewMessage { blobs: vec![blob(1)], ..alice.writes(&chat, "hello") };
    stored(&store, message.clone()).await;
    store.delete_blob(blob(1), alice.account).await.unwrap();

    let again = store.append(&[message], NOW).await.unwrap()[0].unwrap();

    assert_eq!((again.sequence, again.freshness), (1, Freshness::Duplicate));
}

pub(crate) async fn an_account_keeps_what_is_on_its_list(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    for number in 1..=3 {
        complete(&store, &alice, number).await;
    }
    store.keep_blobs(alice.account, &[blob(1), blob(2)], NOW).await.unwrap();

    let unknown = store.keep_blobs(alice.account, &[blob(3), blob(9)], NOW).await;
    store.keep_blobs(alice.account, &[blob(2), blob(3)], NOW).await.unwrap();

    assert_eq!(unknown, Err(StorageError::BlobMissing));
    assert_eq!(store.kept_blobs(alice.account).await, Ok(vec![blob(2), blob(3)]));
    assert_eq!(store.collect_blobs(NOW, 10).await, Ok(1));
    store.keep_blobs(alice.account, &[], later(1)).await.unwrap();
    assert_eq!(store.collect_blobs(later(1), 10).await, Ok(2));
    assert_eq!(store.kept_blobs(alice.account).await, Ok(Vec::new()));
}

pub(crate) async fn two_who_let_go_at_once_leave_nothing(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    complete(&store, &alice, 1).await;
    for text in 0..40 {
        let message = alice.writes_with(&chat, &text.to_string(), AFTER_SENT);
        stored(&store, NewMessage { blobs: vec![blob(1)], ..message }).await;
    }
    let sweep = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                store.expire_due(later(1), 3).await.unwrap();
            }
        })
    };

    let tasks: Vec<_> = (0..4).map(sweep).collect();
    for task in tasks {
        task.await.unwrap();
    }

    assert_eq!(store.collect_blobs(later(1), 10).await, Ok(1));
}

/// Uploads a blob of ten bytes.
pub(super) async fn complete(store: &Arc<dyn Storage>, person: &Person, number: u8) {
    let own = store.account(person.account).await.unwrap().unwrap();
    let (uploader, workspace) = (person.account, own.workspace);
    let new = Reservation { blob: blob(number), uploader, workspace, bytes: 10 };
    store.reserve_blob(&new, ROOM, later(1)).await.unwrap();
    let whole = [piece(0, 10, number)];
    store.place_pieces(blob(number), uploader, &whole, None, later(1)).await.unwrap();
}

async fn reserve(
    store: &Arc<dyn Storage>,
    number: u8,
    uploader: AccountId,
    bytes: u64,
) -> Result<(), StorageError> {
    let new = Reservation { blob: blob(number), uploader, workspace: HERE, bytes };
    store.reserve_blob(&new, ROOM, later(1)).await
}

async fn place(
    store: &Arc<dyn Storage>,
    pieces: &[Piece],
    instead_of: Option<ObjectName>,
) -> Placed {
    store.place_pieces(blob(1), ALICE, pieces, instead_of, later(2)).await.unwrap()
}

async fn garbage(store: &Arc<dyn Storage>) -> Vec<ObjectName> {
    let mut garbage = store.blob_garbage(100).await.unwrap();
    garbage.sort_unstable();
    garbage
}

fn stands_at(stored: u64) -> StoredBlob {
    StoredBlob { uploader: ALICE, bytes: 100, stored }
}

pub(super) fn blob(number: u8) -> BlobId {
    BlobId::from_bytes([number; 16])
}

fn object(number: u8) -> ObjectName {
    ObjectName::from_bytes([number; 16])
}

fn piece(start: u64, length: u64, number: u8) -> Piece {
    Piece { start, length, object: object(number) }
}

fn later(days: u64) -> Timestamp {
    NOW.after(Duration::from_secs(days * 86_400))
}

fn before(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.as_millis() - 1)
}
