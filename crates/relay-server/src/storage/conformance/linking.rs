//! Mailboxes: a slot is written once, and everything is gone in time.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::linking::LinkRow;
use chat_core::codec::Digest;
use chat_core::time::Timestamp;

use super::people::NOW;
use crate::storage::linking::MailboxSlot;
use crate::storage::{Storage, StorageError};

const MANY: u64 = 1_000;

pub(crate) async fn a_slot_is_written_once(store: Arc<dyn Storage>) {
    let slot = slot(1, LinkRow::Shows, 0);

    write(&store, slot, b"hello").await.unwrap();
    write(&store, slot, b"hello").await.unwrap();
    let refused = write(&store, slot, b"other").await;

    assert_eq!(refused, Err(StorageError::Conflict));
    assert_eq!(store.read_slot(slot, NOW).await.unwrap().unwrap(), b"hello");
}

pub(crate) async fn slots_of_other_rows_and_mailboxes_are_others(store: Arc<dyn Storage>) {
    write(&store, slot(1, LinkRow::Shows, 0), b"here").await.unwrap();

    for elsewhere in
        [slot(1, LinkRow::Scans, 0), slot(1, LinkRow::Shows, 1), slot(2, LinkRow::Shows, 0)]
    {
        assert_eq!(store.read_slot(elsewhere, NOW).await, Ok(None));
    }
}

pub(crate) async fn of_two_who_write_a_slot_one_is_read(store: Arc<dyn Storage>) {
    let slot = slot(1, LinkRow::Scans, 0);
    let writer = |message: u8| {
        let store = store.clone();
        tokio::spawn(async move { write(&store, slot, &[message; 100]).await })
    };
    let writers: Vec<_> = (0..8).map(writer).collect();
    let mut succeeded = Vec::new();
    for (message, writer) in (0_u8..).zip(writers) {
        match writer.await.unwrap() {
            Ok(()) => succeeded.push(message),
            Err(error) => assert_eq!(error, StorageError::Conflict),
        }
    }

    let [winner] = succeeded[..] else { panic!("{succeeded:?} have written") };
    assert_eq!(store.read_slot(slot, NOW).await.unwrap().unwrap(), [winner; 100]);
}

pub(crate) async fn a_mailbox_is_gone_when_its_time_is_over(store: Arc<dyn Storage>) {
    let slot = slot(1, LinkRow::Shows, 0);
    write(&store, slot, b"hello").await.unwrap();

    assert!(store.read_slot(slot, NOW.after(Duration::from_secs(59))).await.unwrap().is_some());
    assert_eq!(store.read_slot(slot, over()).await, Ok(None));
    // Before anybody swept, the name is free again.
    store.write_slot(slot, b"anew", over().after(LIFETIME), MANY, over()).await.unwrap();
    assert_eq!(store.read_slot(slot, over()).await.unwrap().unwrap(), b"anew");
    assert_eq!(store.forget_mailboxes(over()).await, Ok(0));
    assert_eq!(store.forget_mailboxes(over().after(LIFETIME)).await, Ok(1));
}

pub(crate) async fn mailboxes_are_counted(store: Arc<dyn Storage>) {
    let full = |name, slot_number, at: Timestamp| {
        let (store, slot) = (store.clone(), slot(name, LinkRow::Shows, slot_number));
        async move { store.write_slot(slot, b"hello", at.after(LIFETIME), 2, at).await }
    };
    full(1, 0, NOW).await.unwrap();
    full(2, 0, NOW).await.unwrap();

    assert_eq!(full(3, 0, NOW).await, Err(StorageError::Full));
    // Whoever has begun goes on, and who comes when the others are gone finds room.
    full(2, 1, NOW).await.unwrap();
    assert_eq!(store.read_slot(slot(3, LinkRow::Shows, 0), NOW).await, Ok(None));
    full(3, 0, over()).await.unwrap();
}

const LIFETIME: Duration = Duration::from_secs(60);

fn over() -> Timestamp {
    NOW.after(LIFETIME)
}

async fn write(
    store: &Arc<dyn Storage>,
    slot: MailboxSlot,
    message: &[u8],
) -> Result<(), StorageError> {
    store.write_slot(slot, message, NOW.after(LIFETIME), MANY, NOW).await
}

fn slot(name: u8, row: LinkRow, slot: u8) -> MailboxSlot {
    MailboxSlot { mailbox: Digest::of(&[name]), row, slot }
}
