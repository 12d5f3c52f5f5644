use std::path::Path;

use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::time::Timestamp;
use chat_crypto::session::Sessions;

use super::*;

const PLAINTEXT: &str = "meet me under the old bridge at noon";

fn file(path: &Path) -> Place {
    Place::File { path: path.to_owned(), key: StoreKey::from_bytes([7; 32]) }
}

fn somebody() -> DeviceAddress {
    DeviceAddress { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes([2; 16]) }
}

async fn note(store: &Store, value: &'static [u8]) -> Result<()> {
    store.write(move |tx| account::set_fact(tx, "note", value)).await
}

async fn noted(store: &Store) -> Option<Vec<u8>> {
    store.read(|tx| account::fact(tx, "note")).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");

    let store = Store::open(file(&path)).await.unwrap();
    note(&store, b"kept").await.unwrap();
    store.close().await;

    let store = Store::open(file(&path)).await.unwrap();
    assert_eq!(noted(&store).await.as_deref(), Some(&b"kept"[..]));
}

#[tokio::test]
async fn an_error_undoes_everything_its_transaction_did() {
    let store = Store::in_memory().await.unwrap();
    note(&store, b"before").await.unwrap();

    let failed: Result<()> = store
        .write(|tx| {
            account::set_fact(tx, "note", b"halfway")?;
            Err(Kind::NotFound.into())
        })
        .await;

    assert_eq!(failed.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(noted(&store).await.as_deref(), Some(&b"before"[..]));
}

#[tokio::test]
async fn a_panic_undoes_its_transaction_and_the_store_lives_on() {
    let store = Store::in_memory().await.unwrap();
    note(&store, b"before").await.unwrap();

    let failed: Result<()> = store
        .write(|tx| {
            account::set_fact(tx, "note", b"halfway")?;
            panic!("a bug")
        })
        .await;

    assert_eq!(failed.unwrap_err().kind(), Kind::Internal);
    assert_eq!(noted(&store).await.as_deref(), Some(&b"before"[..]));
}

#[tokio::test]
async fn reading_changes_nothing() {
    let store = Store::in_memory().await.unwrap();

    store.read(|tx| account::set_fact(tx, "note", b"by a reader")).await.unwrap();

    assert_eq!(noted(&store).await, None);
}

#[tokio::test]
async fn another_key_does_not_open_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    Store::open(file(&path)).await.unwrap().close().await;

    for key in [StoreKey::from_bytes([8; 32]), StoreKey::passphrase("guess")] {
        let opened = Store::open(Place::File { path: path.clone(), key }).await;
        assert_eq!(opened.unwrap_err().code(), "store_locked");
    }
    Store::open(file(&path)).await.unwrap();
}

#[tokio::test]
async fn a_passphrase_with_quotes_opens_what_it_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let place =
        || Place::File { path: path.clone(), key: StoreKey::passphrase("it's \"mine\"; --") };

    let store = Store::open(place()).await.unwrap();
    note(&store, b"kept").await.unwrap();
    store.close().await;

    assert_eq!(noted(&Store::open(place()).await.unwrap()).await.as_deref(), Some(&b"kept"[..]));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_not_opened_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let letter = PLAINTEXT.repeat(300);
    std::fs::write(&path, &letter).unwrap();

    let opened = Store::open(file(&path)).await;

    assert_eq!(opened.unwrap_err().code(), "store_locked");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let store = Store::open(file(&path)).await.unwrap();
    store
        .write(|tx| Ok(tx.pragma_update(None, "user_version", schema::VERSION + 1)?))
        .await
        .unwrap();
    store.close().await;

    let opened = Store::open(file(&path)).await;

    assert_eq!(opened.unwrap_err().code(), "store_too_new");
}

#[tokio::test]
async fn no_file_of_the_store_holds_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(file(&folder.path().join("alice.store"))).await.unwrap();
    note(&store, PLAINTEXT.as_bytes()).await.unwrap();

    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        seen += bytes.len();
        assert!(!contains(&bytes, PLAINTEXT.as_bytes()));
        assert!(!contains(&bytes, b"CREATE TABLE"));
    }
    assert!(seen > PLAINTEXT.len(), "there was something to look at");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");

    let store = Store::open(file(&path)).await.unwrap();
    note(&store, b"private").await.unwrap();

    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[tokio::test]
async fn scrubbing_leaves_nothing_in_the_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(file(&folder.path().join("alice.store"))).await.unwrap();
    note(&store, b"soon gone").await.unwrap();

    store.scrub().await.unwrap();

    let log = std::fs::metadata(folder.path().join("alice.store-wal")).unwrap();
    assert_eq!(log.len(), 0);
}

/// What an app and its notification extension do: both take something one step, many times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_on_one_file_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let stores = [Store::open(file(&path)).await.unwrap(), Store::open(file(&path)).await.unwrap()];

    let workers = stores.map(|store| {
        tokio::spawn(async move {
            for _ in 0..50 {
                store.write(step).await.unwrap();
            }
        })
    });
    for worker in workers {
        worker.await.unwrap();
    }

    let store = Store::open(file(&path)).await.unwrap();
    assert_eq!(noted(&store).await.as_deref(), Some(&100_u32.to_be_bytes()[..]));
}

fn step(tx: &Transaction<'_>) -> Result<()> {
    let before = account::fact(tx, "note")?;
    let steps = before.map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
    account::set_fact(tx, "note", &(steps + 1).to_be_bytes())
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = Store::in_memory().await.unwrap();
    let other = store.clone();

    store.close().await;
    other.close().await;

    assert_eq!(note(&other, b"late").await.unwrap_err().kind(), Kind::Closed);
}

#[tokio::test]
async fn the_newest_prekeys_outlive_their_age() {
    let store = Store::in_memory().await.unwrap();
    let day = |day: u64| Timestamp::from_millis(day * 86_400_000);

    let left: Vec<_> = store
        .write(move |tx| {
            for (number, age) in [(1, day(1)), (2, day(2)), (3, day(3))] {
                prekeys::insert(tx, number, b"secrets", Some(b"upload"), age)?;
            }
            prekeys::forget_older(tx, day(40))?;
            prekeys::load_all(tx)
        })
        .await
        .unwrap();

    assert_eq!(left.iter().map(|set| set.number).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn sessions_that_stand_in_the_place_of_another_devices_are_not_used() {
    let store = Store::in_memory().await.unwrap();
    let (theirs, other) =
        (somebody(), DeviceAddress { device: DeviceId::from_bytes([9; 16]), ..somebody() });

    let loaded = store
        .write(move |tx| {
            sessions::save(tx, &Sessions::new(theirs), Timestamp::from_millis(1))?;
            tx.execute("UPDATE sessions SET device = ?1", [other.device.as_bytes()])?;
            Ok(sessions::load(tx, other).map(drop).map_err(|error| error.kind()))
        })
        .await
        .unwrap();

    assert_eq!(loaded, Err(Kind::StoreFailed));
}

#[tokio::test]
async fn erasing_everything_leaves_no_row_in_any_table() {
    let store = Store::in_memory().await.unwrap();
    note(&store, b"soon gone").await.unwrap();
    store
        .write(|tx| {
            tx.execute_batch(
                "INSERT INTO conversations
                    (id, kind, membership, membership_index, state, created_at, active_at)
                 VALUES (zeroblob(16), 1, x'00', 0, 1, 0, 0);
                 INSERT INTO cursors (conversation) VALUES (zeroblob(16));",
            )?;
            prekeys::insert(tx, 1, b"secrets", None, Timestamp::from_millis(1))?;
            sessions::save(tx, &Sessions::new(somebody()), Timestamp::from_millis(1))
        })
        .await
        .unwrap();

    let counts: Vec<i64> = store
        .write(|tx| {
            account::erase_everything(tx)?;
            ["facts", "conversations", "cursors", "prekey_sets", "sessions"]
                .iter()
                .map(|table| {
                    let count = format!("SELECT count(*) FROM {table}");
                    Ok(tx.query_row(&count, [], |row| row.get(0))?)
                })
                .collect()
        })
        .await
        .unwrap();

    assert_eq!(counts, [0; 5]);
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
