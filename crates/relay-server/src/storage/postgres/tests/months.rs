//! Months of messages: made while others write, let go of while others read.

use std::sync::Arc;
use std::time::Duration;

use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use sqlx::{Connection as _, Executor as _, query_as, query_scalar};

use super::super::*;
use super::{with_database, with_store};
use crate::storage::conformance::people::{NOW, Person, group, people};
use crate::storage::{RetentionStorage as _, Storage};

#[tokio::test]
async fn a_month_that_is_let_go_of_is_a_file_that_can_be_read_again() {
    with_database(async |url| {
        let (store, folder) = (Store::open(&url, 2).await.unwrap(), tempfile::tempdir().unwrap());
        let march = Timestamp::from_millis(1_709_251_200_000);
        store.tend_partitions(None, None, march).await.unwrap();
        store.pool.execute(A_MESSAGE_OF_MARCH).await.unwrap();
        let (day, later) =
            (Duration::from_secs(24 * 3600), Timestamp::from_millis(1_720_000_000_000));

        let gone = store.tend_partitions(Some(day * 60), Some(folder.path()), later).await.unwrap();

        assert_eq!(gone, 2);
        let file = folder.path().join("messages_y2024m03.copy");
        let bytes = std::fs::read(&file).unwrap();
        let sum = std::fs::read_to_string(file.with_extension("sha256")).unwrap();
        let digest = chat_core::codec::Digest::of(&bytes);
        let hex: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, format!("{hex}  messages_y2024m03.copy\n"));
        let mut connection = store.pool.acquire().await.unwrap();
        connection.execute("CREATE TABLE again (LIKE messages INCLUDING ALL)").await.unwrap();
        let mut copy =
            connection.copy_in_raw("COPY again FROM STDIN (FORMAT binary)").await.unwrap();
        copy.send(bytes).await.unwrap();
        assert_eq!(copy.finish().await.unwrap(), 1);
        drop(connection);
        store.close().await;
    })
    .await;
}

/// Beside one that was to destroy itself.
const A_MESSAGE_OF_MARCH: &str = "INSERT INTO messages \
    (conversation, sequence, message, sender_account, sender_device, received_at, expires_at) \
    VALUES ('c', 1, '0123456789abcdef', 'a', 'd', 1709300000000, NULL), \
           ('c', 2, '0123456789abcdeg', 'a', 'd', 1709300000001, 1909300000000)";

#[tokio::test]
async fn nobody_is_refused_because_a_month_is_being_made() {
    with_store(async |store| {
        let [alice] = people(&store, ["alice"]).await;
        let chat = group(&store, &alice, &[], 1).await;

        for season in 0..8_u32 {
            let at = NOW.after(Duration::from_secs(100 * 24 * 3600) * season);
            let append = |number: u32| {
                let (store, message) =
                    (store.clone(), alice.writes(&chat, &format!("{season} {number}")));
                tokio::spawn(async move { store.append(&[message], at).await })
            };
            let appends: Vec<_> = (0..6).map(append).collect();
            store.tend_partitions(None, None, at).await.unwrap();
            for append in appends {
                assert!(append.await.unwrap().unwrap()[0].is_ok());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn messages_of_before_partitions_move_to_their_months() {
    with_database(async |url| {
        let options: PgConnectOptions = url.parse().unwrap();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let before: Vec<_> = STEPS.iter().copied().filter(|(version, ..)| *version < 11).collect();
        schema::migrator(&before).run(&pool).await.unwrap();
        for (sequence, at) in
            [(1, 1_709_300_000_000_i64), (2, 1_712_000_000_000), (3, 253_402_300_800_000)]
        {
            sqlx::query(
                "INSERT INTO messages (conversation, sequence, message, sender_account, \
                     sender_device, received_at) \
                 VALUES ('c', $1, ('0123456789abcde' || $1)::bytea, 'a', 'd', $2)",
            )
            .bind(sequence)
            .bind(at)
            .execute(&pool)
            .await
            .unwrap();
        }
        pool.close().await;

        let store = Store::open(&url, 2).await.unwrap();

        let places: Vec<(String, i64)> =
            query_as("SELECT tableoid::regclass::text, sequence FROM messages ORDER BY sequence")
                .fetch_all(&store.pool)
                .await
                .unwrap();
        let expected = [("messages_y2024m03", 1), ("messages_y2024m04", 2), ("messages_beyond", 3)];
        assert_eq!(places, expected.map(|(table, sequence)| (table.to_owned(), sequence)));
        let ids: i64 =
            query_scalar("SELECT count(*) FROM message_ids").fetch_one(&store.pool).await.unwrap();
        assert_eq!(ids, 3);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_leaps_finds_room() {
    with_database(async |url| {
        let (store, shared) = opened(&url).await;
        let [alice] = people(&shared, ["alice"]).await;
        let chat = group(&shared, &alice, &[], 1).await;
        let leaps = [1_709_300_000_000, 4_107_542_400_000, 253_402_300_800_000, u64::MAX];

        for (number, at) in leaps.into_iter().enumerate() {
            let at = Timestamp::from_millis(at);
            append(&shared, &alice, &chat, &number.to_string(), at).await;
        }

        let expected =
            ["messages_y2024m03", "messages_y2100m03", "messages_beyond", "messages_beyond"];
        assert_eq!(places(&store).await, expected);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_finds_room_again_where_another_let_go_of_it() {
    with_database(async |url| {
        let (store, one) = opened(&url).await;
        let (_, other) = opened(&url).await;
        let [alice] = people(&one, ["alice"]).await;
        let chat = group(&one, &alice, &[], 1).await;
        append(&one, &alice, &chat, "before", NOW).await;
        let (day, later) = (DAY, NOW.after(DAY * 100));

        assert!(other.tend_partitions(Some(day), None, later).await.unwrap() > 0);
        append(&one, &alice, &chat, "a clock that went back", NOW).await;

        assert_eq!(places(&store).await.len(), 1);
        for store in [one, other] {
            store.close().await;
        }
    })
    .await;
}

/// As a backup does, which holds what it reads for as long as it takes.
#[tokio::test]
async fn who_reads_for_long_stops_neither_writers_nor_the_making_of_months() {
    with_database(async |url| {
        let (store, shared) = opened(&url).await;
        let [alice] = people(&shared, ["alice"]).await;
        let chat = group(&shared, &alice, &[], 1).await;
        append(&shared, &alice, &chat, "before", NOW).await;
        let mut reader = sqlx::PgConnection::connect(&url).await.unwrap();
        let mut reading = reader.begin().await.unwrap();
        reading.execute("SELECT * FROM messages").await.unwrap();

        let next = NOW.after(DAY * 200);
        shared.tend_partitions(None, None, next).await.unwrap();
        append(&shared, &alice, &chat, "while somebody reads", next).await;

        assert_eq!(places(&store).await.len(), 2);
        drop(reading);
        store.close().await;
    })
    .await;
}

/// The month is gone for whoever comes, and its table when the last reader has left.
#[tokio::test]
async fn a_month_waits_for_who_reads_it_and_nobody_waits_with_it() {
    with_database(async |url| {
        let (store, shared) = opened(&url).await;
        let [alice] = people(&shared, ["alice"]).await;
        let chat = group(&shared, &alice, &[], 1).await;
        append(&shared, &alice, &chat, "old", NOW).await;
        let later = NOW.after(DAY * 100);
        let mut reader = sqlx::PgConnection::connect(&url).await.unwrap();
        let mut reading = reader.begin().await.unwrap();
        reading.execute("SELECT * FROM messages").await.unwrap();

        let tending = {
            let shared = shared.clone();
            tokio::spawn(async move { shared.tend_partitions(Some(DAY), None, later).await })
        };
        for number in 0..50 {
            append(&shared, &alice, &chat, &number.to_string(), later).await;
        }
        let gone_early = tending.await.unwrap().unwrap();
        let hidden = places(&store).await;
        reading.rollback().await.unwrap();
        let gone = shared.tend_partitions(Some(DAY), None, later).await.unwrap();

        assert_eq!(hidden.len(), 50);
        assert!(gone_early == 0 && gone > 0, "{gone_early} {gone}");
        store.close().await;
    })
    .await;
}

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn opened(url: &str) -> (Store, Arc<dyn Storage>) {
    let store = Store::open(url, 4).await.unwrap();
    (store.clone(), Arc::new(store))
}

async fn append(
    store: &Arc<dyn Storage>,
    person: &Person,
    chat: &Membership,
    text: &str,
    at: Timestamp,
) {
    let outcomes = store.append(&[person.writes(chat, text)], at).await.unwrap();
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
}

/// The partition of each message, in the order of the log.
async fn places(store: &Store) -> Vec<String> {
    query_scalar("SELECT tableoid::regclass::text FROM messages ORDER BY sequence")
        .fetch_all(&store.pool)
        .await
        .unwrap()
}
