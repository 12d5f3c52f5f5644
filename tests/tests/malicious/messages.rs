//! Lies about messages: again, elsewhere, in another order, not at all.

use std::time::Duration;

use chat_core::codec::List;
use chat_core::envelope::{Expiry, ExpiryMode, Header, Suite, Wrap};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_sdk::{Draft, Timer};

use super::*;
use crate::people::texts;

#[tokio::test]
async fn a_message_that_is_replayed_is_there_once() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let first = liar.delivered_to("bob").remove(0);
    let (_, at, envelope) = delivery(&first);

    for sequence in [1, 1, 2, 3, 1000, u64::MAX] {
        liar.tells("bob", RelayFrame::Deliver { sequence, at, envelope: envelope.clone() });
    }
    at_alice.send("something new").await.unwrap();

    assert_eq!(bob.hears().await, ["something new"]);
    assert_eq!(texts(&at_bob).await, ["hello", "hello yourself", "something new"]);
    assert_eq!(bob.warnings, []);
}

#[tokio::test]
async fn a_message_that_is_spliced_is_warned_of_and_the_true_one_still_comes() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let [carol] = join(&liar, ["carol"]).await;
    let group = alice.client.create_group("", &["bob", "carol"]).await.unwrap();
    group.send("all here").await.unwrap();
    assert_eq!(bob.hears().await, ["all here"]);
    let (conversation, elsewhere) = (at_alice.id(), group.id());
    let (sender, other) = (alice.client.address(), carol.client.address());

    let not_authentic = |conversation, sender| {
        move |message| Warning::NotAuthentic { conversation, sender, message }
    };
    let splices: Vec<(Change, Noticed)> = vec![
        (|header, to| header.conversation = to.0, Box::new(not_authentic(elsewhere, sender))),
        (
            |header, to| {
                header.conversation = to.0;
                header.sender = to.1;
            },
            Box::new(not_authentic(elsewhere, other)),
        ),
        (
            |header, to| header.sender = to.1,
            Box::new(move |message| Warning::NotAMember { conversation, sender: other, message }),
        ),
        (
            |header, _| header.message = NONE,
            Box::new(move |_| Warning::NotAuthentic { conversation, sender, message: NONE }),
        ),
        (
            |header, _| header.sent_at = header.sent_at.after(ONE_HOUR),
            Box::new(not_authentic(conversation, sender)),
        ),
        (|header, _| header.expiry = Some(SOON), Box::new(not_authentic(conversation, sender))),
        (|header, _| header.suite = Suite::Signed, Box::new(not_authentic(conversation, sender))),
        (|header, _| header.suite = Suite::Chained, Box::new(not_authentic(conversation, sender))),
        (|header, _| header.suite = Suite::HandOut, Box::new(not_authentic(conversation, sender))),
        (|header, _| header.membership_index += 1, Box::new(not_authentic(conversation, sender))),
    ];
    for (number, (change, warning)) in splices.into_iter().enumerate() {
        liar.tell_the_truth();
        liar.says_to("bob", move |frame| match &frame {
            RelayFrame::Deliver { envelope, .. } => {
                let spliced = with_header(envelope, |header| change(header, (elsewhere, other)));
                vec![instead(&frame, spliced), frame]
            }
            _ => vec![frame],
        });

        let message = at_alice.send(number.to_string()).await.unwrap();

        assert_eq!(bob.hears().await, [number.to_string()], "the true one is not kept away");
        is_warned(&mut bob, warning(message)).await;
    }
    let at_bob = bob.client.conversation(elsewhere).await.unwrap();
    assert_eq!(texts(&at_bob).await, ["all here"]);
}

/// What is to be warned of, by the message's id.
type Noticed = Box<dyn Fn(MessageId) -> Warning>;
/// What is done to a header, with the place and the sender that it is to be given.
type Change = fn(&mut Header, (ConversationId, DeviceAddress));

#[tokio::test]
async fn a_timer_that_is_changed_on_the_way_makes_another_message_of_it() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    liar.says_to("bob", |frame| match &frame {
        RelayFrame::Deliver { envelope, .. } => {
            let longer = with_header(envelope, |header| header.expiry = None);
            vec![instead(&frame, longer)]
        }
        _ => vec![frame],
    });

    let brief = Draft::text("an hour").expiring(Timer::after_sent(ONE_HOUR));
    let message = at_alice.send_with(brief).await.unwrap();

    let (conversation, sender) = (at_alice.id(), alice.client.address());
    is_warned(&mut bob, Warning::NotAuthentic { conversation, sender, message }).await;
    assert_eq!(texts(&at_bob).await, ["hello", "hello yourself"]);
}

#[tokio::test]
async fn messages_that_come_in_another_order_are_warned_of_and_shown() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let mut held = None;
    liar.says_to("bob", move |frame| match frame {
        RelayFrame::Deliver { .. } if held.is_none() => {
            held = Some(frame);
            vec![]
        }
        RelayFrame::Deliver { .. } => std::iter::once(frame).chain(held.take()).collect(),
        frame => vec![frame],
    });

    let late = at_alice.send("one").await.unwrap();
    at_alice.send("two").await.unwrap();

    assert_eq!(bob.hears().await, ["two", "one"]);
    let (conversation, sender) = (at_alice.id(), alice.client.address());
    let gap = Warning::GapNoticed { conversation, sender, missing: 1 };
    let order = Warning::OutOfOrder { conversation, sender, message: late };
    assert_eq!(bob.warnings, [gap, order]);
    assert_eq!(texts(&at_bob).await, ["hello", "hello yourself", "one", "two"]);
}

#[tokio::test]
async fn a_message_that_is_dropped_shows_with_the_next() {
    let (_relay, liar) = liar().await;
    let (alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    let mut drops = 2;
    liar.says_to("bob", move |frame| match frame {
        RelayFrame::Deliver { .. } if drops > 0 => {
            drops -= 1;
            vec![]
        }
        frame => vec![frame],
    });

    for text in ["dropped", "dropped too", "delivered"] {
        at_alice.send(text).await.unwrap();
    }

    assert_eq!(bob.hears().await, ["delivered"]);
    let (conversation, sender) = (at_alice.id(), alice.client.address());
    assert_eq!(bob.warnings, [Warning::GapNoticed { conversation, sender, missing: 2 }]);
}

#[tokio::test]
async fn a_wrap_for_somebody_else_opens_for_nobody() {
    let (_relay, liar) = liar().await;
    let [alice, mut bob, _carol] = join(&liar, ["alice", "bob", "carol"]).await;
    let group = alice.client.create_group("", &["bob", "carol"]).await.unwrap();
    group.send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
    let (bobs, everybodys) = (bob.client.address(), liar.clone());
    liar.says_to("bob", |frame| match frame {
        // Held back until the liar has the wrap for Carol too.
        RelayFrame::Deliver { .. } => vec![],
        frame => vec![frame],
    });

    let message = group.send("each has a wrap").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    liar.tell_the_truth();
    let sent = everybodys.said_by("alice", |frame| sending(frame).is_some());
    let (_, envelope) = sending(sent.last().unwrap()).unwrap();
    let carols = envelope.wraps.iter().find(|wrap| !wrap.is_for(bobs)).unwrap().clone();
    let relabelled = Wrap { to: chat_core::envelope::Recipient::Device(bobs), ..carols.clone() };
    let with = |wrap: Wrap| RelayFrame::Deliver {
        sequence: 2,
        at: Timestamp::default(),
        envelope: Envelope { wraps: List::new(vec![wrap]).unwrap(), ..envelope.clone() },
    };

    let (conversation, sender) = (group.id(), alice.client.address());
    liar.tells("bob", with(carols));
    is_warned(&mut bob, Warning::NotForThisDevice { conversation, sender, message }).await;
    liar.tells("bob", with(relabelled));
    let (_, at, _) = delivery(&liar.delivered_to("bob")[0]);
    liar.tells("bob", RelayFrame::Deliver { sequence: 2, at, envelope: envelope.clone() });

    assert_eq!(bob.hears().await, ["each has a wrap"], "the true one is not kept away");
}

#[tokio::test]
async fn an_old_edit_that_is_told_again_changes_nothing() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let message = at_alice.send("noon").await.unwrap();
    assert_eq!(bob.hears().await, ["noon"]);
    at_alice.edit(message, "one").await.unwrap();
    at_alice.edit(message, "two").await.unwrap();
    within(shows(&mut bob, &at_bob, message, "two")).await;
    let (_, at, older) = delivery(&liar.delivered_to("bob")[2]);

    liar.tells("bob", RelayFrame::Deliver { sequence: 1000, at, envelope: older });
    at_alice.send("later").await.unwrap();

    assert_eq!(bob.hears().await, ["later"]);
    assert_eq!(at_bob.message(message).await.unwrap().unwrap().text(), Some("two"));
    assert_eq!(bob.warnings, []);
}

#[tokio::test]
async fn a_deleted_message_that_is_told_again_stays_deleted() {
    let (_relay, liar) = liar().await;
    let (_alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let message = at_alice.send("never mind").await.unwrap();
    assert_eq!(bob.hears().await, ["never mind"]);
    let (sequence, at, envelope) = delivery(&liar.delivered_to("bob")[1]);
    at_alice.delete(message).await.unwrap();
    bob.wait_for(|event| matches!(event, Event::Changed(_)).then_some(())).await;

    liar.tells("bob", RelayFrame::Deliver { sequence, at, envelope });
    at_alice.send("later").await.unwrap();

    assert_eq!(bob.hears().await, ["later"]);
    assert_eq!(at_bob.message(message).await.unwrap().unwrap().text(), None);
}

const ONE_HOUR: Duration = Duration::from_secs(3600);
/// An id that no message has.
const NONE: MessageId = MessageId::from_bytes([9; 16]);
const SOON: Expiry = Expiry { mode: ExpiryMode::AfterSent, after_ms: 1 };

async fn shows(person: &mut Person, conversation: &Conversation, message: MessageId, text: &str) {
    while conversation.message(message).await.unwrap().unwrap().text() != Some(text) {
        person.wait_for(|event| matches!(event, Event::Changed(_)).then_some(())).await;
    }
}
