use rusqlite::Connection;

use super::*;
use crate::stage::{Person, alice_and_bob, file};

/// SQLCipher's, in bytes.
const PAGE: usize = 4096;

#[tokio::test]
async fn a_store_that_was_used_is_whole() {
    let (alice, bob, _) = two_who_talked().await;

    for person in [alice, bob] {
        let report = person.store.check().await.unwrap();

        assert_eq!(report.findings, []);
        assert!(report.states_read >= 4, "{report:?}");
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    let (alice, _, chat) = two_who_talked().await;

    alice.store.check().await.unwrap();

    let found = move |tx: &Transaction<'_>| {
        crate::store::search::find(tx, "hello", Some(chat), 10, crate::stage::NOW)
    };
    assert_eq!(alice.store.read(found).await.unwrap().len(), 1);
    assert!(alice.store.check().await.unwrap().is_whole());
}

#[tokio::test]
async fn a_page_that_was_changed_is_found_or_the_file_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let alice = Person::new("alice", 1, file(&path)).await;
    alice.store.close().await;
    let bytes = std::fs::read(&path).unwrap();
    let mut found = 0;

    for place in (PAGE / 2..bytes.len()).step_by(3 * PAGE) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        std::fs::write(&path, changed).unwrap();
        // What opening reads is noticed then.
        let Ok(store) = Store::open(file(&path)).await else { continue };
        let report = store.check().await.unwrap();
        assert!(matches!(report.findings[..], [Finding::Damaged(_), ..]), "{place}: {report:?}");
        store.close().await;
        found += 1;
    }

    assert!(found > 0);
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_found_or_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let alice = Person::new("alice", 1, file(&path)).await;
    alice.store.close().await;
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 8192]).unwrap();

    let is_noticed = match Store::open(file(&path)).await {
        Ok(store) => !store.check().await.is_ok_and(|report| report.is_whole()),
        Err(_) => true,
    };

    assert!(is_noticed);
}

#[tokio::test]
async fn a_row_that_points_nowhere_is_found() {
    let (alice, _, chat) = two_who_talked().await;
    changed(&alice, move |connection| {
        connection.execute_batch("PRAGMA foreign_keys = OFF")?;
        connection.execute("DELETE FROM conversations WHERE id = ?1", [chat.as_bytes()])?;
        connection.execute_batch("PRAGMA foreign_keys = ON")
    })
    .await;

    let report = alice.store.check().await.unwrap();

    let dangling = |finding: &Finding| match finding {
        Finding::Dangling { table, rows } if *rows > 0 => Some(table.clone()),
        _ => None,
    };
    let tables: Vec<_> = report.findings.iter().filter_map(dangling).collect();
    assert!(tables.contains(&"messages".to_owned()), "{report:?}");
    assert!(tables.contains(&"members".to_owned()), "{report:?}");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_named() {
    let (alice, bob, chat) = two_who_talked().await;
    let device = bob.own.address;
    for (statement, finding) in [
        ("UPDATE sessions SET snapshot = x'00'", Finding::Session(device)),
        ("UPDATE conversations SET membership = x'00'", Finding::Membership(chat)),
        ("UPDATE prekey_sets SET secrets = x'00'", Finding::Prekeys(1)),
        ("UPDATE account SET device_secrets = x'00'", Finding::OwnKeys),
    ] {
        changed(&alice, |connection| connection.execute(statement, []).map(drop)).await;

        let report = alice.store.check().await.unwrap();

        assert!(report.findings.contains(&finding), "{report:?}");
    }
}

#[tokio::test]
async fn a_session_under_anothers_name_is_named() {
    let (alice, bob, _) = two_who_talked().await;
    changed(&alice, |connection| {
        connection.execute("UPDATE sessions SET device = zeroblob(16)", []).map(drop)
    })
    .await;

    let report = alice.store.check().await.unwrap();

    let device = chat_core::id::DeviceId::from_bytes([0; 16]);
    let moved = DeviceAddress { device, ..bob.own.address };
    assert_eq!(report.findings, [Finding::Session(moved)]);
}

#[tokio::test]
async fn an_index_of_words_that_is_not_whole_is_found() {
    let (alice, ..) = two_who_talked().await;
    changed(&alice, |connection| {
        connection.execute("UPDATE search_data SET block = zeroblob(8) WHERE id > 10", []).map(drop)
    })
    .await;

    let report = alice.store.check().await.unwrap();

    assert!(report.findings.iter().any(|it| matches!(it, Finding::Search | Finding::Damaged(_))));
}

async fn two_who_talked() -> (Person, Person, ConversationId) {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let id = alice.says(chat, "hello").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(id, 1).await;
    bob.opens(1, &envelope).await;
    (alice, bob, chat)
}

/// Changes what no code of the store would change.
async fn changed(
    person: &Person,
    change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
) {
    person.store.executor.run(move |connection| Ok(change(connection)?)).await.unwrap();
}
