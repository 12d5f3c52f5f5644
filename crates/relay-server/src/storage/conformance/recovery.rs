//! The recovery phrase's key, and another password together with its keyring.

use std::sync::Arc;

use chat_core::api::account::Keyring;
use chat_core::codec::Bytes;
use chat_core::id::AccountId;
use chat_core::key::RecoveryKey;

use super::people::people;
use crate::storage::{Storage, StorageError};

pub(crate) async fn a_recovery_key_is_found_by_name_whatever_its_case(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let (first, second) = (RecoveryKey::from_bytes([1; 32]), RecoveryKey::from_bytes([2; 32]));

    assert_eq!(store.recovery_key("alice").await, Ok(None));
    store.put_recovery_key(alice.account, first).await.unwrap();
    store.put_recovery_key(alice.account, second).await.unwrap();
    store.put_recovery_key(bob.account, first).await.unwrap();

    assert_eq!(store.recovery_key("ALICE").await, Ok(Some((alice.account, second))));
    assert_eq!(store.recovery_key("bob").await, Ok(Some((bob.account, first))));
    assert_eq!(store.recovery_key("nobody").await, Ok(None));
    let stranger = AccountId::from_bytes([7; 16]);
    assert_eq!(store.put_recovery_key(stranger, first).await, Err(StorageError::NotFound));
}

pub(crate) async fn another_password_and_its_keyring_come_together(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let keyring = |number| Keyring { number, sealed: Bytes::new(b"new".to_vec()).unwrap() };

    let skipped = store.put_password(alice.account, b"other", &keyring(3)).await;
    let before = store.login_record("alice").await.unwrap().unwrap();
    store.put_password(alice.account, b"other", &keyring(2)).await.unwrap();

    assert_eq!(skipped, Err(StorageError::Conflict));
    assert_eq!(before.opaque_record, b"record of alice");
    let after = store.login_record("alice").await.unwrap().unwrap();
    assert_eq!(after.opaque_record, b"other");
    assert_eq!(store.keyring(alice.account).await.unwrap().unwrap().number, 2);
}
