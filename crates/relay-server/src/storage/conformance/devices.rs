//! Device lists that follow each other.

use std::sync::Arc;
use std::time::Duration;

use chat_core::codec::Digest;

use super::people::{NOW, Person, group, list, people, stored};
use crate::storage::{
    Acknowledgement, DeviceState, DevicesReplaced, FamilyId, RefreshOutcome, Storage, StorageError,
};

pub(crate) async fn a_device_that_joins_begins_at_the_end(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "before")).await;

    let with_tablet = bob.next_list(&[(0, None), (1, None)]);
    let tablets = bob.prekeys(1, 1, 5);
    let replaced = store.replace_devices(&with_tablet, Some(&tablets), NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "after")).await;

    let tablet = bob.address(1);
    assert_eq!(replaced, DevicesReplaced { added: vec![tablet.device], removed: Vec::new() });
    assert_eq!(store.prekey_count(tablet).await.unwrap().remaining, 5);
    let backlog = store.backlog(&[tablet, bob.address(0)]).await.unwrap();
    let cursor = |address| backlog.iter().find(|b| b.address == address).unwrap().cursor;
    assert_eq!((cursor(tablet), cursor(bob.address(0))), (1, 0));
    let history = store.read_after(tablet, chat.id(), 0, 10, NOW).await.unwrap();
    assert_eq!(history.messages.len(), 2);
}

pub(crate) async fn a_removed_device_loses_what_it_could_act_with(store: Arc<dyn Storage>) {
    let [alice, mut bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "hello")).await;
    bob.devices = bob.next_list(&[(0, None), (1, None)]);
    store.replace_devices(&bob.devices, Some(&bob.prekeys(1, 1, 5)), NOW).await.unwrap();
    let tablet = bob.address(1);
    let (family, token) = (FamilyId::from_bytes([1; 16]), Digest::of(b"token"));
    let later = NOW.after(Duration::from_secs(60));
    store.insert_refresh(family, tablet, token, later, NOW).await.unwrap();

    let removed = bob.next_list(&[(0, None), (1, Some(NOW))]);
    let replaced = store.replace_devices(&removed, None, NOW).await.unwrap();

    assert_eq!(replaced, DevicesReplaced { added: Vec::new(), removed: vec![tablet.device] });
    assert_eq!(store.device_state(tablet).await, Ok(DeviceState::Removed));
    let spent =
        store.spend_refresh(token, Digest::of(b"next"), later, Duration::ZERO, NOW).await.unwrap();
    assert_eq!(spent, RefreshOutcome::Unknown);
    assert!(store.take_bundles(&[tablet]).await.unwrap().is_empty());
    assert!(store.backlog(&[tablet]).await.unwrap().is_empty());
    let up_to = Acknowledgement { address: tablet, conversation: chat.id(), up_to: 1 };
    assert_eq!(store.acknowledge(&[up_to]).await, Ok(()));
    assert!(store.insert_refresh(family, tablet, token, later, NOW).await.is_err());
    let active = store.active_devices(&[bob.account]).await.unwrap();
    assert_eq!(
        (active[0].number, active[0].devices.as_slice()),
        (3, [bob.address(0).device].as_slice())
    );
}

pub(crate) async fn a_list_that_does_not_continue_the_stored_one_is_a_conflict(
    store: Arc<dyn Storage>,
) {
    let [bob] = people(&store, ["bob"]).await;
    let first = bob.next_list(&[(0, None), (1, None)]);
    let second = bob.next_list(&[(0, None), (2, None)]);
    let skipping = list("bob", bob.account, 3, Digest::of(b"unseen"), &[(0, None)]);

    assert!(store.replace_devices(&first, None, NOW).await.is_ok());
    let conflict = Err(StorageError::Conflict);
    assert_eq!(store.replace_devices(&second, None, NOW).await, conflict);
    assert_eq!(store.replace_devices(&skipping, None, NOW).await, conflict);
    let nobody = Person::named("nobody").next_list(&[(0, None)]);
    assert_eq!(store.replace_devices(&nobody, None, NOW).await, Err(StorageError::NotFound));
    assert_eq!(store.device_state(bob.address(2)).await, Ok(DeviceState::Unknown));
}

pub(crate) async fn the_same_list_again_changes_nothing(store: Arc<dyn Storage>) {
    let [bob] = people(&store, ["bob"]).await;
    let next = bob.next_list(&[(0, None), (1, None)]);
    let tablets = bob.prekeys(1, 1, 5);
    store.replace_devices(&next, Some(&tablets), NOW).await.unwrap();
    store.take_bundles(&[bob.address(1)]).await.unwrap();

    let again = store.replace_devices(&next, Some(&tablets), NOW).await.unwrap();

    assert_eq!(again, DevicesReplaced::default());
    assert_eq!(store.prekey_count(bob.address(1)).await.unwrap().remaining, 4);
}
