//! The store in a browser: the same promises as natively, on the files of a page's origin.

use chat_sdk::store::{Place, Store, schema, wipe::wipe};
use chat_sdk::{Kind, StoreKey};
use rusqlite::Transaction;

use crate::host::{bytes_on_disk, give_back, has, hold, prepare};

const WORDS: &str = "wolfram for the baker";

#[test]
async fn what_was_committed_is_there_when_the_store_is_opened_again() {
    let name = "again.store";
    let store = open(name, key()).await.unwrap();
    write(&store, WORDS).await;
    store.close().await;

    let store = open(name, key()).await.unwrap();

    assert_eq!(read(&store).await, [WORDS]);
    assert!(store.check().await.unwrap().is_whole());
    store.wipe().await.unwrap();
}

#[test]
async fn what_fails_leaves_no_trace() {
    let store = Store::in_memory().await.unwrap();
    write(&store, WORDS).await;

    let failed = store
        .write(|tx| {
            tx.execute_batch("DELETE FROM notes")?;
            Err::<(), _>(Kind::Internal.into())
        })
        .await;

    assert_eq!(failed.unwrap_err().kind(), Kind::Internal);
    assert_eq!(read(&store).await, [WORDS]);
}

#[test]
async fn another_key_opens_nothing() {
    let name = "locked.store";
    open(name, key()).await.unwrap().close().await;
    let said = StoreKey::passphrase("known on this device only");
    open("said.store", said).await.unwrap().close().await;

    let by_bytes = open(name, StoreKey::from_bytes([8; 32])).await.unwrap_err();
    let by_words = open("said.store", StoreKey::passphrase("guessed")).await.unwrap_err();

    assert_eq!(by_bytes.kind(), Kind::StoreLocked);
    assert_eq!(by_words.kind(), Kind::StoreLocked);
    let said = StoreKey::passphrase("known on this device only");
    open("said.store", said).await.unwrap().wipe().await.unwrap();
    open(name, key()).await.unwrap().wipe().await.unwrap();
}

#[test]
async fn nothing_that_can_be_read_is_in_the_files() {
    let name = "sealed.store";
    let store = open(name, key()).await.unwrap();
    write(&store, WORDS).await;
    store.close().await;

    let bytes = bytes_on_disk().await;

    assert!(bytes.len() > 100_000, "{} bytes", bytes.len());
    assert!(has(&bytes, name.as_bytes()));
    assert!(!has(&bytes, WORDS.as_bytes()));
    assert!(!has(&bytes, b"SQLite format 3"));
    wipe(name).await.unwrap();
}

#[test]
async fn a_store_is_open_once_and_then_free() {
    let name = "once.store";
    let first = open(name, key()).await.unwrap();
    let another = open("beside.store", key()).await.unwrap();

    assert_eq!(open(name, key()).await.unwrap_err().kind(), Kind::StoreBusy);
    assert_eq!(wipe(name).await.unwrap_err().kind(), Kind::StoreBusy);
    drop(first);

    open(name, key()).await.unwrap().wipe().await.unwrap();
    another.wipe().await.unwrap();
}

#[test]
async fn another_worker_that_has_the_files_is_waited_for_by_the_app() {
    let name = "held.store";
    open(name, key()).await.unwrap().close().await;
    hold().await.unwrap();

    let busy = open(name, key()).await.unwrap_err();
    give_back();

    assert_eq!(busy.kind(), Kind::StoreBusy);
    assert!(busy.is_transient());
    open(name, key()).await.unwrap().wipe().await.unwrap();
}

#[test]
async fn a_wiped_store_is_gone_and_its_place_is_free() {
    let name = "wiped.store";
    let store = open(name, key()).await.unwrap();
    write(&store, WORDS).await;

    store.wipe().await.unwrap();
    store.wipe().await.unwrap();

    assert!(!has(&bytes_on_disk().await, name.as_bytes()));
    assert_eq!(store.read(|_| Ok(())).await.unwrap_err().kind(), Kind::Closed);
    let store = open(name, StoreKey::from_bytes([9; 32])).await.unwrap();
    let notes = "SELECT count(*) FROM sqlite_schema WHERE name = 'notes'";
    let left: i64 = store.read(move |tx| Ok(tx.query_row(notes, [], |r| r.get(0))?)).await.unwrap();
    assert_eq!(left, 0);
    store.wipe().await.unwrap();
}

#[test]
async fn a_store_of_a_newer_version_is_refused() {
    let name = "newer.store";
    let store = open(name, key()).await.unwrap();
    let newer = schema::VERSION + 1;
    store.write(move |tx| Ok(tx.pragma_update(None, "user_version", newer)?)).await.unwrap();
    store.close().await;

    let refused = open(name, key()).await.unwrap_err();

    assert_eq!(refused.kind(), Kind::StoreTooNew);
    wipe(name).await.unwrap();
}

fn key() -> StoreKey {
    StoreKey::from_bytes([7; 32])
}

async fn open(name: &str, key: StoreKey) -> chat_sdk::Result<Store> {
    prepare();
    Store::open(Place::File { path: name.into(), key }).await
}

async fn write(store: &Store, words: &'static str) {
    let work = move |tx: &Transaction<'_>| {
        tx.execute_batch("CREATE TABLE notes (words TEXT NOT NULL)")?;
        tx.execute("INSERT INTO notes VALUES (?1)", [words])?;
        Ok(())
    };
    store.write(work).await.unwrap();
}

async fn read(store: &Store) -> Vec<String> {
    let all = |tx: &Transaction<'_>| {
        let mut rows = tx.prepare("SELECT words FROM notes")?;
        let words = rows.query_map([], |row| row.get(0))?;
        Ok(words.collect::<Result<Vec<String>, _>>()?)
    };
    store.read(all).await.unwrap()
}
