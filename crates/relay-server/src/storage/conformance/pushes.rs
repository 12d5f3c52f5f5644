//! Wake-ups: one a device, one node at a time, and none is forgotten.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::push::PushTarget;
use chat_core::codec::Bytes;
use chat_core::time::Timestamp;

use super::people::{NOW, people};
use crate::storage::{Storage, WakeUp};

pub(crate) async fn many_messages_are_one_wake_up(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    store.set_push_target(alice.address(0), Some(&fcm("a"))).await.unwrap();

    for _ in 0..3 {
        store.wake(&[alice.account, bob.account, alice.account], at(5)).await.unwrap();
    }

    assert!(lease(&store, 4).await.is_empty());
    let leased = lease(&store, 5).await;
    let expected = WakeUp { address: alice.address(0), target: fcm("a"), number: 3, attempts: 0 };
    assert_eq!(leased, [expected]);
    assert_eq!(store.wake_ups_waiting().await, Ok((1, 0)));
    store.wake_up_done(alice.address(0), 3, at(6)).await.unwrap();
    assert_eq!(store.wake_ups_waiting().await, Ok((0, 0)));
}

pub(crate) async fn a_lease_is_one_nodes_until_it_ends(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.set_push_target(alice.address(0), Some(&fcm("a"))).await.unwrap();
    store.wake(&[alice.account], at(0)).await.unwrap();

    let first = lease(&store, 1).await;
    let second = lease(&store, 30).await;
    let after_the_node_died = lease(&store, 61).await;

    assert_eq!((first.len(), second.len(), after_the_node_died.len()), (1, 0, 1));
}

pub(crate) async fn of_many_nodes_each_gets_other_wake_ups(store: Arc<dyn Storage>) {
    let everybody = people(&store, ["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    for person in &everybody {
        store.set_push_target(person.address(0), Some(&fcm("x"))).await.unwrap();
        store.wake(&[person.account], at(0)).await.unwrap();
    }
    let node = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut leased = Vec::new();
            for _ in 0..6 {
                leased.extend(store.lease_wake_ups(at(1), at(60), 2).await.unwrap());
            }
            leased
        })
    };

    let nodes: Vec<_> = (0..4).map(node).collect();
    let mut leased = Vec::new();
    for node in nodes {
        leased.extend(node.await.unwrap().into_iter().map(|wake_up| wake_up.address));
    }

    leased.sort_unstable();
    let mut expected: Vec<_> = everybody.iter().map(|person| person.address(0)).collect();
    expected.sort_unstable();
    assert_eq!(leased, expected);
}

pub(crate) async fn mail_that_comes_while_one_is_woken_is_not_forgotten(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.set_push_target(alice.address(0), Some(&fcm("a"))).await.unwrap();
    store.wake(&[alice.account], at(0)).await.unwrap();
    let [leased] = lease(&store, 1).await.try_into().unwrap();

    store.wake(&[alice.account], at(2)).await.unwrap();
    store.wake_up_done(alice.address(0), leased.number, at(3)).await.unwrap();

    assert!(lease(&store, 2).await.is_empty());
    assert_eq!(lease(&store, 3).await.len(), 1);
}

pub(crate) async fn what_failed_too_often_waits_for_the_next_message(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.set_push_target(alice.address(0), Some(&fcm("a"))).await.unwrap();
    store.wake(&[alice.account], at(0)).await.unwrap();
    lease(&store, 1).await;
    store.wake_up_failed(alice.address(0), Some(at(10))).await.unwrap();
    assert!(lease(&store, 9).await.is_empty());
    assert_eq!(lease(&store, 10).await[0].attempts, 1);

    store.wake_up_failed(alice.address(0), None).await.unwrap();

    assert!(lease(&store, 1_000).await.is_empty());
    assert_eq!(store.wake_ups_waiting().await, Ok((0, 1)));
    store.wake(&[alice.account], at(2_000)).await.unwrap();
    assert_eq!(lease(&store, 2_000).await[0].attempts, 0);
}

pub(crate) async fn a_target_goes_with_its_word_or_its_device(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    for person in [&alice, &bob] {
        store.set_push_target(person.address(0), Some(&fcm("old"))).await.unwrap();
        store.set_push_target(person.address(0), Some(&hook("new"))).await.unwrap();
        store.wake(&[person.account], at(0)).await.unwrap();
    }

    store.drop_push_target(alice.address(0), &fcm("old")).await.unwrap();
    assert_eq!(store.push_devices(None, 10).await.unwrap().len(), 2, "it is another by now");
    store.drop_push_target(alice.address(0), &hook("new")).await.unwrap();
    store.set_push_target(bob.address(0), None).await.unwrap();

    assert!(store.push_devices(None, 10).await.unwrap().is_empty());
    assert!(lease(&store, 1).await.is_empty());
}

pub(crate) async fn devices_with_a_target_come_in_pages(store: Arc<dyn Storage>) {
    let everybody = people(&store, ["a", "b", "c", "d", "e"]).await;
    for person in &everybody {
        store.set_push_target(person.address(0), Some(&fcm("x"))).await.unwrap();
    }

    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.push_devices(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        found.extend(page);
    }

    let mut expected: Vec<_> = everybody.iter().map(|person| person.address(0)).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

async fn lease(store: &Arc<dyn Storage>, second: u64) -> Vec<WakeUp> {
    store.lease_wake_ups(at(second), at(second + 60), 10).await.unwrap()
}

fn fcm(token: &str) -> PushTarget {
    PushTarget::Fcm { token: token.to_owned() }
}

fn hook(name: &str) -> PushTarget {
    let secret = Bytes::new(vec![7; 32]).unwrap();
    PushTarget::WebHook { url: format!("https://{name}.example/"), secret }
}

fn at(second: u64) -> Timestamp {
    NOW.after(Duration::from_secs(second))
}
