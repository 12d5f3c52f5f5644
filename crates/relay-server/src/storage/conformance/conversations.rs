//! Membership logs, and who may read them.

use std::sync::Arc;

use chat_core::membership::{Change, ConversationKind, Membership, Role};

use super::people::{NOW, Person, group, people, stored};
use crate::storage::{Acknowledgement, Conversation, Storage, StorageError};

pub(crate) async fn a_creation_is_accepted_again(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let (entry, chat) = alice.creates(ConversationKind::Direct, &[&bob], 1);

    assert_eq!(store.create_conversation(&entry, &chat, NOW).await, Ok(()));
    stored(&store, alice.writes(&chat, "hello")).await;
    assert_eq!(store.create_conversation(&entry, &chat, NOW).await, Ok(()));

    let found = store.conversation(chat.id()).await.unwrap().unwrap();
    assert_eq!(found, Conversation { membership: chat, last: 1 });
}

pub(crate) async fn two_people_have_one_direct_conversation(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let create = async |(entry, chat): (_, Membership)| {
        (store.create_conversation(&entry, &chat, NOW).await, chat.id())
    };

    let (created, first) = create(alice.creates(ConversationKind::Direct, &[&bob], 1)).await;
    let (from_bob, _) = create(bob.creates(ConversationKind::Direct, &[&alice], 2)).await;
    let (with_carol, _) = create(carol.creates(ConversationKind::Direct, &[&alice], 3)).await;
    let (as_group, _) = create(bob.creates(ConversationKind::Group, &[&alice], 4)).await;

    assert_eq!(created, Ok(()));
    assert_eq!(from_bob, Err(StorageError::ConversationExists(first)));
    assert_eq!((with_carol, as_group), (Ok(()), Ok(())));
}

pub(crate) async fn a_member_must_have_an_account(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let stranger = Person::named("stranger");
    let (entry, chat) = alice.creates(ConversationKind::Group, &[&stranger], 1);
    let alone = group(&store, &alice, &[], 2).await;
    let (adding, with_stranger) = alice.adds(&alone, &stranger);

    let created = store.create_conversation(&entry, &chat, NOW).await;
    let added = store.append_entry(&adding, &with_stranger, NOW).await;

    assert_eq!(created, Err(StorageError::NotFound));
    assert_eq!(store.conversation(chat.id()).await, Ok(None));
    assert_eq!(added, Err(StorageError::NotFound));
    let stays_alone = store.conversation(alone.id()).await.unwrap().unwrap().membership;
    assert_eq!(stays_alone, alone);
}

pub(crate) async fn of_many_who_append_an_entry_one_succeeds(store: Arc<dyn Storage>) {
    let [alice, b, c, d, e] = people(&store, ["alice", "b", "c", "d", "e"]).await;
    let chat = group(&store, &alice, &[], 1).await;

    let append = |other: &Person| {
        let (store, (entry, after)) = (store.clone(), alice.adds(&chat, other));
        tokio::spawn(async move { (store.append_entry(&entry, &after, NOW).await, after) })
    };
    let tasks: Vec<_> = [&b, &c, &d, &e].into_iter().map(append).collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (Ok(()), after) => winners.push(after),
            (refused, _) => assert_eq!(refused, Err(StorageError::Conflict)),
        }
    }

    let found = store.conversation(chat.id()).await.unwrap().unwrap().membership;
    assert_eq!(winners, [found]);
}

pub(crate) async fn an_entry_is_accepted_again(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[], 1).await;
    let (adding, with_bob) = alice.adds(&chat, &bob);
    let role = Change::SetRole { account: bob.account, role: Role::Admin };
    let (promoting, after) = alice.changes(&with_bob, role);

    assert_eq!(store.append_entry(&adding, &with_bob, NOW).await, Ok(()));
    assert_eq!(store.append_entry(&adding, &with_bob, NOW).await, Ok(()));
    assert_eq!(store.append_entry(&promoting, &after, NOW).await, Ok(()));
    assert_eq!(store.append_entry(&adding, &with_bob, NOW).await, Ok(()));

    assert_eq!(store.conversation(chat.id()).await.unwrap().unwrap().membership, after);
}

pub(crate) async fn an_entry_of_an_unknown_conversation_is_not_found(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let (_, unknown) = alice.creates(ConversationKind::Group, &[], 1);
    let (adding, with_bob) = alice.adds(&unknown, &bob);

    let appended = store.append_entry(&adding, &with_bob, NOW).await;

    assert_eq!(appended, Err(StorageError::NotFound));
}

pub(crate) async fn members_read_the_whole_log_and_former_members_their_part(
    store: Arc<dyn Storage>,
) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let mut chat = group(&store, &alice, &[&bob], 1).await;
    let mut entries = Vec::new();
    for step in 0..3 {
        let (entry, after) = match step {
            0 => alice.adds(&chat, &carol),
            1 => alice.removes(&chat, &bob),
            _ => alice.removes(&chat, &carol),
        };
        store.append_entry(&entry, &after, NOW).await.unwrap();
        entries.push(entry);
        chat = after;
    }

    let read = async |person: &Person, from, limit| {
        let page = store.membership_page(chat.id(), person.account, from, limit).await.unwrap();
        (page.entries.len(), page.more)
    };
    assert_eq!(read(&alice, 0, 10).await, (4, false));
    assert_eq!(read(&alice, 0, 3).await, (3, true));
    assert_eq!(read(&alice, 3, 3).await, (1, false));
    assert_eq!(read(&bob, 0, 10).await, (3, false));
    assert_eq!(read(&carol, 0, 10).await, (4, false));
    assert_eq!(read(&Person::named("stranger"), 0, 10).await, (0, false));
    let page = store.membership_page(chat.id(), alice.account, 1, 1).await.unwrap();
    assert_eq!(page.entries[0].signer, alice.address(0));
    assert_eq!(&page.entries[0].entry, entries[0].source());
}

pub(crate) async fn conversations_come_in_pages(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let mut chats = Vec::new();
    for nonce in 0..5 {
        chats.push(group(&store, &alice, &[&bob], nonce).await);
    }
    chats.sort_by_key(Membership::id);
    stored(&store, alice.writes(&chats[1], "one")).await;
    stored(&store, alice.writes(&chats[1], "two")).await;
    let conversation = chats[1].id();
    let up_to = Acknowledgement { address: bob.address(0), conversation, up_to: 1 };
    store.acknowledge(&[up_to]).await.unwrap();
    let (leaving, gone) = bob.changes(&chats[4], Change::Leave);
    store.append_entry(&leaving, &gone, NOW).await.unwrap();

    let first = store.conversations_of(bob.address(0), None, 3).await.unwrap();
    let after = Some(chats[2].id());
    let second = store.conversations_of(bob.address(0), after, 3).await.unwrap();

    let ids: Vec<_> = first.conversations.iter().map(|c| c.conversation).collect();
    assert_eq!(ids, [chats[0].id(), chats[1].id(), chats[2].id()]);
    assert_eq!((first.conversations[1].last, first.conversations[1].cursor), (2, 1));
    assert_eq!((first.more, second.more), (true, false));
    assert_eq!(second.conversations.len(), 1);
    assert_eq!(second.conversations[0].conversation, chats[3].id());
}

pub(crate) async fn acquaintances_share_a_conversation_now(store: Arc<dyn Storage>) {
    let [alice, bob, carol, _dave] = people(&store, ["alice", "bob", "carol", "dave"]).await;
    group(&store, &alice, &[&bob], 1).await;
    group(&store, &bob, &[&alice], 2).await;
    let chat = group(&store, &alice, &[&carol], 3).await;

    assert_eq!(sorted(&[&bob, &carol]), store.acquaintances(alice.account).await.unwrap());
    let (removing, without) = alice.removes(&chat, &carol);
    store.append_entry(&removing, &without, NOW).await.unwrap();
    assert_eq!(sorted(&[&bob]), store.acquaintances(alice.account).await.unwrap());
    assert!(store.acquaintances(carol.account).await.unwrap().is_empty());
}

fn sorted(people: &[&Person]) -> Vec<chat_core::id::AccountId> {
    let mut accounts: Vec<_> = people.iter().map(|person| person.account).collect();
    accounts.sort_unstable();
    accounts
}
