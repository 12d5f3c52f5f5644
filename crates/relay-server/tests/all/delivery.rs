//! Delivery: everything, in order, once acknowledged never again.

use std::time::Duration;

use chat_core::frame::RelayFrame;
use chat_core::limits::DELIVERY_WINDOW_MESSAGES;
use relay_server::testing::TestRelay;

use crate::conversations::three;
use crate::people::{NOTHING, Person};

#[tokio::test]
async fn who_was_away_gets_everything_in_order_then_what_is_new() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    for _ in 0..3 {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }

    let mut bobs = bob.connect().await;

    assert_eq!(bobs.until_caught_up().await, [1, 2, 3]);
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    assert_eq!(bobs.delivery().await.0, 4);
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    for _ in 0..3 {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    let mut bobs = bob.connect().await;
    assert_eq!(bobs.until_caught_up().await, [1, 2, 3]);

    bobs.acknowledge(chat.id(), 2).await;
    bobs.settle().await;
    relay.relay().flush_cursors().await;
    bobs.close().await;

    assert_eq!(bob.connect().await.until_caught_up().await, [3]);
}

#[tokio::test]
async fn a_device_gets_its_owners_messages_from_other_devices_but_not_its_own() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let laptop = alice.with_another_device().await;
    let chat = alice.direct(&bob).await;
    let mut phones = alice.connect_idle().await;
    let mut laptops = laptop.connect_idle().await;

    let own = alice.message(&chat, &[&bob, &laptop]).seal();
    phones.send_message(&own).await.unwrap();

    assert_eq!(laptops.delivery().await.0, 1);
    let said = phones.settle().await;
    assert!(!said.iter().any(|frame| matches!(frame, RelayFrame::Deliver { .. })), "{said:?}");
    // Nor later: its cursor has passed over it.
    relay.relay().flush_cursors().await;
    phones.close().await;
    assert_eq!(alice.connect().await.until_caught_up().await, NOTHING);
}

#[tokio::test]
async fn no_more_than_a_window_is_sent_without_acknowledgement() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let all = DELIVERY_WINDOW_MESSAGES + 8;
    for _ in 0..all {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    let mut bobs = bob.connect().await;
    let mut received = Vec::new();
    while received.len() < DELIVERY_WINDOW_MESSAGES {
        received.push(bobs.delivery().await.0);
    }

    let said = bobs.settle().await;
    assert!(!said.iter().any(|frame| matches!(frame, RelayFrame::Deliver { .. })), "{said:?}");
    bobs.acknowledge(chat.id(), 20).await;
    received.extend(bobs.until_caught_up().await);

    assert_eq!(received, (1..=all as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_of_messages_arrives_whole_and_in_order() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;

    // All at once, so that commits are shared; Bob acknowledges every tenth.
    for request in 0..300 {
        let envelope = alice.message(&chat, &[&bob]).seal();
        alices.send(&chat_core::frame::ClientFrame::Send { request, envelope, blobs: None }).await;
    }
    for expected in 1..=300 {
        assert_eq!(bobs.delivery().await.0, expected);
        if expected % 10 == 0 {
            bobs.acknowledge(chat.id(), expected).await;
        }
    }
    let mut accepted = Vec::new();
    while accepted.len() < 300 {
        accepted.push(accepted_as(&mut alices).await);
    }
    accepted.sort_unstable();
    assert_eq!(accepted, (0..300).map(|n| (n, u64::from(n) + 1)).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_too_large_for_the_bus_are_read_from_the_store() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let mut message = alice.message(&chat, &[&bob]);
    message.payload = vec![7; 100_000];

    alices.send_message(&message.seal()).await.unwrap();

    assert_eq!(bobs.delivery().await.1.payload.len(), 100_000);
}

#[tokio::test]
async fn a_relay_that_leaves_says_when_to_return_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::builder().data(folder.path()).start().await;
    let listen = relay.address();
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let sealed = alice.message(&chat, &[&bob]).seal();
    assert_eq!(alices.send_message(&sealed).await, Ok(1));

    let leaving = tokio::spawn(relay.stop());
    let return_after = alices
        .wait_for(|frame| match frame {
            RelayFrame::Draining { return_after_ms } => Some(return_after_ms),
            _ => None,
        })
        .await;
    assert_eq!(alices.close_code().await, 1012);
    tokio::time::timeout(Duration::from_secs(20), leaving).await.unwrap().unwrap();

    assert_eq!(return_after, 0);
    let _again = TestRelay::builder().data(folder.path()).listen(listen).start().await;
    // The keys are still the same, so the tokens are good.
    assert_eq!(bob.connect().await.until_caught_up().await, [1]);
    assert_eq!(alice.connect().await.send_message(&sealed).await, Ok(1));
}

#[tokio::test]
async fn two_relays_do_not_share_a_folder() {
    let relay = TestRelay::start().await;
    let config = relay_server::config::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..relay_server::config::Config::with_data(relay.folder())
    };

    let clock = std::sync::Arc::new(relay_server::clock::SystemClock);
    let refused = relay_server::Relay::start(config, clock).await.unwrap_err();

    assert!(matches!(refused, relay_server::StartError::InUse { .. }), "{refused}");
}

async fn accepted_as(socket: &mut crate::socket::Socket) -> (u32, u64) {
    socket
        .wait_for(|frame| match frame {
            RelayFrame::Accepted { request, sequence, .. } => Some((request, sequence)),
            RelayFrame::Reject { reject, .. } => panic!("{reject}"),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_device_that_joins_later_begins_at_the_end() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();

    let laptop: Person = bob.with_another_device().await;
    alices.send_message(&alice.message(&chat, &[&bob, &laptop]).seal()).await.unwrap();

    assert_eq!(laptop.connect().await.until_caught_up().await, [2]);
    assert_eq!(bob.connect().await.until_caught_up().await, [1, 2]);
}
