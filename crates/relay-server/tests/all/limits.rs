//! Limits: who sends too much is told when to go on.

use std::sync::Arc;
use std::time::Duration;

use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::config::Rates;
use relay_server::testing::TestRelay;

use crate::conversations::three;
use crate::people::{NOW, Person, Rest};

#[tokio::test]
async fn who_sends_too_much_is_told_when_to_go_on_and_loses_nothing() {
    let clock = Arc::new(ManualClock::at(NOW));
    let rates = Rates { messages_a_minute: 2, ..Rates::GENEROUS };
    let relay = TestRelay::builder().clock(clock.clone()).rates(rates).start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    for _ in 0..2 {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    let third = alice.message(&chat, &[&bob]).seal();

    let refused = alices.send_message(&third).await.unwrap_err();

    assert_eq!(refused.code, RejectCode::RateLimited);
    let wait = refused.retry_after_ms.unwrap();
    clock.advance(Duration::from_millis(wait));
    assert_eq!(alices.send_message(&third).await, Ok(3));
    for expected in 1..=3 {
        assert_eq!(bobs.delivery().await.0, expected);
    }
}

#[tokio::test]
async fn ten_log_ins_in_a_quarter_of_an_hour_are_enough_also_for_unknown_names() {
    let clock = Arc::new(ManualClock::at(NOW));
    let rates = Rates { logins_a_quarter_hour: 10, ..Rates::GENEROUS };
    let relay = TestRelay::builder().clock(clock.clone()).rates(rates).start().await;
    let rest = Rest::at(&relay);

    for _ in 0..10 {
        let refused = Person::log_in(&rest, "nobody", b"guess").await.unwrap_err();
        assert_eq!(refused.code, RejectCode::InvalidCredentials);
    }
    let refused = Person::log_in(&rest, "nobody", b"guess").await.unwrap_err();

    assert_eq!(refused.code, RejectCode::RateLimited);
    assert_eq!(refused.retry_after_ms, Some(90_000));
}

#[tokio::test]
async fn registrations_from_one_address_are_limited() {
    let rates = Rates { registrations_in_3_minutes: 1, ..Rates::GENEROUS };
    let relay = TestRelay::builder().rates(rates).start().await;
    Person::register(&relay, "alice").await;

    let refused = Person::try_register(&Rest::at(&relay), "bob").await.err().unwrap();

    assert_eq!(refused.code, RejectCode::RateLimited);
    assert!(refused.retry_after_ms.unwrap() > 0);
}
