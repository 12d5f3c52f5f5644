//! The store's marks, registrations, keys and keyrings.

use std::sync::Arc;

use chat_core::api::account::Keyring;
use chat_core::codec::Bytes;
use chat_core::id::WorkspaceId;

use super::people::{NOW, Person, WORKSPACE, people};
use crate::storage::{DeviceState, Storage, StorageError};

pub(crate) async fn the_first_candidate_becomes_the_secret(store: Arc<dyn Storage>) {
    let first = store.secret("token key", b"one").await.unwrap();
    let second = store.secret("token key", b"two").await.unwrap();
    let other = store.secret("server setup", b"three").await.unwrap();

    assert_eq!(first.as_slice(), b"one");
    assert_eq!(second.as_slice(), b"one");
    assert_eq!(other.as_slice(), b"three");
    assert_eq!(store.epoch().await, Ok(1));
    assert_eq!(store.check().await, Ok(()));
}

pub(crate) async fn nodes_that_start_at_once_agree(store: Arc<dyn Storage>) {
    let start = |node: u8| {
        let store = store.clone();
        tokio::spawn(async move {
            let secret = store.secret("token key", &[node]).await.unwrap();
            let candidate = WorkspaceId::from_bytes([node; 16]);
            (secret.to_vec(), store.default_workspace(candidate, NOW).await.unwrap())
        })
    };
    let nodes: Vec<_> = (0..8).map(start).collect();
    let mut answers = Vec::new();
    for node in nodes {
        answers.push(node.await.unwrap());
    }

    answers.dedup();
    assert_eq!(answers.len(), 1);
}

pub(crate) async fn a_registration_is_stored_whole(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;

    let record = store.login_record("alice").await.unwrap().unwrap();
    let own = store.account(alice.account).await.unwrap().unwrap();
    let keys = store.account_keys(alice.account).await.unwrap().unwrap();
    let active = store.active_devices(&[alice.account, stranger().account]).await.unwrap();
    let count = store.prekey_count(alice.address(0)).await.unwrap();

    assert_eq!((record.account, record.opaque_record), (alice.account, b"record of alice".into()));
    assert_eq!((own.username.as_str(), own.workspace), ("alice", WORKSPACE));
    assert_eq!(keys.devices, alice.devices.to_published());
    assert_eq!(keys.envelope_keys, *alice.envelope_keys(1).source());
    assert_eq!(active.len(), 1);
    assert_eq!(active[0].devices, [alice.address(0).device]);
    assert_eq!((count.number, count.remaining), (1, 3));
    assert_eq!(store.keyring(alice.account).await.unwrap().unwrap().number, 1);
    assert_eq!(store.device_state(alice.address(0)).await, Ok(DeviceState::Active));
    assert_eq!(store.device_state(alice.address(1)).await, Ok(DeviceState::Unknown));
    assert!(store.account_keys(stranger().account).await.unwrap().is_none());
    assert!(store.login_record("bob").await.unwrap().is_none());
}

pub(crate) async fn the_same_registration_is_accepted_again(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.take_bundles(&[alice.address(0)]).await.unwrap();

    assert_eq!(store.create_account(&alice.registration(), NOW).await, Ok(()));
    assert_eq!(store.prekey_count(alice.address(0)).await.unwrap().remaining, 2);
}

pub(crate) async fn a_name_is_taken_whatever_its_case(store: Arc<dyn Storage>) {
    people(&store, ["alice"]).await;
    let mut other = stranger().registration();
    other.username = "Alice".to_owned();

    assert_eq!(store.create_account(&other, NOW).await, Err(StorageError::NameTaken));
    assert!(store.login_record("ALICE").await.unwrap().is_some());
    assert!(store.account(stranger().account).await.unwrap().is_none());
}

pub(crate) async fn an_account_id_is_not_given_twice(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let mut other = alice.registration();
    other.username = "alison".to_owned();

    assert_eq!(store.create_account(&other, NOW).await, Err(StorageError::AlreadyExists));
}

pub(crate) async fn of_many_who_want_a_name_one_gets_it(store: Arc<dyn Storage>) {
    store.default_workspace(WORKSPACE, NOW).await.unwrap();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let register = |name| {
        let store = store.clone();
        let mut registration = Person::named(name).registration();
        registration.username = "wanted".to_owned();
        tokio::spawn(async move { store.create_account(&registration, NOW).await })
    };
    let tasks: Vec<_> = names.into_iter().map(register).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }

    let taken = answers.iter().filter(|answer| **answer == Err(StorageError::NameTaken)).count();
    assert_eq!((answers.iter().filter(|answer| answer.is_ok()).count(), taken), (1, 7));
}

pub(crate) async fn an_account_belongs_to_a_workspace_that_exists(store: Arc<dyn Storage>) {
    let registration = stranger().registration();

    assert_eq!(store.create_account(&registration, NOW).await, Err(StorageError::NotFound));
    assert!(store.login_record("stranger").await.unwrap().is_none());
}

pub(crate) async fn envelope_keys_are_replaced_by_the_next_epoch_only(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let put = async |epoch| store.put_envelope_keys(&alice.envelope_keys(epoch)).await;

    assert_eq!(put(3).await, Err(StorageError::Conflict));
    assert_eq!(put(2).await, Ok(()));
    assert_eq!(put(2).await, Ok(()));
    assert_eq!(put(1).await, Err(StorageError::Conflict));
    let stored = store.account_keys(alice.account).await.unwrap().unwrap().envelope_keys;
    assert_eq!(stored, *alice.envelope_keys(2).source());
    let unknown = store.put_envelope_keys(&stranger().envelope_keys(2)).await;
    assert_eq!(unknown, Err(StorageError::NotFound));
}

pub(crate) async fn a_keyring_is_replaced_by_the_next_number_only(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let keyring =
        |number, sealed: &[u8]| Keyring { number, sealed: Bytes::new(sealed.to_vec()).unwrap() };
    let put = async |keyring| store.put_keyring(alice.account, &keyring).await;

    assert_eq!(put(keyring(3, b"new")).await, Err(StorageError::Conflict));
    assert_eq!(put(keyring(2, b"new")).await, Ok(()));
    assert_eq!(put(keyring(2, b"new")).await, Ok(()));
    assert_eq!(put(keyring(2, b"other")).await, Err(StorageError::Conflict));
    let stored = store.keyring(alice.account).await.unwrap().unwrap();
    assert_eq!((stored.number, &*stored.sealed), (2, b"new".as_slice()));
}

fn stranger() -> Person {
    Person::named("stranger")
}
