use std::sync::Arc;

use chat_core::envelope::{Expiry, ExpiryMode};

use super::*;
use crate::storage::conformance::people::{NOW, group, people, stored};
use crate::storage::{Storage, conformance};

conformance::suite!(crate::storage::sqlite::tests::with_store);

/// Runs `test` on a store in a file that goes away with it.
pub(super) async fn with_store<F>(test: impl FnOnce(Arc<dyn Storage>) -> F)
where
    F: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    test(Arc::new(store.clone())).await;
    store.close().await;
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let store: Arc<dyn Storage> = Arc::new(Store::open(&path).await.unwrap());
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "hello")).await;
    store.close().await;

    let store: Arc<dyn Storage> = Arc::new(Store::open(&path).await.unwrap());

    assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().last, 1);
    assert_eq!(store.account_keys(bob.account).await.unwrap().unwrap().username, "bob");
    store.close().await;
}

#[tokio::test]
async fn an_expired_message_is_in_neither_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let store: Arc<dyn Storage> = Arc::new(Store::open(&path).await.unwrap());
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let secret = "this is to be found nowhere ".repeat(400);
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: 1 };
    stored(&store, alice.writes_with(&chat, &secret, Some(timer))).await;
    assert!(is_in_the_files(folder.path(), b"to be found nowhere"));

    store.expire_due(NOW.after(Duration::from_secs(1)), 10).await.unwrap();

    assert!(!is_in_the_files(folder.path(), b"to be found nowhere"));
    store.close().await;
}

#[tokio::test]
async fn a_newer_relays_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let store = Store::open(&path).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'later', TRUE, x'00', 0)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;

    let reopened = Store::open(&path).await;

    assert_eq!(reopened.unwrap_err(), StorageError::TooNew { found: 99, known: newest() });
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    std::fs::write(&path, "this is no database at all; it only has its name".repeat(100)).unwrap();

    assert_eq!(Store::open(&path).await.unwrap_err(), StorageError::Corrupt);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    let shared: Arc<dyn Storage> = Arc::new(store.clone());
    let [alice] = people(&shared, ["alice"]).await;
    let chat = group(&shared, &alice, &[], 1).await;
    stored(&shared, alice.writes(&chat, "hello")).await;
    for sql in [
        "UPDATE accounts SET devices = x'ff'",
        "UPDATE memberships SET state = x'00'",
        "UPDATE messages SET wraps = x'9f'",
        "UPDATE entries SET entry = x''",
        "UPDATE prekey_sets SET signed = x'01'",
    ] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }

    let corrupt = StorageError::Corrupt;
    assert_eq!(store.account_keys(alice.account).await.err(), Some(corrupt));
    assert_eq!(store.conversation(chat.id()).await.err(), Some(corrupt));
    let page = store.read_after(alice.address(0), chat.id(), 0, 10, NOW).await;
    assert_eq!(page.err(), Some(corrupt));
    let entries = store.membership_page(chat.id(), alice.account, 0, 10).await;
    assert_eq!(entries.err(), Some(corrupt));
    assert_eq!(store.take_bundles(&[alice.address(0)]).await.err(), Some(corrupt));
    store.close().await;
}

fn is_in_the_files(folder: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text)
    })
}

fn newest() -> i64 {
    STEPS.iter().map(|(version, ..)| *version).max().unwrap()
}
