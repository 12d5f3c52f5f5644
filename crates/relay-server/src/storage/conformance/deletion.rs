//! Messages that somebody has deleted for everybody.

use std::sync::Arc;
use std::time::Duration;

use chat_core::envelope::{Expiry, ExpiryMode};

use super::blobs::{blob, complete};
use super::people::{NOW, group, message_id, people, stored};
use crate::storage::{Freshness, NewMessage, Storage};

const TIMER: Option<Expiry> = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 5_000 });

pub(crate) async fn a_deleted_message_keeps_its_place_and_shows_by_whose_word(
    store: Arc<dyn Storage>,
) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let hasty = alice.writes(&chat, "hasty");
    stored(&store, hasty.clone()).await;
    stored(&store, alice.writes(&chat, "considered")).await;
    let deletion = alice.deletes(&chat, "hasty");

    let sender = store.sender_of(chat.id(), message_id("hasty")).await.unwrap();
    let erased = store.delete_message(&deletion, NOW).await.unwrap();

    assert_eq!(sender, Some(alice.address(0)));
    assert_eq!(erased, Some(1));
    let page = store.read_after(bob.address(0), chat.id(), 0, 10, NOW).await.unwrap();
    let [gone, kept] = &page.messages[..] else { panic!("two places") };
    assert_eq!((gone.sequence, gone.message), (1, message_id("hasty")));
    assert!(gone.envelope.is_none() && kept.envelope.is_some() && kept.deletion.is_none());
    let shown = gone.deletion.as_ref().unwrap();
    assert_eq!((shown.signer, &shown.deletion), (alice.address(0), deletion.source()));
    let resent = store.append(&[hasty], NOW).await.unwrap()[0].unwrap();
    assert_eq!((resent.sequence, resent.freshness), (1, Freshness::Duplicate));
}

pub(crate) async fn a_deletion_of_what_is_gone_or_never_was_changes_nothing(
    store: Arc<dyn Storage>,
) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    stored(&store, alice.writes(&chat, "hasty")).await;

    let first = store.delete_message(&alice.deletes(&chat, "hasty"), NOW).await;
    let again = store.delete_message(&alice.deletes(&chat, "hasty"), NOW).await;
    let never = store.delete_message(&alice.deletes(&chat, "never"), NOW).await;

    assert_eq!((first, again, never), (Ok(Some(1)), Ok(None), Ok(None)));
    assert_eq!(store.sender_of(chat.id(), message_id("never")).await, Ok(None));
    assert_eq!(store.sender_of(chat.id(), message_id("hasty")).await, Ok(Some(alice.address(0))));
}

pub(crate) async fn a_deleted_message_is_not_erased_again(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    for text in ["short", "shorter"] {
        stored(&store, alice.writes_with(&chat, text, TIMER)).await;
    }

    store.delete_message(&alice.deletes(&chat, "short"), NOW).await.unwrap();
    let later = NOW.after(Duration::from_secs(5));
    let expired = store.expire_due(later, 10).await.unwrap();
    let deleted = store.delete_message(&alice.deletes(&chat, "shorter"), NOW).await;

    assert_eq!(expired.iter().map(|one| one.sequence).collect::<Vec<_>>(), [2]);
    assert_eq!(deleted, Ok(None));
}

pub(crate) async fn of_many_who_delete_a_message_one_does(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    stored(&store, alice.writes(&chat, "hasty")).await;

    let delete = |_| {
        let (store, deletion) = (store.clone(), alice.deletes(&chat, "hasty"));
        tokio::spawn(async move { store.delete_message(&deletion, NOW).await.unwrap() })
    };
    let tasks: Vec<_> = (0..4).map(delete).collect();
    let mut erased = Vec::new();
    for task in tasks {
        erased.extend(task.await.unwrap());
    }

    assert_eq!(erased, [1]);
}

pub(crate) async fn a_deleted_message_lets_go_of_its_blobs(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    for number in [1, 2] {
        complete(&store, &alice, number).await;
    }
    let naming = |text: &str, numbers: &[u8]| NewMessage {
        blobs: numbers.iter().map(|number| blob(*number)).collect(),
        ..alice.writes(&chat, text)
    };
    stored(&store, naming("hasty", &[1, 2])).await;
    stored(&store, naming("considered", &[2])).await;

    store.delete_message(&alice.deletes(&chat, "hasty"), NOW).await.unwrap();

    assert_eq!(store.collect_blobs(NOW.after(Duration::from_secs(1)), 10).await, Ok(1));
    assert_eq!(store.blob(blob(1), alice.account).await, Ok(None));
    assert!(store.blob(blob(2), alice.account).await.unwrap().is_some());
}
