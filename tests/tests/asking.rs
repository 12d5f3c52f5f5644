//! A sender chain that did not arrive: whoever lacks it says so, and reads on.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use chat_core::envelope::Suite;
use chat_core::frame::RelayFrame;
use chat_sdk::{Client, Event, ManualClock, Warning};
use chat_tests::malicious::MaliciousRelay;
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::people::{CHEAP, PASSWORD, Person, clock, within};

on_both_stands! {
    who_was_not_handed_a_chain_asks_for_it_and_reads_on,
}

/// A chain is replaced after so many messages; what is read before that was asked for.
const MESSAGES_A_CHAIN: usize = 100;

async fn who_was_not_handed_a_chain_asks_for_it_and_reads_on(relay: &Stand) {
    let liar = MaliciousRelay::before(relay.node(1).url());
    let mut alice = large(relay, "alice", None).await;
    let mut bob = large(relay, "bob", Some(&liar)).await;
    let carol = large(relay, "carol", None).await;
    let group = alice.client.create_group("Trip", &["bob", "carol"]).await.unwrap();
    liar.says_to("bob", |frame| match &frame {
        RelayFrame::Deliver { envelope, .. } => {
            let suite = envelope.read_header().unwrap().suite;
            if suite == Suite::HandOut { Vec::new() } else { vec![frame] }
        }
        _ => vec![frame],
    });

    group.send("not for bob").await.unwrap();
    let refused = bob.reads_or_is_warned().await;
    liar.tell_the_truth();
    let mut said = 1;
    let heard = loop {
        assert!(said < MESSAGES_A_CHAIN, "the chain was replaced, and not asked for");
        group.send(format!("number {said}")).await.unwrap();
        said += 1;
        if let Some(text) = bob.reads_or_is_warned().await {
            break text;
        }
    };
    bob.only_conversation().await.send("I am back").await.unwrap();

    assert_eq!(refused, None);
    assert!(heard.starts_with("number "), "{heard}");
    assert_eq!(alice.hears().await, ["I am back"]);
    assert_eq!(alice.warnings, []);
    drop(carol);
}

impl Person {
    /// Waits for the next message, or for the warning that there was one that did not open.
    async fn reads_or_is_warned(&mut self) -> Option<String> {
        self.wait_for(|event| match event {
            Event::Message(message) => Some(message.text().map(str::to_owned)),
            Event::Warning(Warning::NotAuthentic { .. }) => Some(None),
            _ => None,
        })
        .await
    }
}

/// Somebody for whom two other devices are many; on a line of the liar, if there is one.
async fn large(relay: &Stand, name: &str, liar: Option<&MaliciousRelay>) -> Person {
    let clock: ManualClock = clock();
    let builder = Client::builder(relay.node(1).url())
        .clock(Arc::new(clock.clone()))
        .password_hardening(CHEAP)
        .sessions_a_message_max(1)
        .in_memory();
    let builder = match liar {
        Some(liar) => builder.transport(liar.line(name)),
        None => builder,
    };
    let registered = builder.register(name, PASSWORD).await.unwrap();
    within(Person::of(registered.client, clock)).await
}
