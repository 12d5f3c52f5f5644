//! Prekeys that go out once, with the set they belong to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::people::{Person, people};
use crate::storage::{Storage, StorageError};

pub(crate) async fn each_one_time_prekey_goes_out_once(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    store.put_prekeys(&alice.prekeys(0, 2, 20)).await.unwrap();

    let take = |_| {
        let store = store.clone();
        let wanted = [alice.address(0), bob.address(0), alice.address(0)];
        tokio::spawn(async move {
            let mut bundles = Vec::new();
            for _ in 0..4 {
                bundles.extend(store.take_bundles(&wanted).await.unwrap());
            }
            bundles
        })
    };
    let tasks: Vec<_> = (0..8).map(take).collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }

    let certificate = alice.devices.active_device(alice.address(0).device).unwrap();
    let alices: Vec<_> = taken.iter().filter(|b| b.address == alice.address(0)).collect();
    assert_eq!(alices.len(), 32);
    let mut spent = Vec::new();
    for bundle in alices {
        let verified = bundle.clone().verify(certificate).unwrap();
        spent.extend(verified.one_time.map(|prekey| prekey.index));
    }
    assert_eq!(spent.len(), 20);
    assert_eq!(spent.into_iter().collect::<BTreeSet<_>>().len(), 20);
    assert_eq!(store.prekey_count(alice.address(0)).await.unwrap().remaining, 0);
}

pub(crate) async fn a_newer_set_replaces_what_is_left_of_the_older(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;

    store.put_prekeys(&alice.prekeys(0, 3, 2)).await.unwrap();

    let count = store.prekey_count(alice.address(0)).await.unwrap();
    assert_eq!((count.number, count.remaining), (3, 2));
    let older = store.put_prekeys(&alice.prekeys(0, 2, 9)).await;
    assert_eq!(older, Err(StorageError::Conflict));
    let another = store.put_prekeys(&alice.prekeys(0, 3, 9)).await;
    assert_eq!(another, Err(StorageError::Conflict));
    assert_eq!(store.prekey_count(alice.address(0)).await.unwrap().remaining, 2);
}

pub(crate) async fn the_same_upload_brings_no_spent_prekey_back(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let upload = alice.prekeys(0, 2, 5);
    store.put_prekeys(&upload).await.unwrap();
    store.take_bundles(&[alice.address(0)]).await.unwrap();

    assert_eq!(store.put_prekeys(&upload).await, Ok(()));
    assert_eq!(store.prekey_count(alice.address(0)).await.unwrap().remaining, 4);
}

pub(crate) async fn a_device_that_is_not_there_uploads_nothing(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let stranger = Person::named("stranger");

    assert_eq!(store.put_prekeys(&alice.prekeys(1, 1, 1)).await, Err(StorageError::NotFound));
    assert_eq!(store.put_prekeys(&stranger.prekeys(0, 1, 1)).await, Err(StorageError::NotFound));
    assert!(store.take_bundles(&[stranger.address(0)]).await.unwrap().is_empty());
    assert_eq!(store.prekey_count(stranger.address(0)).await.unwrap().number, 0);
}
