//! Wraps that are added to messages which are there.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::AddedWrap;
use chat_core::codec::{Bytes, List, to_bytes};
use chat_core::envelope::{Expiry, ExpiryMode, Recipient, Suite, Wrap, WrapScheme};
use chat_core::id::AccountId;
use chat_core::limits::WRAPS_MAX;
use chat_core::membership::{Change, ConversationKind, Membership, Policy};
use chat_core::receipt::Sequence;

use super::people::{NOW, Person, people, stored};
use crate::storage::{NewMessage, Storage};

pub(crate) async fn who_came_later_reads_by_the_wrap_that_was_added(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    for text in ["one", "two"] {
        stored(&store, signed(&alice, &channel, text)).await;
    }
    joins(&store, &channel, &bob).await;
    let before = wraps_of(&store, &bob, &channel).await;

    let wraps = [at(2, wrap(&bob, 1, 7)), at(1, wrap(&bob, 1, 8))];
    let added = store.add_wraps(channel.id(), &wraps).await;

    assert_eq!(before, [vec![], vec![]]);
    assert_eq!(added, Ok(2));
    let now = wraps_of(&store, &bob, &channel).await;
    assert_eq!(now, [vec![wrap(&bob, 1, 8)], vec![wrap(&bob, 1, 7)]]);
    let alices = signed(&alice, &channel, "one").envelope.wraps.into_vec();
    assert_eq!(wraps_of(&store, &alice, &channel).await, [alices.clone(), alices]);
}

pub(crate) async fn a_wrap_is_added_once_and_never_replaced(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    stored(&store, signed(&alice, &channel, "one")).await;
    joins(&store, &channel, &bob).await;
    let give = async |wraps: &[AddedWrap]| store.add_wraps(channel.id(), wraps).await;
    let senders = wraps_of(&store, &alice, &channel).await;

    let twice = give(&[at(1, wrap(&bob, 1, 1)), at(1, wrap(&bob, 1, 2))]).await;
    let again = give(&[at(1, wrap(&bob, 1, 1))]).await;
    let other = give(&[at(1, wrap(&bob, 1, 3))]).await;
    let instead_of_the_senders = give(&[at(1, wrap(&alice, 1, 3))]).await;

    assert_eq!((twice, again), (Ok(1), Ok(0)));
    assert_eq!((other, instead_of_the_senders), (Ok(0), Ok(0)));
    assert_eq!(wraps_of(&store, &bob, &channel).await, [vec![wrap(&bob, 1, 1)]]);
    assert_eq!(wraps_of(&store, &alice, &channel).await, senders);
}

pub(crate) async fn another_epoch_is_added_beside_the_first(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let channel = begun(&store, &alice).await;
    stored(&store, signed(&alice, &channel, "one")).await;
    let first = wraps_of(&store, &alice, &channel).await.remove(0);

    let added = store.add_wraps(channel.id(), &[at(1, wrap(&alice, 2, 9))]).await;

    assert_eq!(added, Ok(1));
    let both = [first, vec![wrap(&alice, 2, 9)]].concat();
    assert_eq!(wraps_of(&store, &alice, &channel).await, [both]);
}

pub(crate) async fn what_is_gone_or_destroys_itself_takes_no_wraps(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    let timed = |text, mode, after_ms| {
        let timer = Some(Expiry { mode, after_ms });
        with_suite(Suite::Signed, alice.writes_with(&channel, text, timer))
    };
    stored(&store, signed(&alice, &channel, "deleted")).await;
    stored(&store, timed("swept", ExpiryMode::AfterSent, 1)).await;
    stored(&store, timed("is to be swept", ExpiryMode::AfterSent, 1_000)).await;
    stored(&store, timed("will be", ExpiryMode::AfterSent, u64::from(u32::MAX))).await;
    stored(&store, timed("once it was seen", ExpiryMode::AfterSeen, 1_000)).await;
    store.delete_message(&alice.deletes(&channel, "deleted"), NOW).await.unwrap();
    store.expire_due(NOW.after(Duration::from_millis(1)), 10).await.unwrap();
    joins(&store, &channel, &bob).await;

    for sequence in [0, 1, 2, 3, 4, 5, 6, u64::MAX] {
        let added = store.add_wraps(channel.id(), &[at(sequence, wrap(&bob, 1, 1))]).await;
        assert_eq!(added, Ok(0), "{sequence}");
    }
    let elsewhere = chat_core::id::ConversationId::from_bytes([9; 16]);
    assert_eq!(store.add_wraps(elsewhere, &[at(1, wrap(&bob, 1, 1))]).await, Ok(0));
    assert_eq!(store.add_wraps(channel.id(), &[]).await, Ok(0));
    assert!(wraps_of(&store, &bob, &channel).await.concat().is_empty());
}

pub(crate) async fn only_what_is_signed_takes_wraps(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    for (text, suite) in [
        ("one", Suite::Deniable),
        ("two", Suite::Chained),
        ("three", Suite::HandOut),
        ("four", Suite::Signed),
    ] {
        stored(&store, with_suite(suite, alice.writes(&channel, text))).await;
    }
    joins(&store, &channel, &bob).await;

    let wraps = [1, 2, 3, 4].map(|sequence| at(sequence, wrap(&bob, 1, 1)));
    let added = store.add_wraps(channel.id(), &wraps).await;

    assert_eq!(added, Ok(1));
    let got = wraps_of(&store, &bob, &channel).await;
    assert_eq!(got, [vec![], vec![], vec![], vec![wrap(&bob, 1, 1)]]);
}

pub(crate) async fn a_message_takes_so_many_wraps_and_no_more(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    let mut message = signed(&alice, &channel, "one");
    let others = (1..WRAPS_MAX).map(|number| Wrap {
        to: Recipient::Account(AccountId::from_bytes(
            u128::try_from(number).unwrap().to_be_bytes(),
        )),
        ..wrap(&alice, 1, 1)
    });
    message.envelope.wraps = List::new(others.collect()).unwrap();
    stored(&store, message).await;
    joins(&store, &channel, &bob).await;

    let wraps = [at(1, wrap(&bob, 1, 1)), at(1, wrap(&bob, 2, 1))];
    let added = store.add_wraps(channel.id(), &wraps).await;

    assert_eq!(added, Ok(1));
    assert_eq!(wraps_of(&store, &bob, &channel).await, [vec![wrap(&bob, 1, 1)]]);
}

pub(crate) async fn of_many_who_give_at_once_nothing_is_lost(store: Arc<dyn Storage>) {
    const MESSAGES: u64 = 20;
    let [alice, bob, carol, dave] = people(&store, ["alice", "bob", "carol", "dave"]).await;
    let channel = begun(&store, &alice).await;
    for number in 0..MESSAGES {
        stored(&store, signed(&alice, &channel, &number.to_string())).await;
    }
    let newcomers = [bob, carol, dave];
    let mut after = channel.clone();
    for newcomer in &newcomers {
        after = joins(&store, &after, newcomer).await;
    }

    // Each gives in another order, a few at a time, while somebody goes on writing.
    let give = |(number, newcomer): (usize, &Person)| {
        let mut wraps: Vec<_> = (1..=MESSAGES).map(|it| at(it, wrap(newcomer, 1, 1))).collect();
        wraps.rotate_left(number * 7);
        if number == 1 {
            wraps.reverse();
        }
        let (store, conversation) = (store.clone(), channel.id());
        tokio::spawn(async move {
            let mut added = 0;
            for wraps in wraps.chunks(5) {
                added += store.add_wraps(conversation, wraps).await.unwrap();
            }
            added
        })
    };
    let givers: Vec<_> = newcomers.iter().enumerate().map(give).collect();
    for number in MESSAGES..2 * MESSAGES {
        let message = with_suite(Suite::Signed, alice.writes(&after, &number.to_string()));
        assert_eq!(stored(&store, message).await, number + 1);
    }
    for giver in givers {
        assert_eq!(giver.await.unwrap(), MESSAGES);
    }

    for newcomer in &newcomers {
        let wraps = wraps_of(&store, newcomer, &channel).await;
        assert!(wraps.iter().take(20).all(|found| *found == [wrap(newcomer, 1, 1)]));
        assert_eq!(wraps.len(), 40);
    }
}

pub(crate) async fn added_wraps_go_with_their_message(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let channel = begun(&store, &alice).await;
    stored(&store, signed(&alice, &channel, "one")).await;
    joins(&store, &channel, &bob).await;
    store.add_wraps(channel.id(), &[at(1, wrap(&bob, 1, 1))]).await.unwrap();

    store.delete_message(&alice.deletes(&channel, "one"), NOW).await.unwrap();

    assert_eq!(wraps_of(&store, &bob, &channel).await, [vec![]]);
    assert_eq!(store.add_wraps(channel.id(), &[at(1, wrap(&bob, 1, 1))]).await, Ok(0));
}

/// A channel in which this person is alone for now.
async fn begun(store: &Arc<dyn Storage>, person: &Person) -> Membership {
    let (entry, channel) = person.begins(ConversationKind::Channel, Policy::CHANNEL, None, 1);
    store.create_conversation(&entry, &channel, NOW).await.unwrap();
    channel
}

async fn joins(store: &Arc<dyn Storage>, channel: &Membership, person: &Person) -> Membership {
    let (entry, after) = person.changes(channel, Change::Join);
    store.append_entry(&entry, &after, NOW).await.unwrap();
    after
}

fn signed(by: &Person, channel: &Membership, text: &str) -> NewMessage {
    with_suite(Suite::Signed, by.writes(channel, text))
}

fn with_suite(suite: Suite, mut message: NewMessage) -> NewMessage {
    message.header.suite = suite;
    message.envelope.header = Bytes::new(to_bytes(&message.header)).unwrap();
    message
}

fn at(sequence: Sequence, wrap: Wrap) -> AddedWrap {
    AddedWrap { sequence, wrap }
}

/// A wrap whose bytes tell it from others.
fn wrap(to: &Person, epoch: u32, byte: u8) -> Wrap {
    let to = Recipient::Account(to.account);
    let bytes = Bytes::new(vec![byte; 84]).unwrap();
    Wrap { scheme: WrapScheme::HpkeX25519, to, epoch, bytes }
}

/// What somebody finds with each message; nothing with one that is gone.
async fn wraps_of(
    store: &Arc<dyn Storage>,
    reader: &Person,
    channel: &Membership,
) -> Vec<Vec<Wrap>> {
    let page = store.read_after(reader.address(0), channel.id(), 0, 100, NOW).await.unwrap();
    let wraps = |envelope: chat_core::envelope::Envelope| envelope.wraps.into_vec();
    page.messages.into_iter().map(|it| it.envelope.map(wraps).unwrap_or_default()).collect()
}
