//! Lies about devices and keys.

use chat_core::api::account::AccountKeys;
use chat_core::api::prekeys::Bundles;
use chat_core::codec::List;
use chat_sdk::Status;
use chat_sdk::transport::Method;
use chat_sdk::verification::Trust;
use chat_tests::forgery::Forger;

use super::*;

#[tokio::test]
async fn a_device_that_the_relay_adds_is_warned_of_and_given_nothing() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let account = bob.client.account();
    let honest: AccountKeys = liar.answered("alice", &keys_of(&bob));
    liar.answers_all(&keys_of(&bob), &Forger::new(1).with_my_device(&honest));
    liar.tells("alice", RelayFrame::DevicesChanged { account, number: 2 });
    has_taken_it_in(&at_bob, &mut alice).await;

    let message = at_alice.send("for Bob alone").await.unwrap();
    is_warned(&mut alice, Warning::DeviceListForged { account }).await;
    alice.reaches(message, Status::Failed).await;

    liar.tell_the_truth();
    at_alice.send("again").await.unwrap();
    assert_eq!(bob.hears().await, ["again"]);
    for frame in liar.said_by("alice", |frame| sending(frame).is_some()) {
        let (_, envelope) = sending(&frame).unwrap();
        assert!(envelope.wraps.iter().all(|wrap| wrap.is_for(bob.client.address())));
    }
}

#[tokio::test]
async fn a_device_that_the_relay_adds_to_our_own_account_is_warned_of() {
    let (_relay, liar) = liar().await;
    let (mut alice, _bob, _, _) = alice_and_bob(&liar).await;
    let account = alice.client.account();
    let honest: AccountKeys = liar.answered("bob", &keys_of(&alice));
    liar.answers_all(&keys_of(&alice), &Forger::new(1).with_my_device(&honest));

    liar.tells("alice", RelayFrame::DevicesChanged { account, number: 2 });

    is_warned(&mut alice, Warning::DeviceListForged { account }).await;
    assert_eq!(alice.client.devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_swapped_identity_key_is_warned_of_and_not_used() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let account = bob.client.account();
    let honest = alice.client.safety_number("bob").await.unwrap().to_string();
    liar.answers_all(&keys_of(&bob), &Forger::new(1).keys_for(account, "bob"));
    liar.tells("alice", RelayFrame::DevicesChanged { account, number: 2 });
    has_taken_it_in(&at_bob, &mut alice).await;

    let message = at_alice.send("for Bob alone").await.unwrap();
    is_warned(&mut alice, Warning::IdentityChanged { account }).await;
    alice.reaches(message, Status::Failed).await;

    assert_eq!(alice.client.trust(account).await.unwrap(), Trust::Changed);
    assert_eq!(alice.client.safety_number("bob").await.unwrap().to_string(), honest);
    liar.tell_the_truth();
    at_alice.send("again").await.unwrap();
    assert_eq!(bob.hears().await, ["again"]);
}

#[tokio::test]
async fn an_older_device_list_is_warned_of() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, at_bob) = alice_and_bob(&liar).await;
    let account = bob.client.account();
    let older: AccountKeys = liar.answered("alice", &keys_of(&bob));
    let mut laptop = join_again(&liar, "bob", "laptop").await;
    at_alice.send("to both").await.unwrap();
    assert_eq!(laptop.hears().await, ["to both"]);
    liar.answers_all(&keys_of(&bob), &older);
    liar.tells("alice", RelayFrame::DevicesChanged { account, number: 3 });
    has_taken_it_in(&at_bob, &mut alice).await;

    let message = at_alice.send("to the phone alone").await.unwrap();

    is_warned(&mut alice, Warning::DeviceListForged { account }).await;
    alice.reaches(message, Status::Failed).await;
    liar.tell_the_truth();
    at_alice.send("to both again").await.unwrap();
    assert_eq!(bob.hears().await, ["to both", "to both again"]);
}

#[tokio::test]
async fn a_device_list_that_is_withheld_shows_at_its_account() {
    let (_relay, liar) = liar().await;
    let (mut alice, mut bob, at_alice, _) = alice_and_bob(&liar).await;
    liar.says_to("alice", |frame| match frame {
        RelayFrame::DevicesChanged { .. } => vec![],
        frame => vec![frame],
    });
    let _laptop = join_again(&liar, "bob", "laptop").await;
    is_told_of_its_devices(&mut bob).await;
    passes_on(&liar, "alice", "bob", 3);
    // A list takes a while to everybody; this is longer.
    alice.clock.advance(std::time::Duration::from_secs(360));
    bob.clock.advance(std::time::Duration::from_secs(360));

    let message = at_alice.send("to the phone alone").await.unwrap();

    alice.reaches(message, Status::Sent).await;
    assert_eq!(bob.hears().await, ["to the phone alone"]);
    is_warned(&mut bob, Warning::DeviceListStale { account: alice.client.account() }).await;
}

#[tokio::test]
async fn prekeys_of_the_relays_own_are_warned_of_and_not_used() {
    let (_relay, liar) = liar().await;
    let [mut alice, mut bob] = join(&liar, ["alice", "bob"]).await;
    let device = bob.client.address();
    liar.rewrites("alice", "/v1/prekeys/fetch", move |_: Bundles| Bundles {
        bundles: List::new(vec![Forger::new(1).bundle_for(device)]).unwrap(),
    });

    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("for Bob alone").await.unwrap();
    is_warned(&mut alice, Warning::PrekeysForged { device }).await;

    assert!(liar.said_by("alice", |frame| sending(frame).is_some()).is_empty());
    liar.tell_the_truth();
    assert_eq!(bob.hears().await, ["for Bob alone"], "it waited for the truth");
}

#[tokio::test]
async fn prekeys_of_another_device_are_warned_of_and_not_used() {
    let (_relay, liar) = liar().await;
    let [mut alice, mut bob, carol] = join(&liar, ["alice", "bob", "carol"]).await;
    let to_carol = alice.client.direct("carol").await.unwrap();
    to_carol.send("hello").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    let carols: Bundles = liar.answered("alice", "/v1/prekeys/fetch");
    let device = bob.client.address();
    liar.rewrites("alice", "/v1/prekeys/fetch", move |_: Bundles| {
        let mut bundle = carols.bundles[0].clone();
        bundle.address = device;
        Bundles { bundles: List::new(vec![bundle]).unwrap() }
    });

    alice.client.direct("bob").await.unwrap().send("for Bob alone").await.unwrap();
    is_warned(&mut alice, Warning::PrekeysForged { device }).await;

    liar.tell_the_truth();
    assert_eq!(bob.hears().await, ["for Bob alone"]);
    assert_eq!(carol.warnings, []);
}

#[tokio::test]
async fn prekeys_that_are_said_to_be_used_up_leave_the_last_resort() {
    let (_relay, liar) = liar().await;
    let [mut alice, mut bob] = join(&liar, ["alice", "bob"]).await;
    liar.rewrites("alice", "/v1/prekeys/fetch", |bundles: Bundles| {
        let bundles = bundles.bundles.iter().cloned();
        let bare =
            bundles.map(|bundle| chat_core::prekey::PrekeyBundle { one_time: None, ..bundle });
        Bundles { bundles: List::new(bare.collect()).unwrap() }
    });

    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();

    assert_eq!(bob.hears().await, ["hello"]);
    bob.only_conversation().await.send("hello yourself").await.unwrap();
    assert_eq!(alice.hears().await, ["hello yourself"]);
    assert_eq!((alice.warnings, bob.warnings), (vec![], vec![]));
}

#[tokio::test]
async fn a_one_time_prekey_that_is_handed_out_twice_begins_one_session() {
    let (_relay, liar) = liar().await;
    let [alice, mut bob, mut carol] = join(&liar, ["alice", "bob", "carol"]).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
    let spent: Bundles = liar.answered("alice", "/v1/prekeys/fetch");
    liar.rewrites("carol", "/v1/prekeys/fetch", move |_: Bundles| spent.clone());

    let at_carol = carol.client.direct("bob").await.unwrap();
    let lost = at_carol.send("lost").await.unwrap();
    let conversation = at_carol.id();
    let sender = carol.client.address();
    is_warned(&mut bob, Warning::NotAuthentic { conversation, sender, message: lost }).await;
    liar.tell_the_truth();
    let at_bob = bob.client.conversation(conversation).await.unwrap();
    // Of two sessions the later leads; these two were begun within a second otherwise.
    bob.clock.advance(std::time::Duration::from_secs(5));
    at_bob.send("say that again").await.unwrap();

    assert_eq!(carol.hears().await, ["say that again"]);
    at_carol.send("not lost").await.unwrap();

    assert_eq!(bob.hears().await, ["not lost"], "Bob's answer began a session that holds");
}

#[tokio::test]
async fn a_relay_that_cries_for_prekeys_gets_one_set() {
    let (_relay, liar) = liar().await;
    let (mut alice, _bob, _, at_bob) = alice_and_bob(&liar).await;
    let before = liar.requests_of("alice", Method::Put, "/v1/prekeys");

    for _ in 0..50 {
        liar.tells("alice", RelayFrame::PrekeysLow { remaining: 0 });
    }
    has_taken_it_in(&at_bob, &mut alice).await;
    within(alice.client.go_offline()).await.unwrap();

    assert!(liar.requests_of("alice", Method::Put, "/v1/prekeys") <= before + 1);
    assert_eq!(alice.warnings, []);
}

/// Takes the messages of `sender` from now on for the relay's own, and hands each to `reader`
/// alone, from the place `sequence` on: no relay that is honest would check so little.
pub(super) fn passes_on(liar: &MaliciousRelay, sender: &str, reader: &str, mut sequence: Sequence) {
    let (reader, teller) = (reader.to_owned(), liar.clone());
    let (outbox, mut posted) = tokio::sync::mpsc::unbounded_channel();
    liar.swallows_of(sender, move |frame| {
        let (request, envelope) = sending(frame)?;
        let at = envelope.read_header().unwrap().sent_at;
        outbox.send(RelayFrame::Deliver { sequence, at, envelope }).unwrap();
        let accepted = RelayFrame::Accepted { request, sequence, at };
        sequence += 1;
        Some(vec![accepted])
    });
    // A lie cannot tell another line itself: the plot is locked while it is made.
    tokio::spawn(async move {
        while let Some(frame) = posted.recv().await {
            teller.tells(&reader, frame);
        }
    });
}

async fn is_told_of_its_devices(person: &mut Person) {
    within(async {
        while person.client.devices().await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn keys_of(person: &Person) -> String {
    format!("/v1/accounts/{}/keys", person.client.account())
}
