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

#[tokio::test]
async fn a_proxys_word_on_an_address_counts_and_a_clients_own_does_not() {
    let rates = Rates { requests_a_quarter_hour: 20, ..Rates::GENEROUS };
    let direct = TestRelay::builder().rates(rates).start().await;
    let proxied =
        TestRelay::builder().rates(rates).proxy("127.0.0.1".parse().unwrap()).start().await;

    // Two requests are allowed to an address; each claims to be another, at the place where only
    // a proxy writes.
    let at_proxied = ask_as(&proxied, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]).await;
    let at_direct = ask_as(&direct, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]).await;
    // And here at the place where the client itself writes.
    let forged = ["9.9.9.1, 192.0.2.9", "9.9.9.2, 192.0.2.9", "9.9.9.3, 192.0.2.9"];
    let at_proxied_forged = ask_as(&proxied, &forged).await;

    assert_eq!(at_proxied, [401, 401, 401]);
    assert_eq!(at_direct, [401, 401, 429]);
    assert_eq!(at_proxied_forged, [401, 401, 429]);
}

/// The status of a refresh with no good token, once for each `X-Forwarded-For`.
async fn ask_as(relay: &TestRelay, forwarded: &[&str]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for hops in forwarded {
        let response = reqwest::Client::new()
            .post(format!("{}/v1/auth/refresh", relay.url()))
            .header("x-forwarded-for", *hops)
            .body(r#"{"refresh":"none"}"#)
            .send()
            .await
            .unwrap();
        statuses.push(response.status().as_u16());
    }
    statuses
}
