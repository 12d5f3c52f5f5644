use std::sync::Arc;

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::membership::Membership;

use super::*;
use crate::storage::conformance::people::{NOW, Person, group, people, stored};
use crate::storage::schema::newest;
use crate::storage::{Acknowledgement, Storage, conformance};

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
    let breaks = "UPDATE metadata SET number = 99 WHERE name = 'compatible_since'";
    for sql in [LATER, breaks] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }
    store.close().await;

    let reopened = Store::open(&path).await;

    assert_eq!(reopened.unwrap_err(), StorageError::TooNew { found: 99, known: newest(STEPS) });
}

#[tokio::test]
async fn a_relay_works_on_the_schema_of_the_next_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let store = Store::open(&path).await.unwrap();
    for sql in [
        "ALTER TABLE accounts ADD COLUMN shoe_size INTEGER",
        "ALTER TABLE messages ADD COLUMN weight INTEGER NOT NULL DEFAULT 1",
        "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT",
        LATER,
    ] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }
    store.close().await;

    let store: Arc<dyn Storage> = Arc::new(Store::open(&path).await.unwrap());

    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "hello")).await;
    assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().last, 1);
    store.close().await;
}

#[tokio::test]
async fn a_step_that_is_cut_off_leaves_the_schema_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    // The second half cannot be run: as if the power had gone in the middle.
    let cut = "ALTER TABLE accounts ADD COLUMN half INTEGER; INSERT INTO nowhere VALUES (1)";
    schema::migrator(&[STEPS[0], (2, "cut off", cut)]).run(&pool).await.unwrap_err();
    let half = "SELECT count(*) FROM pragma_table_info('accounts') WHERE name = 'half'";
    let half: i64 = query_scalar(half).fetch_one(&pool).await.unwrap();
    pool.close().await;

    let store = Store::open(&path).await.unwrap();

    assert_eq!(half, 0);
    assert_eq!(store.epoch().await, Ok(1));
    store.close().await;
}

#[tokio::test]
async fn an_older_schema_is_left_alone_if_nobody_wants_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let refused = Store::open_with(&path, Schema::AsItIs).await.unwrap_err();
    assert_eq!(refused, StorageError::TooOld { found: 0, known: newest(STEPS) });

    Store::open(&path).await.unwrap().close().await;

    Store::open_with(&path, Schema::AsItIs).await.unwrap().close().await;
}

/// What a newer relay that leaves room for this one would have noted.
const LATER: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) VALUES (99, 'later', TRUE, x'00', 0)";

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

/// A disk that is nearly full takes nothing new, and everything that makes room.
#[tokio::test]
async fn on_a_nearly_full_disk_people_can_still_read_acknowledge_and_lose_what_is_due() {
    let (_folder, store, [alice, bob], chat) = world().await;
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: 1 };
    stored(&store.1, alice.writes(&chat, "kept")).await;
    stored(&store.1, alice.writes_with(&chat, "due", Some(timer))).await;
    let later = NOW.after(Duration::from_secs(1));

    store.0.room.reserve(u64::MAX);
    let refused = store.1.append(&[alice.writes(&chat, "one too many")], NOW).await;
    let page = store.1.read_after(bob.address(0), chat.id(), 0, 10, NOW).await.unwrap();
    let (address, conversation) = (bob.address(0), chat.id());
    let acknowledged = [Acknowledgement { address, conversation, up_to: 2 }];
    store.1.acknowledge(&acknowledged).await.unwrap();
    let expired = store.1.expire_due(later, 10).await.unwrap();
    store.0.room.reserve(0);
    let again = stored(&store.1, alice.writes(&chat, "one too many")).await;

    assert_eq!(refused, Err(StorageError::Full));
    assert_eq!((page.messages.len(), expired.len(), again), (2, 1, 3));
    store.1.close().await;
}

/// A database that cannot grow by a page says so, keeps what it has, and goes on when it can.
#[tokio::test]
async fn a_database_that_is_full_to_the_last_page_loses_nothing_and_goes_on_when_there_is_room() {
    let (_folder, store, [alice, bob], chat) = world().await;
    let pages: i64 = query_scalar("PRAGMA page_count").fetch_one(&store.0.writer).await.unwrap();
    let limit = |pages: i64| format!("PRAGMA max_page_count = {pages}");
    sqlx::query(sqlx::AssertSqlSafe(limit(pages + 20))).execute(&store.0.writer).await.unwrap();

    let mut accepted = 0;
    let refused = loop {
        let message = alice.writes(&chat, &format!("{accepted} {}", "x".repeat(4_000)));
        match store.1.append(&[message], NOW).await {
            Ok(_) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    let page = store.1.read_after(bob.address(0), chat.id(), 0, 100, NOW).await.unwrap();
    let whole: String =
        query_scalar("PRAGMA integrity_check").fetch_one(&store.0.readers).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(limit(1_000_000))).execute(&store.0.writer).await.unwrap();
    let again = stored(&store.1, alice.writes(&chat, "there is room again")).await;

    assert_eq!((refused, whole.as_str()), (StorageError::Full, "ok"));
    assert!(accepted > 3, "{accepted}");
    assert_eq!((page.messages.len(), again), (accepted, accepted as u64 + 1));
    store.1.close().await;
}

/// A store, as itself and as its verbs, with two people in a group.
async fn world() -> (tempfile::TempDir, (Store, Arc<dyn Storage>), [Person; 2], Membership) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    let verbs: Arc<dyn Storage> = Arc::new(store.clone());
    let [alice, bob] = people(&verbs, ["alice", "bob"]).await;
    let chat = group(&verbs, &alice, &[&bob], 1).await;
    (folder, (store, verbs), [alice, bob], chat)
}
