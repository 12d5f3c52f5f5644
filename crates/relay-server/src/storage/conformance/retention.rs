//! For how long messages are kept, and how much of them there is.

use std::sync::Arc;
use std::time::Duration;

use chat_core::id::WorkspaceId;
use chat_core::membership::Membership;
use chat_core::time::Timestamp;

use super::blobs::{blob, complete};
use super::people::{NOW, Person, WORKSPACE, group, people, stored};
use crate::retention::{Hold, Rules};
use crate::storage::{
    Acknowledgement, Erased, Erasure, Freshness, NewMessage, Storage, StorageError, Usage,
};

const ELSEWHERE: WorkspaceId = WorkspaceId::from_bytes([0xbb; 16]);

pub(crate) async fn a_workspace_has_the_rules_it_was_given_last(store: Arc<dyn Storage>) {
    people(&store, ["alice"]).await;
    let loose = Rules { keep: Some(days(90)), ..Rules::default() };
    let strict = Rules {
        keep: Some(days(7)),
        hold: Hold::UntilDelivered,
        account_bytes: Some(1_000),
        workspace_bytes: Some(9_000),
    };

    for rules in [loose, strict] {
        store.put_rules(WORKSPACE, rules).await.unwrap();
    }

    assert_eq!(store.rules().await.unwrap(), [(WORKSPACE, strict)]);
    assert_eq!(store.put_rules(ELSEWHERE, strict).await, Err(StorageError::NotFound));
}

pub(crate) async fn what_is_too_old_is_erased_and_keeps_its_place(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    for (text, at) in [("one", NOW), ("two", later(1)), ("three", later(2))] {
        store.append(&[alice.writes(&chat, text)], at).await.unwrap();
    }

    let erased = erase_all(&store, before(later(2))).await;
    let again = erase_all(&store, before(later(2))).await;

    assert_eq!((erased, again), (2, 0));
    assert_eq!(envelopes(&store, &bob, &chat).await, [false, false, true]);
    let resent = store.append(&[alice.writes(&chat, "one")], later(9)).await.unwrap()[0].unwrap();
    assert_eq!((resent.sequence, resent.freshness), (1, Freshness::Duplicate));
}

pub(crate) async fn what_everybody_has_is_erased(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob, &carol], 1).await;
    for text in ["one", "two", "three"] {
        stored(&store, alice.writes(&chat, text)).await;
    }
    let mut erased = Vec::new();

    for (person, up_to) in [(&alice, 3), (&bob, 3), (&carol, 2)] {
        acknowledge(&store, person, &chat, up_to).await;
        erased.push(erase_all(&store, DELIVERED).await);
    }

    assert_eq!(erased, [0, 0, 2]);
    assert_eq!(envelopes(&store, &carol, &chat).await, [false, false, true]);
}

pub(crate) async fn nobody_waits_for_who_has_left_or_came_later(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    acknowledge(&store, &alice, &chat, 1).await;

    let (entry, chat) = alice.removes(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    let (entry, chat) = alice.adds(&chat, &carol);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "two")).await;
    acknowledge(&store, &alice, &chat, 2).await;

    assert_eq!(erase_all(&store, DELIVERED).await, 1);
    assert_eq!(envelopes(&store, &carol, &chat).await, [true]);
}

pub(crate) async fn what_is_erased_lets_go_of_its_blobs(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    for number in [1, 2] {
        complete(&store, &alice, number).await;
    }
    let naming = |text: &str, numbers: &[u8]| NewMessage {
        blobs: numbers.iter().map(|number| blob(*number)).collect(),
        ..alice.writes(&chat, text)
    };
    store.append(&[naming("old", &[1, 2])], NOW).await.unwrap();
    store.append(&[naming("new", &[2])], later(5)).await.unwrap();

    assert_eq!(erase_all(&store, before(later(5))).await, 1);
    assert_eq!(store.collect_blobs(later(1), 10).await, Ok(1));
    assert_eq!(store.blob(blob(1), alice.account).await, Ok(None));
    assert!(store.blob(blob(2), alice.account).await.unwrap().is_some());
}

pub(crate) async fn other_workspaces_are_left_alone(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    let of = |workspace| Erasure { workspace: Some(workspace), ..before(later(1)) };

    assert_eq!(erase_all(&store, of(ELSEWHERE)).await, 0);
    assert_eq!(erase_all(&store, of(WORKSPACE)).await, 1);
}

pub(crate) async fn conversations_are_erased_in_pages(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    for nonce in 0..5 {
        let chat = group(&store, &alice, &[], nonce).await;
        stored(&store, alice.writes(&chat, "one")).await;
    }
    let (mut pages, mut after) = (Vec::new(), None);

    loop {
        let erased = store.erase(before(later(1)), after, 2, NOW).await.unwrap();
        pages.push(erased.messages);
        after = erased.after;
        if after.is_none() {
            break;
        }
    }

    assert_eq!(pages, [2, 2, 1]);
}

pub(crate) async fn messages_of_every_month_stand_in_one_line(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let at = |number: u64| NOW.after(days(20) * u32::try_from(number).unwrap());
    for number in 0..8 {
        store.tend_partitions(None, None, at(number)).await.unwrap();
        store.append(&[alice.writes(&chat, &number.to_string())], at(number)).await.unwrap();
    }

    let page = store.read_after(bob.address(0), chat.id(), 0, 100, at(9)).await.unwrap();
    let resent = store.append(&[alice.writes(&chat, "0")], at(9)).await.unwrap()[0].unwrap();
    let new = store.append(&[alice.writes(&chat, "new")], at(9)).await.unwrap()[0].unwrap();

    let places: Vec<_> = page.messages.iter().map(|m| (m.sequence, m.at)).collect();
    assert_eq!(places, (0..8).map(|number| (number + 1, at(number))).collect::<Vec<_>>());
    let first = (resent.sequence, resent.at, resent.freshness);
    assert_eq!(first, (1, NOW, Freshness::Duplicate));
    assert_eq!((new.sequence, new.freshness), (9, Freshness::New));
}

pub(crate) async fn months_that_are_too_old_are_let_go_of(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    store.tend_partitions(None, None, NOW).await.unwrap();
    store.append(&[alice.writes(&chat, "old")], NOW).await.unwrap();
    let much_later = NOW.after(days(100));
    store.append(&[alice.writes(&chat, "new")], much_later).await.unwrap();

    let early = store.tend_partitions(Some(days(99)), None, much_later).await.unwrap();
    let gone = store.tend_partitions(Some(days(40)), None, much_later).await.unwrap();

    assert_eq!(early, 0);
    assert_eq!(gone > 0, store.has_partitions());
    let page = store.read_after(bob.address(0), chat.id(), 0, 10, much_later).await.unwrap();
    let left: Vec<_> = page.messages.iter().map(|message| message.sequence).collect();
    assert_eq!(left, if store.has_partitions() { vec![2] } else { vec![1, 2] });
    // What is gone is still known by its id, so a late resend is no second message.
    let resent = store.append(&[alice.writes(&chat, "old")], much_later).await.unwrap();
    assert_eq!(resent[0].unwrap().sequence, 1);
}

pub(crate) async fn usage_is_counted_by_account_and_workspace(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let usage = |person: &Person, at, bytes| Usage {
        workspace: WORKSPACE,
        account: person.account,
        at,
        bytes,
    };
    let next_month = NOW.after(days(31));

    store.add_usage(&[usage(&alice, NOW, 5), usage(&bob, NOW, 7)]).await.unwrap();
    store.add_usage(&[usage(&alice, next_month, 20)]).await.unwrap();
    store.add_usage(&[usage(&alice, next_month, 30)]).await.unwrap();

    let stored = async |whose, since| store.stored(WORKSPACE, whose, since).await.unwrap();
    let (hers, all) = (Some(alice.account), None);
    assert_eq!((stored(hers, NOW).await, stored(all, NOW).await), (55, 62));
    assert_eq!((stored(hers, next_month).await, stored(all, next_month).await), (50, 50));
}

const DELIVERED: Erasure = Erasure { workspace: None, before: None, hold: Hold::UntilDelivered };

fn before(moment: Timestamp) -> Erasure {
    Erasure { workspace: None, before: Some(moment), hold: Hold::Kept }
}

async fn erase_all(store: &Arc<dyn Storage>, erasure: Erasure) -> u64 {
    let Erased { messages, after, .. } = store.erase(erasure, None, 100, NOW).await.unwrap();
    assert_eq!(after, None);
    messages
}

async fn envelopes(store: &Arc<dyn Storage>, reader: &Person, chat: &Membership) -> Vec<bool> {
    let page = store.read_after(reader.address(0), chat.id(), 0, 100, NOW).await.unwrap();
    page.messages.iter().map(|message| message.envelope.is_some()).collect()
}

async fn acknowledge(store: &Arc<dyn Storage>, person: &Person, chat: &Membership, up_to: u64) {
    let address = person.address(0);
    let acknowledged = Acknowledgement { address, conversation: chat.id(), up_to };
    store.acknowledge(&[acknowledged]).await.unwrap();
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}
