//! Devices that are not connected are told that they have mail, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::api::push::PushTarget;
use chat_core::codec::Bytes;
use chat_core::membership::Membership;
use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::config::PushConfig;
use relay_server::push::guard::Reach;
use relay_server::storage::PushStorage as _;
use relay_server::testing::TestRelay;

use crate::people::{NOW, Person};
use crate::socket::Socket;

const PATH: &str = "/v1/devices/self/push";

#[tokio::test]
async fn a_device_that_is_away_is_woken_once_for_all_its_mail() {
    let mut alice = Writer::to_somebody_away(200).await;

    for _ in 0..3 {
        alice.writes().await;
    }
    alice.stand.until_queue_is(1, 0, Duration::ZERO).await;
    assert!(alice.hook.bodies().is_empty(), "it may still fetch its mail by itself");
    alice.stand.until_queue_is(0, 0, Duration::from_secs(3)).await;
    alice.stand.deliver(Duration::from_secs(3_600)).await;

    assert_eq!(alice.hook.bodies(), [r#"{"event":"mail"}"#]);
}

#[tokio::test]
async fn a_device_that_is_connected_or_has_fetched_its_mail_sleeps_on() {
    let mut alice = Writer::to_somebody_away(200).await;
    let bobs = alice.reader.connect_idle().await;

    alice.writes().await;
    alice.stand.until_queue_is(1, 0, Duration::ZERO).await;
    alice.stand.until_queue_is(0, 0, Duration::from_secs(3)).await;
    drop(bobs);

    assert!(alice.hook.bodies().is_empty());
}

#[tokio::test]
async fn what_fails_is_tried_again_with_patience() {
    let mut alice = Writer::to_somebody_away(503).await;
    alice.writes().await;
    alice.stand.until_queue_is(1, 0, Duration::ZERO).await;

    alice.stand.deliver(Duration::from_secs(3)).await;
    alice.hook.called(1).await;
    alice.stand.deliver(Duration::ZERO).await;
    assert_eq!(alice.hook.bodies().len(), 1, "it is not tried again at once");
    alice.hook.answers(200);
    alice.stand.until_queue_is(0, 0, Duration::from_secs(15)).await;

    assert_eq!(alice.hook.bodies().len(), 2);
}

#[tokio::test]
async fn what_fails_for_hours_is_dead_until_the_next_message() {
    let mut alice = Writer::to_somebody_away(503).await;
    alice.writes().await;
    alice.stand.until_queue_is(1, 0, Duration::ZERO).await;

    alice.stand.until_queue_is(0, 1, Duration::from_secs(3_600)).await;

    assert_eq!(alice.hook.bodies().len(), 12);
    alice.hook.answers(200);
    alice.writes().await;
    alice.stand.until_queue_is(0, 0, Duration::from_secs(3)).await;
    assert_eq!(alice.hook.bodies().len(), 13);
}

#[tokio::test]
async fn a_target_that_is_gone_is_not_called_again() {
    let mut alice = Writer::to_somebody_away(410).await;

    alice.writes().await;
    alice.stand.until_queue_is(1, 0, Duration::ZERO).await;
    alice.stand.until_queue_is(0, 0, Duration::from_secs(3)).await;

    assert_eq!(alice.hook.bodies().len(), 1);
    let path = alice.stand.relay.folder().join("relay.db");
    let storage = relay_server::storage::sqlite::Store::open(&path).await.unwrap();
    assert!(storage.push_devices(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_what_the_operator_has_set_up_is_taken() {
    let stand = Stand::start_with(Reach::Public).await;
    let [alice, _] = stand.people().await;
    let hook = |url: &str| target(url);
    let long = "a".repeat(2_048);

    for (target, expected) in [
        (PushTarget::Fcm { token: "token".to_owned() }, RejectCode::Forbidden),
        (PushTarget::Apns { token: "00ff".to_owned() }, RejectCode::Forbidden),
        (PushTarget::Apns { token: "../x".to_owned() }, RejectCode::Malformed),
        (PushTarget::Fcm { token: String::new() }, RejectCode::Malformed),
        (hook("http://example.com/"), RejectCode::Forbidden),
        (hook("https://127.0.0.1/"), RejectCode::Forbidden),
        (hook("https://[::1]:9/"), RejectCode::Forbidden),
        (hook(&format!("https://example.com/{long}")), RejectCode::TooLarge),
    ] {
        let refused = alice.put(PATH, &target).await.unwrap_err();
        assert_eq!(refused.code, expected, "{target:?}");
    }
    assert_eq!(alice.put(PATH, &hook("https://example.com/hook")).await, Ok(()));
}

fn target(url: &str) -> PushTarget {
    let secret = Bytes::new(vec![7; 32]).unwrap();
    PushTarget::WebHook { url: url.to_owned(), secret }
}

/// Somebody who is connected, and writes to somebody who has a web hook and is not.
struct Writer {
    stand: Stand,
    hook: Hook,
    person: Person,
    socket: Socket,
    chat: Membership,
    reader: Person,
}

impl Writer {
    async fn to_somebody_away(status: u16) -> Self {
        let (stand, hook) = (Stand::start().await, Hook::start(status).await);
        let [person, reader] = stand.people().await;
        reader.put(PATH, &target(&hook.url)).await.unwrap();
        let chat = person.direct(&reader).await;
        let socket = person.connect_idle().await;
        Self { stand, hook, person, socket, chat, reader }
    }

    async fn writes(&mut self) {
        let message = self.person.message(&self.chat, &[&self.reader]).seal();
        self.socket.send_message(&message).await.unwrap();
    }
}

struct Stand {
    relay: TestRelay,
    clock: Arc<ManualClock>,
}

impl Stand {
    async fn start() -> Self {
        Self::start_with(Reach::Anywhere).await
    }

    async fn start_with(reach: Reach) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let push = PushConfig { web_hooks: Some(reach), ..PushConfig::default() };
        let relay = TestRelay::builder().clock(clock.clone()).push(push).start().await;
        Self { relay, clock }
    }

    async fn people(&self) -> [Person; 2] {
        [Person::register(&self.relay, "alice").await, Person::register(&self.relay, "bob").await]
    }

    /// Waits until so many wake-ups wait and so many are dead, while time passes in `steps`.
    async fn until_queue_is(&self, waiting: u64, dead: u64, steps: Duration) {
        let reached = async {
            while self.relay.relay().wake_ups_waiting().await.unwrap() != (waiting, dead) {
                self.deliver(steps).await;
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the queue differs");
    }

    /// Lets time pass and takes what is due then, as the relay does by itself every second.
    async fn deliver(&self, after: Duration) {
        self.clock.advance(after);
        self.relay.relay().deliver_wake_ups().await.unwrap();
    }
}

/// Somebody's web hook.
struct Hook {
    url: String,
    state: Arc<Mutex<(u16, Vec<String>)>>,
}

impl Hook {
    async fn start(status: u16) -> Self {
        let state = Arc::new(Mutex::new((status, Vec::new())));
        let told = state.clone();
        let answer = async move |body: String| {
            let mut state = told.lock().unwrap();
            state.1.push(body);
            axum::http::StatusCode::from_u16(state.0).unwrap()
        };
        let router: axum::Router = axum::Router::new().fallback(answer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    fn answers(&self, status: u16) {
        self.state.lock().unwrap().0 = status;
    }

    async fn called(&self, times: usize) {
        let called = async {
            while self.bodies().len() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), called).await.expect("it is not called");
    }

    fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().1.clone()
    }
}
