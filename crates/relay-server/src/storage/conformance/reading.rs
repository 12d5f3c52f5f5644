//! Reading: what an account may, from where a device has got to.

use std::sync::Arc;

use chat_core::codec::Bytes;
use chat_core::envelope::{Recipient, Wrap};
use chat_core::receipt::Sequence;

use super::people::{NOW, Person, group, message_id, people, stored};
use crate::storage::{Acknowledgement, Backlog, READ_BYTES_MAX, Storage};

pub(crate) async fn a_device_reads_its_own_wraps_only(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let mut message = alice.writes(&chat, "hello");
    let mut wraps = message.envelope.wraps.into_vec();
    let wrap = |to| Wrap { to, ..wraps[0].clone() };
    let for_two = [0, 1].map(|device| wrap(Recipient::Device(bob.address(device))));
    let for_all = wrap(Recipient::Everyone);
    let to_bob = wrap(Recipient::Account(bob.account));
    let to_alice = wrap(Recipient::Account(alice.account));
    wraps = vec![to_alice, to_bob.clone(), for_two[0].clone(), for_two[1].clone(), for_all.clone()];
    message.envelope.wraps = chat_core::codec::List::new(wraps).unwrap();
    stored(&store, message.clone()).await;

    let page = store.read_after(bob.address(1), chat.id(), 0, 10, NOW).await.unwrap();

    let envelope = page.messages[0].envelope.as_ref().unwrap();
    assert_eq!(envelope.wraps.to_vec(), [to_bob, for_two[1].clone(), for_all]);
    assert_eq!(envelope.header, message.envelope.header);
    assert_eq!(envelope.commitment, message.envelope.commitment);
    assert_eq!(envelope.payload, message.envelope.payload);
    assert_eq!((page.messages[0].sequence, page.messages[0].at), (1, NOW));
}

pub(crate) async fn a_page_tells_whether_more_follow(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    for number in 0..5 {
        stored(&store, alice.writes(&chat, &number.to_string())).await;
    }

    let read = async |after, limit| {
        let page = store.read_after(bob.address(0), chat.id(), after, limit, NOW).await.unwrap();
        let sequences: Vec<_> = page.messages.iter().map(|message| message.sequence).collect();
        (sequences, page.more)
    };
    assert_eq!(read(0, 2).await, (vec![1, 2], true));
    assert_eq!(read(2, 3).await, (vec![3, 4, 5], false));
    assert_eq!(read(5, 3).await, (vec![], false));
    assert_eq!(read(u64::MAX, 3).await, (vec![], false));
    assert_eq!(read(0, usize::MAX).await, (vec![1, 2, 3, 4, 5], false));
}

pub(crate) async fn a_page_of_large_messages_ends_early(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let large = chat_core::limits::PAYLOAD_BYTES_MAX;
    for number in 0..12 {
        let mut message = alice.writes(&chat, &number.to_string());
        message.envelope.payload = Bytes::new(vec![number; large]).unwrap();
        stored(&store, message).await;
    }

    let page = store.read_after(bob.address(0), chat.id(), 0, 100, NOW).await.unwrap();

    let last = page.messages.last().unwrap().sequence;
    assert!(page.more);
    assert!(page.messages.len() * large >= READ_BYTES_MAX);
    assert!((page.messages.len() - 1) * large < READ_BYTES_MAX);
    let rest = store.read_after(bob.address(0), chat.id(), last, 100, NOW).await.unwrap();
    assert_eq!((page.messages.len() + rest.messages.len(), rest.more), (12, false));
}

pub(crate) async fn nobody_reads_what_was_said_before_or_after_their_time(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    let (entry, chat) = alice.adds(&chat, &carol);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "two")).await;
    let (entry, chat) = alice.removes(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "three")).await;

    assert_eq!(sequences(&store, &alice, chat.id()).await, [1, 2, 3]);
    assert_eq!(sequences(&store, &bob, chat.id()).await, [1, 2]);
    assert_eq!(sequences(&store, &carol, chat.id()).await, [2, 3]);
    assert!(sequences(&store, &Person::named("stranger"), chat.id()).await.is_empty());
}

pub(crate) async fn who_comes_back_reads_both_times(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "one")).await;
    let (entry, chat) = alice.removes(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "two")).await;
    let (entry, chat) = alice.adds(&chat, &bob);
    store.append_entry(&entry, &chat, NOW).await.unwrap();
    stored(&store, alice.writes(&chat, "three")).await;

    assert_eq!(sequences(&store, &bob, chat.id()).await, [1, 3]);
    let backlog = store.backlog(&[bob.address(0)]).await.unwrap();
    assert_eq!((backlog[0].cursor, backlog[0].last), (0, 3));
}

pub(crate) async fn a_cursor_never_goes_back_or_past_the_end(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    for text in ["one", "two", "three"] {
        stored(&store, alice.writes(&chat, text)).await;
    }

    let acknowledge = async |up_to: &[Sequence]| {
        let at = |up_to: &Sequence| Acknowledgement {
            address: bob.address(0),
            conversation: chat.id(),
            up_to: *up_to,
        };
        store.acknowledge(&up_to.iter().map(at).collect::<Vec<_>>()).await.unwrap();
        let page = store.conversations_of(bob.address(0), None, 10).await.unwrap();
        page.conversations[0].cursor
    };
    assert_eq!(acknowledge(&[]).await, 0);
    assert_eq!(acknowledge(&[1, 2, 1]).await, 2);
    assert_eq!(acknowledge(&[1]).await, 2);
    assert_eq!(acknowledge(&[u64::MAX]).await, 3);
    stored(&store, alice.writes(&chat, "four")).await;
    assert_eq!(acknowledge(&[]).await, 3);
}

pub(crate) async fn acknowledgements_of_strangers_are_passed_over(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "hello")).await;
    let (_, unknown) = alice.creates(chat_core::membership::ConversationKind::Group, &[], 9);
    let at = |address, conversation| Acknowledgement { address, conversation, up_to: 1 };

    let acknowledged = store
        .acknowledge(&[
            at(carol.address(0), chat.id()),
            at(bob.address(7), chat.id()),
            at(bob.address(0), unknown.id()),
            at(bob.address(0), chat.id()),
        ])
        .await;

    assert_eq!(acknowledged, Ok(()));
    assert!(store.backlog(&[bob.address(0)]).await.unwrap().is_empty());
}

pub(crate) async fn a_backlog_names_what_is_to_be_read(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    let other = group(&store, &alice, &[&bob, &carol], 2).await;
    group(&store, &alice, &[&bob], 3).await;
    for text in ["one", "two"] {
        stored(&store, alice.writes(&chat, text)).await;
        stored(&store, alice.writes(&other, text)).await;
    }
    let one = Acknowledgement { address: bob.address(0), conversation: chat.id(), up_to: 1 };
    store.acknowledge(&[one]).await.unwrap();

    let devices = [bob.address(0), carol.address(0), bob.address(5)];
    let mut backlog = store.backlog(&devices).await.unwrap();

    backlog.sort_by_key(|one| (one.cursor, one.address != bob.address(0)));
    let at = |person: &Person, chat: &chat_core::membership::Membership, cursor| Backlog {
        address: person.address(0),
        conversation: chat.id(),
        cursor,
        last: 2,
    };
    assert_eq!(backlog, [at(&bob, &other, 0), at(&carol, &other, 0), at(&bob, &chat, 1)]);
}

pub(crate) async fn a_former_member_still_gets_what_was_theirs(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let chat = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&chat, "for bob")).await;
    let (entry, after) = alice.removes(&chat, &bob);
    store.append_entry(&entry, &after, NOW).await.unwrap();
    stored(&store, alice.writes(&after, "not for bob")).await;

    let backlog = store.backlog(&[bob.address(0)]).await.unwrap();
    let page = store.read_after(bob.address(0), chat.id(), 0, 10, NOW).await.unwrap();
    let conversation = chat.id();
    let all = Acknowledgement { address: bob.address(0), conversation, up_to: 1 };
    store.acknowledge(&[all]).await.unwrap();

    assert_eq!((backlog[0].cursor, backlog[0].last), (0, 1));
    let ids: Vec<_> = page.messages.iter().map(|message| message.message).collect();
    assert_eq!(ids, [message_id("for bob")]);
    assert!(store.backlog(&[bob.address(0)]).await.unwrap().is_empty());
}

async fn sequences(
    store: &Arc<dyn Storage>,
    person: &Person,
    conversation: chat_core::id::ConversationId,
) -> Vec<Sequence> {
    let page = store.read_after(person.address(0), conversation, 0, 100, NOW).await.unwrap();
    page.messages.iter().map(|message| message.sequence).collect()
}
