//! Reports: copied in time, filed once, forgotten.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::reports::{Evidence, Report, ReportReason, ReportedMessage};
use chat_core::codec::{Bytes, List};
use chat_core::deletion::{Deletion, VERSION};
use chat_core::id::{MessageId, ReportId};
use chat_core::membership::Membership;
use chat_core::time::Timestamp;

use super::people::{NOW, Person, group, message_id, people, stored};
use crate::storage::{NewReport, Storage, StorageError, Which};

const LATER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 1_000);

pub(crate) async fn what_is_there_can_be_reported_by_who_could_read_it(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    stored(&store, alice.writes(&chat, "before")).await;
    let (entry, chat) = alice.adds(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    let after = alice.writes(&chat, "after");
    let (id, payload) = (after.header.message, after.envelope.payload.clone());
    stored(&store, after).await;

    let ids = [message_id("before"), id, MessageId::from_bytes([9; 16])];
    let at_bob = store.reportable(chat.id(), bob.account, &ids, NOW).await.unwrap().unwrap();
    let at_carol = store.reportable(chat.id(), carol.account, &ids, NOW).await.unwrap();

    let [None, Some(found), None] = &at_bob[..] else { panic!("{at_bob:?}") };
    assert_eq!(found.sender, alice.address(0));
    assert_eq!(found.envelope.as_ref().unwrap().payload, payload);
    assert!(found.envelope.as_ref().unwrap().wraps.is_empty());
    assert_eq!(at_carol, None);
    let deletion = Deletion {
        version: VERSION,
        conversation: chat.id(),
        message: id,
        author: alice.address(0),
        at: NOW,
    };
    store.delete_message(&alice.as_device(0, &deletion), NOW).await.unwrap();
    let at_bob = store.reportable(chat.id(), bob.account, &[id], NOW).await.unwrap().unwrap();
    assert_eq!(at_bob[0].as_ref().map(|found| found.envelope.is_some()), Some(false));
}

pub(crate) async fn a_report_is_filed_once_and_shown_whole(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let new = report(&alice, &bob, &chat, 1);
    let altered = NewReport {
        report: Report { comment: Some("another".to_owned()), ..new.report.clone() },
        ..new.clone()
    };
    let anothers = NewReport {
        report: Report { reporter: alice.address(0), ..new.report.clone() },
        ..new.clone()
    };

    let first = store.file_report(&new).await;
    let again = store.file_report(&altered).await;
    let refused = store.file_report(&anothers).await;

    assert_eq!(first.as_ref(), Ok(&new.report));
    assert_eq!(again.as_ref(), Ok(&new.report));
    assert_eq!(refused, Err(StorageError::AlreadyExists));
    assert_eq!(store.report(new.report.report).await, Ok(Some(new.report)));
    let [listed] = store.reports(Which::Open, 9).await.unwrap().try_into().unwrap();
    assert_eq!((listed.messages, listed.reporter), (2, bob.address(0)));
}

pub(crate) async fn an_account_files_so_many_reports(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let limited = |nonce| NewReport { reports_max: 2, ..report(&alice, &bob, &chat, nonce) };

    let filed = [store.file_report(&limited(1)).await, store.file_report(&limited(2)).await];
    let refused = store.file_report(&limited(3)).await;
    let again = store.file_report(&limited(2)).await;

    assert!(filed.iter().all(Result::is_ok));
    assert_eq!(refused, Err(StorageError::QuotaExceeded));
    assert!(again.is_ok());
    assert_eq!(store.reports(Which::All, 9).await.unwrap().len(), 2);
}

pub(crate) async fn a_report_is_closed_once_and_forgotten_in_time(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let new = report(&alice, &bob, &chat, 1);
    let id = new.report.report;
    store.file_report(&new).await.unwrap();

    store.close_report(id, Some("warned"), LATER, NOW).await.unwrap();
    store.close_report(id, Some("twice"), new.expires_at, LATER).await.unwrap();
    let unknown = ReportId::from_bytes([9; 16]);
    let refused = store.close_report(unknown, None, LATER, NOW).await;

    let closed = store.report(id).await.unwrap().unwrap();
    assert_eq!((closed.closed_at, closed.note.as_deref()), (Some(NOW), Some("warned")));
    assert_eq!(refused, Err(StorageError::NotFound));
    assert!(store.reports(Which::Open, 9).await.unwrap().is_empty());
    store.forget_expired(NOW).await.unwrap();
    assert_eq!(store.reports(Which::All, 9).await.unwrap().len(), 1);
    store.forget_expired(LATER).await.unwrap();
    assert_eq!(store.report(id).await, Ok(None));
}

/// What Bob reports of Alice: a message that was there, and one that was gone.
fn report(alice: &Person, bob: &Person, chat: &Membership, nonce: u8) -> NewReport {
    let sealed = alice.writes(chat, "insult").envelope;
    let evidence = Evidence {
        header: sealed.header,
        commitment: sealed.commitment,
        payload: sealed.payload,
        secret: Bytes::new(vec![7; 32]).unwrap(),
    };
    let message = |sequence, evidence| ReportedMessage {
        message: MessageId::from_bytes([nonce; 16]),
        sequence,
        sender: alice.address(0),
        accepted_at: NOW,
        evidence,
    };
    let report = Report {
        report: ReportId::from_bytes([nonce; 16]),
        conversation: chat.id(),
        reporter: bob.address(0),
        reason: ReportReason::Harassment,
        comment: Some("since yesterday".to_owned()),
        filed_at: NOW,
        closed_at: None,
        note: None,
        messages: List::new(vec![message(1, Some(evidence)), message(2, None)]).unwrap(),
    };
    let expires_at = NOW.after(Duration::from_secs(3600));
    NewReport { report, expires_at, reports_max: 100 }
}
