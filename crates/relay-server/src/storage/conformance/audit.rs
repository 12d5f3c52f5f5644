//! The audit log: one line, also with many writers, and cutting it shows.

use std::sync::Arc;
use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::time::Timestamp;

use super::people::NOW;
use crate::audit::{Anchor, AuditEvent, AuditRecord, BrokenChain, Note, follow, verify};
use crate::storage::Storage;

pub(crate) async fn an_empty_log_is_whole(store: Arc<dyn Storage>) {
    assert_eq!(verify(&*store, None).await, Ok(Anchor::BEGINNING));
    assert!(store.read_audit(0, 10).await.unwrap().is_empty());
    assert_eq!(store.prune_audit(NOW).await, Ok(0));
}

pub(crate) async fn entries_stand_in_one_line(store: Arc<dyn Storage>) {
    let write = |node: u8| {
        let store = store.clone();
        tokio::spawn(async move {
            for second in 0..10 {
                store.append_audit(&[record(second, node), record(second, node)]).await.unwrap();
            }
        })
    };
    let nodes: Vec<_> = (0..4).map(write).collect();
    for node in nodes {
        node.await.unwrap();
    }

    let entries = store.read_audit(0, 1_000).await.unwrap();

    let sequences: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=80).collect::<Vec<_>>());
    let end = verify(&*store, None).await.unwrap();
    assert_eq!(end, Anchor { sequence: 80, hash: entries[79].hash });
    assert_eq!(store.audit_ends().await.unwrap().last, end);
    assert_eq!(store.read_audit(78, 1).await.unwrap(), [entries[78].clone()]);
    assert_eq!(entries[0].read().unwrap().event, "started");
}

pub(crate) async fn a_place_that_was_noted_must_be_there(store: Arc<dyn Storage>) {
    store.append_audit(&[record(0, 1), record(1, 1)]).await.unwrap();
    let entries = store.read_audit(0, 10).await.unwrap();
    let noted = Anchor { sequence: 1, hash: entries[0].hash };
    let another = Anchor { sequence: 1, hash: Digest::ZERO };
    let later = Anchor { sequence: 3, hash: Digest::ZERO };

    assert!(verify(&*store, Some(noted)).await.is_ok());
    let forged = verify(&*store, Some(another)).await;
    assert_eq!(forged, Err(BrokenChain::NotTheOneNoted { sequence: 1 }));
    assert_eq!(verify(&*store, Some(later)).await, Err(BrokenChain::CutOff { sequence: 2 }));
}

pub(crate) async fn old_entries_go_and_the_rest_stays_whole(store: Arc<dyn Storage>) {
    // A clock that went back: the young entry in between keeps what is behind it.
    for second in [0, 1, 9, 2, 10] {
        store.append_audit(&[record(second, 1)]).await.unwrap();
    }
    let before = store.read_audit(0, 10).await.unwrap();

    assert_eq!(store.prune_audit(at(5)).await, Ok(2));

    let after = store.read_audit(0, 10).await.unwrap();
    assert_eq!(after, before[2..]);
    let end = Anchor { sequence: 5, hash: before[4].hash };
    assert_eq!(verify(&*store, None).await, Ok(end));
    assert_eq!(store.prune_audit(at(100)).await, Ok(3));
    assert_eq!(verify(&*store, Some(end)).await, Ok(end));
    store.append_audit(&[record(200, 1)]).await.unwrap();
    assert_eq!(verify(&*store, None).await.unwrap().sequence, 6);
}

pub(crate) async fn what_was_changed_or_taken_out_is_found(store: Arc<dyn Storage>) {
    store.append_audit(&[record(0, 1), record(1, 1), record(2, 1)]).await.unwrap();
    let [first, second, third] = store.read_audit(0, 10).await.unwrap().try_into().unwrap();
    let begin = follow(Anchor::BEGINNING, &first).unwrap();

    let mut changed = second.clone();
    changed.record[3] ^= 1;

    assert_eq!(follow(begin, &changed), Err(BrokenChain::Changed { sequence: 2 }));
    assert_eq!(follow(begin, &third), Err(BrokenChain::Missing { sequence: 2 }));
    let swapped = crate::audit::Chained { sequence: 2, ..third };
    assert_eq!(follow(begin, &swapped), Err(BrokenChain::Changed { sequence: 2 }));
    assert!(follow(begin, &second).is_ok());
}

fn record(second: u64, node: u8) -> AuditRecord {
    Note::done(AuditEvent::Started).record(at(second), node)
}

fn at(second: u64) -> Timestamp {
    NOW.after(Duration::from_secs(second))
}
