//! Messages that are here before the keys they are under: nothing of them is lost.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use chat_core::frame::RelayFrame;
use chat_core::id::ConversationId;
use chat_sdk::Policy;
use chat_tests::malicious::MaliciousRelay;
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::people::{CHEAP, PASSWORD, Person, another_device, builder, clock, people, within};

on_both_stands! {
    a_message_that_overtakes_the_lock_is_read_when_the_lock_is_there,
    a_message_waits_until_somebody_types_the_password,
}

const ANOTHER: &str = "a better one, after all";

async fn a_message_that_overtakes_the_lock_is_read_when_the_lock_is_there(relay: &Stand) {
    let [phone, bob] = people(relay, ["alice", "bob"]).await;
    let (liar, mut away) = over_a_line(relay).await;
    let tablet = another_device(relay, "alice").await;
    away.client.go_offline().await.unwrap();
    phone.client.remove_device(tablet.client.device()).await.unwrap();
    within(phone.client.sync()).await.unwrap();
    bob.client.create_channel("News", &["alice"], Policy::CHANNEL).await.unwrap();
    let channel = bob.only_conversation().await;
    channel.send("first").await.unwrap();
    channel.send("second").await.unwrap();

    let held = everything_else_comes_after(&liar, channel.id(), 2);
    away.client.go_online().await.unwrap();

    assert_eq!(away.hears().await, ["first", "second"]);
    assert!(held.lock().unwrap().came_first, "the messages did not overtake the lock");
    assert_eq!(away.warnings, []);
    assert_eq!(away.client.rotate_keys().await.unwrap(), 3, "nobody was asked");
}

async fn a_message_waits_until_somebody_types_the_password(relay: &Stand) {
    let [phone, bob] = people(relay, ["alice", "bob"]).await;
    let (liar, mut away) = over_a_line(relay).await;
    away.client.go_offline().await.unwrap();
    phone.client.change_password(ANOTHER, CHEAP).await.unwrap();
    phone.client.rotate_keys().await.unwrap();
    within(phone.client.sync()).await.unwrap();
    bob.client.create_channel("News", &["alice"], Policy::CHANNEL).await.unwrap();
    let channel = bob.only_conversation().await;
    channel.send("under new keys").await.unwrap();

    // The lock is never handed over: this relay keeps it.
    let _held = everything_else_comes_after(&liar, channel.id(), usize::MAX);
    away.client.go_online().await.unwrap();
    within(away.client.sync()).await.unwrap();
    let wrong = away.client.unlock_with_password(PASSWORD, CHEAP).await;
    away.client.unlock_with_password(ANOTHER, CHEAP).await.unwrap();

    assert_eq!(wrong.unwrap_err().code(), "wrong_password");
    assert_eq!(away.hears().await, ["under new keys"]);
    assert_eq!(away.warnings, []);
}

/// What a relay holds back until it has said something else.
#[derive(Default)]
struct Held {
    frames: Vec<RelayFrame>,
    said: usize,
    came_first: bool,
}

/// Has the relay deliver to the device what was said elsewhere only after so many messages of one
/// conversation.
fn everything_else_comes_after(
    liar: &MaliciousRelay,
    first: ConversationId,
    count: usize,
) -> Arc<Mutex<Held>> {
    let held = Arc::new(Mutex::new(Held::default()));
    let kept = Arc::clone(&held);
    liar.says_to("away", move |frame| {
        let mut held = kept.lock().unwrap();
        let RelayFrame::Deliver { envelope, .. } = &frame else { return vec![frame] };
        let is_first = envelope.read_header().unwrap().conversation == first;
        if is_first {
            held.said += 1;
            if held.said < count {
                return vec![frame];
            }
            held.came_first = true;
            let mut frames = vec![frame];
            frames.append(&mut held.frames);
            return frames;
        }
        if held.said < count {
            held.frames.push(frame);
            return Vec::new();
        }
        vec![frame]
    });
    held
}

async fn over_a_line(relay: &Stand) -> (MaliciousRelay, Person) {
    let liar = MaliciousRelay::before(relay.node(1).url());
    let clock = clock();
    let builder = builder(relay.node(1).url(), &clock).transport(liar.line("away")).in_memory();
    let client = builder.login("alice", PASSWORD).await.unwrap();
    (liar, within(Person::of(client, clock)).await)
}
