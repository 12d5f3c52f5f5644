//! What every [`Bus`](super::Bus) must do, as tests that each of them runs.
//!
//! `suite!(with_network)` makes a test of each sentence; `with_network` brings a [`Network`] that
//! nobody else uses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::id::{AccountId, ConversationId};

use super::{Bus, BusEvent, Connected, Inbox, NodeId, Notice, Record};

/// Nodes that can reach each other.
#[async_trait]
pub(super) trait Network: Send + Sync {
    /// A node that joins; it returns when the others can reach it.
    async fn node(&self, number: u8) -> (Arc<dyn Bus>, Inbox);
}

/// Makes a test of each sentence, on networks that `$with_network` brings.
macro_rules! suite {
    ($with_network:path) => {
        $crate::bus::conformance::suite! { $with_network;
            an_event_reaches_the_node_of_its_recipient,
            an_event_comes_once_for_all_recipients_of_a_node,
            a_node_without_a_recipient_hears_nothing,
            a_publisher_reaches_its_own_accounts,
            an_account_on_two_nodes_is_reached_on_both,
            an_account_that_has_left_is_not_reached,
            the_last_connection_ends_a_registration,
            events_arrive_in_the_order_they_were_published,
            every_kind_of_event_arrives_as_it_was,
            a_node_that_closes_is_left_out,
            a_publish_to_nobody_is_no_work,
        }
    };
    ($with_network:path; $($sentence:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $sentence() {
            $with_network($crate::bus::conformance::$sentence).await;
        })*
    };
}
pub(super) use suite;

pub(super) const ALICE: AccountId = AccountId::from_bytes([1; 16]);
pub(super) const BOB: AccountId = AccountId::from_bytes([2; 16]);
pub(super) const CAROL: AccountId = AccountId::from_bytes([3; 16]);
pub(super) const CHAT: ConversationId = ConversationId::from_bytes([9; 16]);

pub(super) async fn an_event_reaches_the_node_of_its_recipient(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[BOB]).await;

    here.publish(&[ALICE, BOB], event(1));

    assert_eq!(next(&mut inbox).await, notice(&[BOB], event(1)));
    assert_eq!(here.health().connected, Connected::Yes);
}

pub(super) async fn an_event_comes_once_for_all_recipients_of_a_node(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[ALICE, BOB, CAROL]).await;

    here.publish(&[ALICE, CAROL], event(1));
    here.publish(&[BOB], event(2));

    assert_eq!(next(&mut inbox).await, notice(&[ALICE, CAROL], event(1)));
    assert_eq!(next(&mut inbox).await, notice(&[BOB], event(2)));
}

pub(super) async fn a_node_without_a_recipient_hears_nothing(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[BOB]).await;

    here.publish(&[ALICE], event(1));
    here.publish(&[BOB], event(2));

    assert_eq!(next(&mut inbox).await, notice(&[BOB], event(2)));
}

pub(super) async fn a_publisher_reaches_its_own_accounts(network: Arc<dyn Network>) {
    let (here, mut inbox) = network.node(1).await;
    here.register(&[ALICE]).await;

    here.publish(&[ALICE, BOB], event(1));
    here.publish(&[ALICE], event(2));

    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(1)));
    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(2)));
    assert_eq!(here.health().received, 2);
}

pub(super) async fn an_account_on_two_nodes_is_reached_on_both(network: Arc<dyn Network>) {
    let (here, mut ours) = network.node(1).await;
    let (there, mut theirs) = network.node(2).await;
    here.register(&[BOB]).await;
    there.register(&[BOB]).await;

    here.publish(&[BOB], event(1));

    assert_eq!(next(&mut ours).await, notice(&[BOB], event(1)));
    assert_eq!(next(&mut theirs).await, notice(&[BOB], event(1)));
}

pub(super) async fn an_account_that_has_left_is_not_reached(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[ALICE, BOB]).await;

    there.unregister(&[BOB]).await;
    there.unregister(&[CAROL]).await;
    here.publish(&[BOB], event(1));
    here.publish(&[ALICE], event(2));

    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(2)));
}

pub(super) async fn the_last_connection_ends_a_registration(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[BOB]).await;
    there.register(&[BOB, ALICE]).await;

    there.unregister(&[BOB]).await;
    here.publish(&[BOB], event(1));
    assert_eq!(next(&mut inbox).await, notice(&[BOB], event(1)));

    there.unregister(&[BOB]).await;
    here.publish(&[BOB], event(2));
    here.publish(&[ALICE], event(3));
    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(3)));
}

pub(super) async fn events_arrive_in_the_order_they_were_published(network: Arc<dyn Network>) {
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[BOB]).await;

    for sequence in 1..=2_000 {
        here.publish(&[BOB], event(sequence));
    }

    for sequence in 1..=2_000 {
        assert_eq!(next(&mut inbox).await, notice(&[BOB], event(sequence)));
    }
}

pub(super) async fn every_kind_of_event_arrives_as_it_was(network: Arc<dyn Network>) {
    use chat_core::frame::Typing;
    use chat_core::id::{DeviceAddress, DeviceId, MessageId};
    let (here, _) = network.node(1).await;
    let (there, mut inbox) = network.node(2).await;
    there.register(&[BOB]).await;
    let address = DeviceAddress { account: BOB, device: DeviceId::from_bytes([4; 16]) };
    let conversation = CHAT;
    let message = MessageId::from_bytes([5; 16]);
    let record = Some(Record(Bytes::from_static(b"a record")));
    let events = [
        BusEvent::Message { conversation, sequence: 7, record },
        BusEvent::Message { conversation, sequence: 8, record: None },
        BusEvent::Membership { conversation, index: 3 },
        BusEvent::DevicesChanged { account: ALICE, number: 2 },
        BusEvent::Typing { conversation, sender: address, state: Typing::Started },
        BusEvent::Deleted { conversation, sequence: 9, message, deletion: None },
        BusEvent::Displace { address, connection: 11, node: NodeId::from_bytes([6; 16]) },
        BusEvent::DeviceRemoved { address },
        BusEvent::PrekeysLow { address, remaining: 4 },
        BusEvent::Presence { account: ALICE },
    ];

    for event in &events {
        here.publish(&[BOB], event.clone());
    }

    for event in events {
        assert_eq!(next(&mut inbox).await, notice(&[BOB], event));
    }
}

pub(super) async fn a_node_that_closes_is_left_out(network: Arc<dyn Network>) {
    let (here, mut ours) = network.node(1).await;
    let (there, mut theirs) = network.node(2).await;
    here.register(&[BOB]).await;
    there.register(&[BOB]).await;

    there.close().await;
    here.publish(&[BOB], event(1));

    assert_eq!(next(&mut ours).await, notice(&[BOB], event(1)));
    assert_eq!(theirs.recv().await, None);
}

pub(super) async fn a_publish_to_nobody_is_no_work(network: Arc<dyn Network>) {
    let (here, mut inbox) = network.node(1).await;
    here.register(&[]).await;
    here.register(&[ALICE]).await;

    here.publish(&[], event(1));
    here.publish(&[ALICE], event(2));

    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(2)));
    assert_eq!(here.health().lost, 0);
}

/// The next notice; a bus that has lost it fails the test instead of hanging it.
pub(super) async fn next(inbox: &mut Inbox) -> Notice {
    let notice = tokio::time::timeout(Duration::from_secs(20), inbox.recv()).await;
    notice.expect("an event within twenty seconds").expect("an inbox that is open")
}

pub(super) fn notice(recipients: &[AccountId], event: BusEvent) -> Notice {
    Notice::Event { recipients: recipients.into(), event }
}

pub(super) fn event(sequence: u64) -> BusEvent {
    BusEvent::Message { conversation: CHAT, sequence, record: None }
}
