//! Single-use state and refresh tokens.

use std::sync::Arc;
use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::time::Timestamp;

use super::people::{NOW, people};
use crate::storage::{
    FamilyId, PendingKind, RefreshOutcome, Session, SessionState, Storage, StorageError,
};

const FORGIVEN: Duration = Duration::from_secs(10);
const FAMILY: FamilyId = FamilyId::from_bytes([7; 16]);

pub(crate) async fn single_use_state_is_taken_once(store: Arc<dyn Storage>) {
    store.put_pending(PendingKind::Login, b"key", b"state", later()).await.unwrap();

    let again = store.put_pending(PendingKind::Login, b"key", b"other", later()).await;
    let as_another = store.take_pending(PendingKind::Challenge, b"key", NOW).await.unwrap();
    let taken = store.take_pending(PendingKind::Login, b"key", NOW).await.unwrap();
    let twice = store.take_pending(PendingKind::Login, b"key", NOW).await.unwrap();

    assert_eq!(again, Err(StorageError::Conflict));
    assert!(as_another.is_none());
    assert_eq!(taken.unwrap().as_slice(), b"state");
    assert!(twice.is_none());
}

pub(crate) async fn single_use_state_runs_out(store: Arc<dyn Storage>) {
    store.put_pending(PendingKind::Challenge, b"key", b"", later()).await.unwrap();

    assert!(store.take_pending(PendingKind::Challenge, b"key", later()).await.unwrap().is_none());
    assert!(store.take_pending(PendingKind::Challenge, b"key", NOW).await.unwrap().is_none());
}

pub(crate) async fn of_many_who_take_single_use_state_one_gets_it(store: Arc<dyn Storage>) {
    store.put_pending(PendingKind::Login, b"key", b"state", later()).await.unwrap();

    let take = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.take_pending(PendingKind::Login, b"key", NOW).await })
    };
    let tasks: Vec<_> = (0..8).map(take).collect();
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.unwrap().unwrap().is_some());
    }

    assert_eq!(taken, 1);
}

pub(crate) async fn a_refresh_token_spent_twice_revokes_its_family(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let address = alice.address(0);
    store.insert_refresh(FAMILY, address, token(1), later(), NOW).await.unwrap();

    assert_eq!(spend(&store, 1, 2).await, RefreshOutcome::Spent { address, family: FAMILY });
    assert_eq!(spend(&store, 2, 3).await, RefreshOutcome::Spent { address, family: FAMILY });
    assert_eq!(spend(&store, 1, 9).await, RefreshOutcome::Replayed { address, family: FAMILY });
    assert_eq!(spend(&store, 3, 4).await, RefreshOutcome::Expired);
    assert_eq!(spend(&store, 9, 4).await, RefreshOutcome::Unknown);
}

pub(crate) async fn the_same_spending_is_recognised_for_a_moment(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let address = alice.address(0);
    store.insert_refresh(FAMILY, address, token(1), later(), NOW).await.unwrap();
    let spent = RefreshOutcome::Spent { address, family: FAMILY };
    let repeated = RefreshOutcome::Repeated { address, family: FAMILY };
    let replayed = RefreshOutcome::Replayed { address, family: FAMILY };

    assert_eq!(spend(&store, 1, 2).await, spent);
    assert_eq!(spend(&store, 1, 2).await, repeated);
    assert_eq!(spend_at(&store, 1, 2, NOW.after(FORGIVEN)).await, repeated);
    assert_eq!(spend(&store, 2, 3).await, spent);
    assert_eq!(spend(&store, 1, 2).await, replayed, "its successor is spent");
}

pub(crate) async fn the_same_spending_is_a_replay_when_the_moment_is_over(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let address = alice.address(0);
    store.insert_refresh(FAMILY, address, token(1), later(), NOW).await.unwrap();
    spend(&store, 1, 2).await;

    let over = NOW.after(FORGIVEN + Duration::from_millis(1));
    let replayed = spend_at(&store, 1, 2, over).await;

    assert_eq!(replayed, RefreshOutcome::Replayed { address, family: FAMILY });
    assert_eq!(spend(&store, 2, 3).await, RefreshOutcome::Expired);
}

pub(crate) async fn a_session_ends_with_its_family_or_its_device(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let other = FamilyId::from_bytes([8; 16]);
    store.insert_refresh(FAMILY, alice.address(0), token(1), later(), NOW).await.unwrap();
    store.insert_refresh(other, alice.address(0), token(2), later(), NOW).await.unwrap();
    let session = |address, family| Session { address, family };
    let asked = [
        session(alice.address(0), FAMILY),
        session(bob.address(0), FAMILY),
        session(alice.address(0), other),
        session(alice.address(7), other),
        session(alice.address(0), FamilyId::from_bytes([9; 16])),
    ];

    let before = store.session_states(&asked).await.unwrap();
    store.revoke_family(FAMILY).await.unwrap();
    let after = store.session_states(&asked).await.unwrap();

    let (active, ended, unknown) =
        (SessionState::Active, SessionState::Ended, SessionState::Unknown);
    assert_eq!(before, [active, ended, active, unknown, ended]);
    assert_eq!(after, [ended, ended, active, unknown, ended]);
    assert!(store.session_states(&[]).await.unwrap().is_empty());
}

pub(crate) async fn a_refresh_token_runs_out(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.insert_refresh(FAMILY, alice.address(0), token(1), later(), NOW).await.unwrap();

    let spent = store.spend_refresh(token(1), token(2), later(), FORGIVEN, later()).await.unwrap();

    assert_eq!(spent, RefreshOutcome::Expired);
}

pub(crate) async fn of_many_who_spend_a_token_one_succeeds(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let address = alice.address(0);
    store.insert_refresh(FAMILY, address, token(0), later(), NOW).await.unwrap();

    let spending = |successor| {
        let store = store.clone();
        tokio::spawn(async move { spend(&store, 0, successor).await })
    };
    let tasks: Vec<_> = (1..9).map(spending).collect();
    let (mut spent, mut replayed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            RefreshOutcome::Spent { .. } => spent += 1,
            RefreshOutcome::Replayed { .. } => replayed += 1,
            other => assert_eq!(other, RefreshOutcome::Expired),
        }
    }

    assert_eq!((spent, replayed), (1, 1));
}

pub(crate) async fn a_revoked_device_refreshes_nothing(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.insert_refresh(FAMILY, alice.address(0), token(1), later(), NOW).await.unwrap();
    let unlisted = store.insert_refresh(FAMILY, alice.address(1), token(5), later(), NOW).await;

    store.revoke_device(alice.address(0)).await.unwrap();
    let revoked = spend(&store, 1, 2).await;
    let other = FamilyId::from_bytes([8; 16]);
    store.insert_refresh(other, alice.address(0), token(3), later(), NOW).await.unwrap();
    store.revoke_family(other).await.unwrap();

    assert_eq!(unlisted, Err(StorageError::NotFound));
    assert_eq!(revoked, RefreshOutcome::Expired);
    assert_eq!(spend(&store, 3, 4).await, RefreshOutcome::Expired);
}

pub(crate) async fn what_has_run_out_is_forgotten(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.put_pending(PendingKind::Login, b"key", b"state", later()).await.unwrap();
    store.insert_refresh(FAMILY, alice.address(0), token(1), later(), NOW).await.unwrap();

    assert_eq!(store.forget_expired(NOW).await, Ok(0));
    assert_eq!(store.forget_expired(later()).await, Ok(2));
    assert_eq!(spend(&store, 1, 2).await, RefreshOutcome::Unknown);
}

async fn spend(store: &Arc<dyn Storage>, spent: u8, successor: u8) -> RefreshOutcome {
    spend_at(store, spent, successor, NOW).await
}

async fn spend_at(
    store: &Arc<dyn Storage>,
    spent: u8,
    successor: u8,
    now: Timestamp,
) -> RefreshOutcome {
    let (spent, successor) = (token(spent), token(successor));
    store.spend_refresh(spent, successor, later(), FORGIVEN, now).await.unwrap()
}

fn token(number: u8) -> Digest {
    Digest::of(&[number])
}

fn later() -> Timestamp {
    NOW.after(Duration::from_secs(60))
}
