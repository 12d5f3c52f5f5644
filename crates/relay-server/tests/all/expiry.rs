//! Expiry: what vanishes from the relay, and when.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::MessagePage;
use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::limits::EXPIRY_MAX;
use chat_core::receipt::ReceiptKind;
use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::testing::TestRelay;

use crate::conversations::three;
use crate::people::NOW;
use crate::socket::Socket;

const FIVE_SECONDS: u64 = 5_000;

#[tokio::test]
async fn a_message_vanishes_from_the_relay_when_its_time_is_over() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: FIVE_SECONDS };
    let message = alice.message(&chat, &[&bob]).expiring(timer);
    alices.send_message(&message.seal()).await.unwrap();
    bobs.delivery().await;

    clock.advance(Duration::from_millis(FIVE_SECONDS - 1));
    assert_eq!(relay.sweep().await, 0);
    clock.advance(Duration::from_millis(1));

    // Late as the sweep may be, nobody reads it any more.
    let path = format!("/v1/conversations/{}/messages?after=0", chat.id());
    let page: MessagePage = alice.get(&path).await.unwrap();
    assert_eq!(page.messages[0].envelope, None);
    relay.sweep().await;
    assert_eq!(deleted(&mut bobs).await, (1, message.header.message));
    assert_eq!(deleted(&mut alices).await, (1, message.header.message));
    let found = std::fs::read_dir(relay.folder()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(message.payload.len()).any(|window| window == message.payload)
    });
    assert!(!found, "the payload is still in the folder");
}

#[tokio::test]
async fn who_comes_too_late_gets_the_tombstone() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: FIVE_SECONDS };
    let short = alice.message(&chat, &[&bob]).expiring(timer);
    alices.send_message(&short.seal()).await.unwrap();
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();

    clock.advance(Duration::from_millis(FIVE_SECONDS));
    relay.sweep().await;
    let mut bobs = bob.connect().await;

    assert_eq!(deleted(&mut bobs).await, (1, short.header.message));
    assert_eq!(bobs.until_caught_up().await, [2]);
}

#[tokio::test]
async fn a_message_that_waits_to_be_seen_vanishes_after_everybody_has_seen_it() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob, &carol]).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let mut carols = carol.connect_idle().await;
    let timer = Expiry { mode: ExpiryMode::AfterSeen, after_ms: FIVE_SECONDS };
    let message = alice.message(&group, &[&bob, &carol]).expiring(timer);
    alices.send_message(&message.seal()).await.unwrap();

    let seen = bob.device.receipt(group.id(), ReceiptKind::Seen, 1);
    bobs.send(&ClientFrame::Receipt { receipt: seen }).await;
    bobs.settle().await;
    clock.advance(Duration::from_secs(60));
    assert_eq!(relay.sweep().await, 0);
    let seen = carol.device.receipt(group.id(), ReceiptKind::Seen, 1);
    carols.send(&ClientFrame::Receipt { receipt: seen }).await;
    carols.settle().await;
    clock.advance(Duration::from_millis(FIVE_SECONDS));
    relay.sweep().await;

    assert_eq!(deleted(&mut bobs).await, (1, message.header.message));
}

#[tokio::test]
async fn a_timer_beyond_the_longest_is_refused() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let after_ms = u64::try_from(EXPIRY_MAX.as_millis()).unwrap() + 1;
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms };

    let message = alice.message(&chat, &[&bob]).expiring(timer).seal();
    let refused = alice.connect_idle().await.send_message(&message).await.unwrap_err();

    assert_eq!(refused.code, RejectCode::TooLarge);
}

async fn deleted(socket: &mut Socket) -> (u64, chat_core::id::MessageId) {
    socket
        .wait_for(|frame| match frame {
            RelayFrame::Deleted { sequence, message, .. } => Some((sequence, message)),
            _ => None,
        })
        .await
}
