//! What an account has not seen.

use std::sync::Arc;

use chat_core::api::unread::UnreadConversation;
use chat_core::limits::UNREAD_COUNTED_MAX;
use chat_core::membership::Membership;
use chat_core::receipt::ReceiptKind;

use super::people::{NOW, Person, WORKSPACE, group, people, stored};
use crate::storage::Storage;

pub(crate) async fn what_others_said_after_the_last_look_is_unread(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    for text in ["one", "two", "three"] {
        stored(&store, alice.writes(&chat, text)).await;
    }
    stored(&store, bob.writes(&chat, "four")).await;

    let before = unread(&store, &bob).await;
    sees(&store, &bob, &chat, 2).await;

    assert_eq!(before, [counted(&chat, 3)]);
    assert_eq!(unread(&store, &bob).await, [counted(&chat, 1)]);
    assert_eq!(unread(&store, &alice).await, [counted(&chat, 1)]);
    sees(&store, &bob, &chat, 4).await;
    assert!(unread(&store, &bob).await.is_empty());
}

pub(crate) async fn who_came_later_has_not_missed_what_was_before(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    let (entry, chat) = alice.adds(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();

    let before = unread(&store, &bob).await;
    stored(&store, alice.writes(&chat, "two")).await;

    assert!(before.is_empty());
    assert_eq!(unread(&store, &bob).await, [counted(&chat, 1)]);
}

pub(crate) async fn nobody_counts_to_the_end_of_a_channel(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let many: Vec<_> =
        (0..UNREAD_COUNTED_MAX + 5).map(|n| alice.writes(&chat, &n.to_string())).collect();
    for batch in many.chunks(500) {
        store.append(batch, NOW).await.unwrap();
    }

    assert_eq!(unread(&store, &bob).await, [counted(&chat, UNREAD_COUNTED_MAX)]);
}

fn counted(chat: &Membership, messages: u32) -> UnreadConversation {
    UnreadConversation { conversation: chat.id(), workspace: WORKSPACE, messages }
}

async fn unread(store: &Arc<dyn Storage>, person: &Person) -> Vec<UnreadConversation> {
    store.unread(person.account, 10).await.unwrap()
}

async fn sees(store: &Arc<dyn Storage>, person: &Person, chat: &Membership, up_to: u64) {
    let receipt = person.receipt(0, chat, ReceiptKind::Seen, up_to);
    store.put_receipt(&receipt, NOW).await.unwrap();
}
