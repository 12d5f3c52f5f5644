use chat_core::codec::{Bytes, Digest, to_bytes};
use chat_core::envelope::{Header, Recipient, Suite, Wrap, WrapScheme};
use chat_core::id::{AccountId, DeviceId, MessageId};
use chat_core::time::Timestamp;

use super::*;

const WINDOW: usize = DELIVERY_WINDOW_MESSAGES;
const HERE: ConversationId = ConversationId::from_bytes([1; 16]);
const THERE: ConversationId = ConversationId::from_bytes([2; 16]);
const BOB: DeviceAddress = device(2);
const ALICE: DeviceAddress = device(1);

#[test]
fn the_backlog_comes_first_then_caught_up_then_what_is_live() {
    let mut delivery = Delivery::new(BOB);

    assert_eq!(delivery.want(), Some(Want::Survey));
    assert_eq!(said(&delivery.surveyed(&[backlog(HERE, 3, 5)])), "");
    let want = delivery.want();
    assert_eq!(want, Some(Want::Page { conversation: HERE, after: 3, limit: WINDOW }));
    assert_eq!(said(&delivery.page(HERE, page(&[4, 5]))), "4 5 caught_up");
    assert_eq!(said(&delivery.live(&live(HERE, 6, ALICE))), "6");
    assert_eq!(delivery.want(), None);
}

#[test]
fn nobody_waits_for_a_backlog_that_is_not_there() {
    let mut delivery = Delivery::new(BOB);
    delivery.want();

    assert_eq!(said(&delivery.surveyed(&[])), "caught_up");
    assert_eq!(delivery.want(), None);
}

#[test]
fn a_gap_is_read_from_the_store() {
    let mut delivery = at(BOB, HERE, 5);

    assert_eq!(said(&delivery.live(&live(HERE, 8, ALICE))), "");

    let want = delivery.want();
    assert_eq!(want, Some(Want::Page { conversation: HERE, after: 5, limit: WINDOW - 1 }));
    assert_eq!(said(&delivery.page(HERE, page(&[6, 7, 8]))), "6 7 8");
    assert_eq!(said(&delivery.live(&live(HERE, 9, ALICE))), "9");
}

#[test]
fn a_message_that_came_while_its_page_was_read_is_sent_once() {
    let mut delivery = Delivery::new(BOB);
    delivery.want();
    delivery.surveyed(&[backlog(HERE, 0, 1)]);
    delivery.want();

    assert_eq!(said(&delivery.live(&live(HERE, 2, ALICE))), "");
    assert_eq!(said(&delivery.page(HERE, page(&[1, 2]))), "1 2 caught_up");

    let again = delivery.want();
    assert_eq!(again, Some(Want::Page { conversation: HERE, after: 2, limit: WINDOW - 2 }));
    assert_eq!(said(&delivery.page(HERE, page(&[]))), "");
    assert_eq!(delivery.want(), None);
}

#[test]
fn an_unknown_conversation_asks_for_its_cursor() {
    let mut delivery = at(BOB, HERE, 5);

    assert_eq!(said(&delivery.live(&live(THERE, 7, ALICE))), "");

    assert_eq!(delivery.want(), Some(Want::Survey));
    delivery.surveyed(&[backlog(HERE, 4, 5), backlog(THERE, 2, 7)]);
    let want = delivery.want();
    assert_eq!(want, Some(Want::Page { conversation: THERE, after: 2, limit: WINDOW - 1 }));
    assert_eq!(said(&delivery.page(THERE, page(&[3, 4, 5, 6, 7]))), "3 4 5 6 7");
}

#[test]
fn what_is_heard_during_a_survey_asks_for_another() {
    let mut delivery = Delivery::new(BOB);
    assert_eq!(delivery.want(), Some(Want::Survey));

    delivery.live(&live(HERE, 1, ALICE));
    delivery.surveyed(&[]);

    assert_eq!(delivery.want(), Some(Want::Survey));
}

#[test]
fn no_more_than_a_window_is_under_way() {
    let mut delivery = Delivery::new(BOB);
    let window = WINDOW as u64;
    delivery.want();
    delivery.surveyed(&[backlog(HERE, 0, window + 8)]);
    delivery.want();
    // A page is less than a window.
    delivery.page(HERE, more(&(1..=100).collect::<Vec<_>>()));
    delivery.want();
    delivery.page(HERE, more(&(101..=window).collect::<Vec<_>>()));

    assert_eq!(delivery.want(), None);
    assert_eq!(said(&delivery.live(&live(HERE, window + 9, ALICE))), "");
    assert_eq!(delivery.acknowledge(HERE, 30).cursors, [(HERE, 30)]);

    let want = delivery.want();
    assert_eq!(want, Some(Want::Page { conversation: HERE, after: window, limit: 30 }));
    let rest: Vec<_> = (window + 1..=window + 9).collect();
    assert!(said(&delivery.page(HERE, page(&rest))).ends_with("136 137 caught_up"));
}

#[test]
fn a_page_larger_than_the_window_is_continued_where_it_was_cut() {
    let mut delivery = Delivery::new(BOB);
    delivery.want();
    delivery.surveyed(&[backlog(HERE, 0, 4)]);
    delivery.want();
    let large = MessagePage {
        messages: List::new((1..=4).map(|n| stored(n, ALICE, 130_000)).collect()).unwrap(),
        more: false,
    };

    assert_eq!(said(&delivery.page(HERE, large)), "1 2 3");
    assert_eq!(delivery.want(), None);
    delivery.acknowledge(HERE, 3);
    let want = delivery.want();
    assert_eq!(want, Some(Want::Page { conversation: HERE, after: 3, limit: WINDOW }));
}

#[test]
fn a_devices_own_messages_are_passed_over_when_their_turn_comes() {
    let mut delivery = at(BOB, HERE, 5);

    let own = delivery.live(&live(HERE, 6, BOB));
    assert_eq!((said(&own).as_str(), own.cursors.as_slice()), ("", &[][..]));
    assert_eq!(said(&delivery.live(&live(HERE, 7, ALICE))), "7");

    // Acknowledging 5 also covers 6, which nobody is going to acknowledge; 7 is still open.
    assert_eq!(delivery.acknowledge(HERE, 5).cursors, [(HERE, 6)]);
    assert_eq!(delivery.acknowledge(HERE, 7).cursors, [(HERE, 7)]);
    assert_eq!(delivery.live(&live(HERE, 8, BOB)).cursors, [(HERE, 8)]);
}

#[test]
fn another_device_of_the_sender_gets_the_message() {
    let mut delivery = at(DeviceAddress { device: DeviceId::from_bytes([9; 16]), ..BOB }, HERE, 5);

    assert_eq!(said(&delivery.live(&live(HERE, 6, BOB))), "6");
}

#[test]
fn a_message_that_is_gone_leaves_its_tombstone() {
    let mut delivery = Delivery::new(BOB);
    delivery.want();
    delivery.surveyed(&[backlog(HERE, 0, 2)]);
    delivery.want();
    let gone = StoredMessage { envelope: None, ..stored(1, ALICE, 1) };
    let page =
        MessagePage { messages: List::new(vec![gone, stored(2, ALICE, 1)]).unwrap(), more: false };

    let outcome = delivery.page(HERE, page);

    assert_eq!(said(&outcome), "-1 2 caught_up");
    assert_eq!(outcome.cursors, [(HERE, 1)]);
}

#[test]
fn what_this_account_may_not_read_is_not_waited_for() {
    let mut delivery = Delivery::new(BOB);
    delivery.want();
    delivery.surveyed(&[backlog(HERE, 3, 9)]);
    delivery.want();

    assert_eq!(said(&delivery.page(HERE, page(&[4, 5]))), "4 5 caught_up");
    assert_eq!(delivery.want(), None);
}

#[test]
fn a_read_that_failed_is_wanted_again() {
    let mut delivery = Delivery::new(BOB);
    let survey = delivery.want().unwrap();
    delivery.failed(survey);
    assert_eq!(delivery.want(), Some(Want::Survey));
    delivery.surveyed(&[backlog(HERE, 0, 1)]);

    let want = delivery.want().unwrap();
    delivery.failed(want);

    assert_eq!(delivery.want(), Some(want));
}

#[test]
fn only_the_devices_own_wrap_is_sent() {
    let mut delivery = at(BOB, HERE, 5);
    let mut message = live(HERE, 6, ALICE);
    let wrap = |to: DeviceAddress| Wrap {
        scheme: WrapScheme::Ratchet,
        to: Recipient::Device(to),
        epoch: 0,
        bytes: Bytes::default(),
    };
    message.envelope.wraps = List::new(vec![wrap(ALICE), wrap(BOB)]).unwrap();

    let outcome = delivery.live(&message);

    let [RelayFrame::Deliver { envelope, .. }] = &outcome.frames[..] else { panic!() };
    assert_eq!(&envelope.wraps[..], &[wrap(BOB)]);
}

#[test]
fn a_wrap_for_everyone_is_sent_to_everyone() {
    let mut delivery = at(BOB, HERE, 5);
    let mut message = live(HERE, 6, ALICE);
    let shared = Wrap {
        scheme: WrapScheme::SenderChain,
        to: Recipient::Everyone,
        epoch: 0,
        bytes: Bytes::default(),
    };
    message.envelope.wraps = List::new(vec![shared.clone()]).unwrap();

    let outcome = delivery.live(&message);

    let [RelayFrame::Deliver { envelope, .. }] = &outcome.frames[..] else { panic!() };
    assert_eq!(&envelope.wraps[..], &[shared]);
}

/// A delivery that has caught up, its last message in `conversation` not yet acknowledged.
fn at(address: DeviceAddress, conversation: ConversationId, sequence: Sequence) -> Delivery {
    let mut delivery = Delivery::new(address);
    delivery.want();
    delivery.surveyed(&[backlog(conversation, sequence - 1, sequence)]);
    delivery.want();
    delivery.page(conversation, page(&[sequence]));
    assert_eq!(delivery.want(), None);
    delivery
}

/// The frames in short: delivered sequences, `-` before those that are gone.
fn said(outcome: &Outcome) -> String {
    let words = outcome.frames.iter().map(|frame| match frame {
        RelayFrame::Deliver { sequence, .. } => sequence.to_string(),
        RelayFrame::Deleted { sequence, .. } => format!("-{sequence}"),
        RelayFrame::CaughtUp => "caught_up".to_owned(),
        other => panic!("{other:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

const fn device(number: u8) -> DeviceAddress {
    DeviceAddress {
        account: AccountId::from_bytes([number; 16]),
        device: DeviceId::from_bytes([number; 16]),
    }
}

fn backlog(conversation: ConversationId, cursor: Sequence, last: Sequence) -> Backlog {
    Backlog { address: BOB, conversation, cursor, last }
}

fn page(sequences: &[Sequence]) -> MessagePage {
    let messages = sequences.iter().map(|sequence| stored(*sequence, ALICE, 1)).collect();
    MessagePage { messages: List::new(messages).unwrap(), more: false }
}

fn more(sequences: &[Sequence]) -> MessagePage {
    MessagePage { more: true, ..page(sequences) }
}

fn stored(sequence: Sequence, sender: DeviceAddress, bytes: usize) -> StoredMessage {
    StoredMessage {
        sequence,
        at: Timestamp::default(),
        message: MessageId::from_bytes([7; 16]),
        envelope: Some(envelope(sender, bytes)),
        deletion: None,
    }
}

fn live(conversation: ConversationId, sequence: Sequence, sender: DeviceAddress) -> LiveMessage {
    let envelope = envelope(sender, 1);
    LiveMessage { conversation, sequence, at: Timestamp::default(), sender, envelope }
}

fn envelope(sender: DeviceAddress, bytes: usize) -> Envelope {
    let header = Header {
        version: chat_core::envelope::VERSION,
        suite: Suite::Deniable,
        conversation: HERE,
        sender,
        message: MessageId::from_bytes([7; 16]),
        sent_at: Timestamp::default(),
        expiry: None,
        membership_index: 0,
        membership_head: Digest::ZERO,
    };
    Envelope {
        header: Bytes::new(to_bytes(&header)).unwrap(),
        commitment: Digest::ZERO,
        payload: Bytes::new(vec![0; bytes]).unwrap(),
        wraps: List::default(),
    }
}
