//! A relay that lies, lie by lie: what the SDK does, what the app is told, and that the truth
//! helps afterwards. The table of lies is `docs/lying-relay.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod devices;
mod files;
mod membership;
mod messages;
mod past;
mod promises;

use std::sync::Arc;

use chat_core::envelope::Envelope;
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use chat_sdk::{Client, Conversation, Event, Warning};
use chat_tests::impatient::Impatient;
use chat_tests::malicious::{MaliciousRelay, with_header};
use relay_server::testing::TestRelay;

use crate::people::{CHEAP, PASSWORD, Person, clock, within};

/// A real relay, and the liar in front of it.
async fn liar() -> (TestRelay, MaliciousRelay) {
    let relay = TestRelay::start().await;
    let liar = MaliciousRelay::before(relay.url());
    (relay, liar)
}

/// Registers people who reach the relay through the liar, each on a line of their name.
async fn join<const N: usize>(liar: &MaliciousRelay, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for name in names {
        let clock = clock();
        let registered = Client::builder(liar.url())
            .transport(liar.line(name))
            .clock(Arc::new(Impatient(clock.clone())))
            .password_hardening(CHEAP)
            .in_memory()
            .register(name, PASSWORD);
        people.push(Person::of(within(registered).await.unwrap().client, clock).await);
    }
    people.try_into().ok().unwrap()
}

/// Logs in from another device of `name`, on a line of its own.
async fn join_again(liar: &MaliciousRelay, name: &str, line: &str) -> Person {
    let clock = clock();
    let client = Client::builder(liar.url())
        .transport(liar.line(line))
        .clock(Arc::new(Impatient(clock.clone())))
        .password_hardening(CHEAP)
        .in_memory()
        .login(name, PASSWORD);
    Person::of(within(client).await.unwrap(), clock).await
}

/// Alice, Bob, and their conversation at each of them, in which both have spoken.
async fn alice_and_bob(liar: &MaliciousRelay) -> (Person, Person, Conversation, Conversation) {
    let [mut alice, mut bob] = join(liar, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
    let at_bob = bob.only_conversation().await;
    at_bob.send("hello yourself").await.unwrap();
    assert_eq!(alice.hears().await, ["hello yourself"]);
    (alice, bob, at_alice, at_bob)
}

/// Waits until somebody has been warned of this.
async fn is_warned(person: &mut Person, wanted: Warning) {
    if !person.warnings.contains(&wanted) {
        let is_wanted =
            |event: &Event| matches!(event, Event::Warning(w) if *w == wanted).then_some(());
        person.wait_for(is_wanted).await;
    }
}

/// Waits until a person has applied everything that the liar has told it so far: what is said
/// afterwards comes afterwards.
async fn has_taken_it_in(other: &Conversation, person: &mut Person) {
    other.send("by the way").await.unwrap();
    while person.message().await.text() != Some("by the way") {}
}

/// Takes a delivery apart.
fn delivery(frame: &RelayFrame) -> (Sequence, Timestamp, Envelope) {
    match frame {
        RelayFrame::Deliver { sequence, at, envelope } => (*sequence, *at, envelope.clone()),
        other => panic!("{other:?} is no delivery"),
    }
}

/// The same delivery of another envelope.
fn instead(frame: &RelayFrame, envelope: Envelope) -> RelayFrame {
    let (sequence, at, _) = delivery(frame);
    RelayFrame::Deliver { sequence, at, envelope }
}

/// The number of a request to send.
fn sending(frame: &ClientFrame) -> Option<(u32, Envelope)> {
    match frame {
        ClientFrame::Send { request, envelope, .. } => Some((*request, envelope.clone())),
        _ => None,
    }
}
