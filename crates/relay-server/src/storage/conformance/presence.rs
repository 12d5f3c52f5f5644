//! When people were last there, and who may know.

use std::sync::Arc;
use std::time::Duration;

use chat_core::id::WorkspaceId;
use chat_core::presence::Availability;
use chat_core::time::Timestamp;

use super::people::{NOW, Person, WORKSPACE, group, people};
use crate::presence::Word;
use crate::presence::circle::Gone;
use crate::storage::{LastSeen, Storage};

const ELSEWHERE: WorkspaceId = WorkspaceId::from_bytes([0xbb; 16]);

pub(crate) async fn acquaintances_are_those_of_the_workspace(store: Arc<dyn Storage>) {
    let [alice, bob, carol, dave] = people(&store, ["alice", "bob", "carol", "dave"]).await;
    let chat = group(&store, &alice, &[&bob, &carol], 1).await;
    group(&store, &alice, &[&bob], 2).await;
    group(&store, &carol, &[&dave], 3).await;
    let (entry, after) = alice.removes(&chat, &carol);
    store.append_entry(&entry, &after, NOW).await.unwrap();

    assert_eq!(store.acquaintances_in(alice.account, WORKSPACE).await, Ok(vec![bob.account]));
    assert_eq!(store.acquaintances_in(alice.account, ELSEWHERE).await, Ok(vec![]));
}

pub(crate) async fn the_last_moment_is_kept_for_those_who_may_know(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let mut exception = Word::everywhere(Availability::Hidden);
    exception.exceptions.insert(WORKSPACE, Availability::Away);
    let gone = [
        gone(&alice, Word::everywhere(Availability::Busy), NOW),
        gone(&bob, Word::everywhere(Availability::Hidden), NOW),
        gone(&carol, exception, NOW),
    ];

    store.put_last_seen(&gone).await.unwrap();

    let asked = [alice.account, bob.account, carol.account];
    let mut known = [seen(&alice, NOW), seen(&carol, NOW)];
    known.sort_unstable();
    assert_eq!(store.last_seen(&asked).await.unwrap(), known);
}

pub(crate) async fn the_last_moment_never_goes_back(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let later = NOW.after(Duration::from_secs(1));
    let online = Word::everywhere(Availability::Online);

    for at in [later, NOW] {
        store.put_last_seen(&[gone(&alice, online.clone(), at)]).await.unwrap();
    }

    assert_eq!(store.last_seen(&[alice.account]).await.unwrap(), [seen(&alice, later)]);
}

pub(crate) async fn the_last_moment_is_forgotten(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let online = Word::everywhere(Availability::Online);
    store.put_last_seen(&[gone(&alice, online.clone(), NOW)]).await.unwrap();

    store.forget_last_seen(alice.account, Some(ELSEWHERE)).await.unwrap();
    let kept = store.last_seen(&[alice.account]).await.unwrap().len();
    store.forget_last_seen(alice.account, Some(WORKSPACE)).await.unwrap();
    let left = store.last_seen(&[alice.account]).await.unwrap().len();
    store.put_last_seen(&[gone(&alice, online, NOW)]).await.unwrap();
    store.forget_last_seen(alice.account, None).await.unwrap();

    assert_eq!((kept, left), (1, 0));
    assert!(store.last_seen(&[alice.account]).await.unwrap().is_empty());
}

fn gone(person: &Person, word: Word, at: Timestamp) -> Gone {
    Gone { account: person.account, word, at }
}

fn seen(person: &Person, at: Timestamp) -> LastSeen {
    LastSeen { account: person.account, workspace: WORKSPACE, at }
}
