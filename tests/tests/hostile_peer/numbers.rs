//! Numbers at the ends of their ranges.

use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::limits::EXPIRY_MAX;
use chat_core::time::Timestamp;
use chat_sdk::{Timer, Warning};

use super::*;

#[tokio::test]
async fn a_count_that_leaps_is_a_gap_and_stops_nothing() {
    let mut circle = Circle::of_three().await;

    for number in [1, u64::MAX, 0, 2, u64::MAX, u64::MAX - 1] {
        circle.mallory.says(|_, content| content.number = number).await.unwrap();
    }

    circle.goes_on().await;
    let sender = circle.mallory.context.own.address;
    let is_noticed =
        circle.bob.warnings.iter().any(
            |warning| matches!(warning, Warning::GapNoticed { sender: of, .. } if *of == sender),
        );
    assert!(is_noticed, "{:?}", circle.bob.warnings);
}

#[tokio::test]
async fn timers_of_every_length_are_borne() {
    let mut circle = Circle::of_three().await;
    let mut said = Vec::new();

    for mode in [ExpiryMode::AfterSeen, ExpiryMode::AfterSent] {
        for after_ms in [1_u64 << 40, i64::MAX as u64, u64::MAX] {
            let expiry = Some(Expiry { mode, after_ms });
            if let Ok(message) = circle.mallory.says(|header, _| header.expiry = expiry).await {
                said.push(message);
            }
        }
    }
    circle.goes_on().await;

    for message in said {
        let timer = circle.at_bob.message(message).await.unwrap().unwrap().timer.unwrap();
        let (Timer::AfterSent(after) | Timer::AfterSeen(after)) = timer;
        assert!(after <= EXPIRY_MAX);
    }
}

#[tokio::test]
async fn times_at_both_ends_are_borne_and_extend_nobodys_timer() {
    let mut circle = Circle::of_three().await;
    let brief = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms: 60_000 });

    for sent_at in [0, 1, i64::MAX as u64, u64::MAX] {
        let says = circle.mallory.says(|header, _| {
            header.sent_at = Timestamp::from_millis(sent_at);
            header.expiry = brief;
        });
        // A relay may refuse a time that cannot be.
        let _ = says.await;
    }
    circle.goes_on().await;

    for message in circle.at_bob.messages(chat_sdk::Page::latest(100)).await.unwrap() {
        if let Some(expires_at) = message.expires_at {
            assert!(expires_at.since(circle.bob.clock_now()).as_secs() <= 60);
        }
    }
}

#[tokio::test]
async fn a_list_number_from_the_future_is_looked_up_and_nothing_else() {
    let mut circle = Circle::of_three().await;

    circle.mallory.says(|_, content| content.sender_list = u32::MAX).await.unwrap();
    circle.mallory.says(|_, content| content.sender_list = 0).await.unwrap();

    circle.goes_on().await;
    assert_eq!(circle.bob.client.devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_head_that_is_not_there_is_refused_by_the_relay() {
    let mut circle = Circle::of_three().await;

    let ahead = circle.mallory.says(|header, _| header.membership_index = u64::MAX).await;
    let other = circle.mallory.says(|header, _| header.membership_head = Digest::ZERO).await;

    assert_eq!(ahead, Err(RejectCode::StaleMembership));
    assert_eq!(other, Err(RejectCode::StaleMembership));
    circle.goes_on().await;
}
