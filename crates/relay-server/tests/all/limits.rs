//! Limits: who sends too much is told when to go on.

use std::sync::Arc;
use std::time::Duration;

use chat_core::frame::{ClientFrame, Typing};
use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::config::{Caps, Rates};
use relay_server::testing::TestRelay;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::conversations::three;
use crate::people::{NOW, Person, Rest};
use crate::socket::Socket;

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

#[tokio::test]
async fn a_device_that_connects_again_and_again_is_told_when_to_come_back() {
    let clock = Arc::new(ManualClock::at(NOW));
    let rates = Rates { connections_a_minute: 2, ..Rates::GENEROUS };
    let relay = TestRelay::builder().clock(clock.clone()).rates(rates).start().await;
    let alice = Person::register(&relay, "alice").await;
    for _ in 0..2 {
        alice.connect_idle().await.close().await;
    }

    let refused = Socket::open(relay.url(), Some(&alice.tokens.access)).await.err().unwrap();

    assert_eq!(refused.code, RejectCode::RateLimited);
    clock.advance(Duration::from_millis(refused.retry_after_ms.unwrap()));
    alice.connect_idle().await;
}

#[tokio::test]
async fn an_account_has_so_many_connections_at_once() {
    let caps = Caps { connections_an_account: 1, ..Caps::GENEROUS };
    let relay = TestRelay::builder().caps(caps).start().await;
    let phone = Person::register(&relay, "alice").await;
    let laptop = phone.with_another_device().await;
    let _phones = phone.connect_idle().await;

    let mut laptops = Socket::open(relay.url(), Some(&laptop.tokens.access)).await.unwrap();

    assert_eq!(laptops.refusal().await, RejectCode::RateLimited);
    assert_eq!(laptops.close_code().await, 1008);
}

#[tokio::test]
async fn connections_on_which_nobody_has_logged_in_are_few() {
    let caps = Caps { unauthenticated_an_address: 3, ..Caps::GENEROUS };
    let relay = TestRelay::builder().caps(caps).start().await;
    let alice = Person::register(&relay, "alice").await;
    // The client of REST keeps a connection of its own.
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(relay.address()).await.unwrap());
    }

    let mut refused = TcpStream::connect(relay.address()).await.unwrap();
    let read = refused.read(&mut [0]).await;

    assert!(matches!(read, Ok(0) | Err(_)), "the connection is closed");
    let metrics = relay.relay().metrics();
    assert!(metrics.contains("sealwire_connections_refused_total 1\n"), "{metrics}");
    drop(idle);
    // Who logs in makes room for the next.
    let (mut device, mut connected) = (alice, Vec::new());
    for _ in 0..3 {
        connected.push(device.connect_idle().await);
        device = device.with_another_device().await;
    }
    assert_eq!(connected.len(), 3);
}

#[tokio::test]
async fn connections_are_counted_in_total_too() {
    let caps = Caps { connections: 1, ..Caps::GENEROUS };
    let relay = TestRelay::builder().caps(caps).start().await;
    let only = TcpStream::connect(relay.address()).await.unwrap();

    let mut refused = TcpStream::connect(relay.address()).await.unwrap();

    assert!(matches!(refused.read(&mut [0]).await, Ok(0) | Err(_)));
    drop(only);
}

#[tokio::test]
async fn the_limits_in_force_are_published() {
    let rates = Rates { messages_a_minute: 7, logins_a_quarter_hour: 3, ..Rates::DEFAULT };
    let relay = TestRelay::builder().rates(rates).start().await;

    let limits = Rest::at(&relay).limits().await;

    assert_eq!((limits.messages_a_minute, limits.logins_a_quarter_hour), (7, 3));
    assert_eq!((limits.typing_a_minute, limits.connections_a_minute), (60, 5));
    assert_eq!((limits.fetches_a_minute, limits.requests_a_quarter_hour), (60, 1_000));
    assert_eq!(limits.registrations_in_3_minutes, 6);
}

#[tokio::test]
async fn each_conversation_has_a_limit_to_typing_of_its_own() {
    let rates = Rates { typing_a_minute: 1, ..Rates::GENEROUS };
    let relay = TestRelay::builder().rates(rates).start().await;
    let [alice, bob, carol] = three(&relay).await;
    let (first, second) = (alice.direct(&bob).await, alice.direct(&carol).await);
    let mut alices = alice.connect_idle().await;

    for chat in [&first, &second, &first] {
        let (conversation, state) = (chat.id(), Typing::Started);
        alices.send(&ClientFrame::Typing { conversation, state }).await;
    }

    assert_eq!(alices.refusal().await, RejectCode::RateLimited);
    assert!(alices.settle().await.is_empty(), "one was refused, not more");
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
