//! Messages that vanish: on both devices and at the relay, each by its own clock.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chat_sdk::{Draft, Expiry, ExpiryMode, Policy, Status, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{open_later, people, texts, with_file, within};

/// The relay, too, begins to count when a message was seen, and tells the sender at its end.
const FIVE_SECONDS: Duration = Duration::from_secs(5);
/// Longer than a story takes: the relay goes by the time of day.
const FIVE_MINUTES: Duration = Duration::from_secs(300);

on_both_stands! {
    a_message_vanishes_some_time_after_it_was_sent,
    a_message_vanishes_some_time_after_it_was_seen,
    a_message_whose_time_is_over_before_it_is_opened_is_never_shown,
    what_vanished_while_the_app_was_closed_is_gone_when_it_opens,
    a_groups_own_timer_is_that_of_messages_that_name_none,
}

async fn a_message_vanishes_some_time_after_it_was_sent(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let draft = Draft::text("for a moment").expiring(Timer::after_sent(FIVE_MINUTES));

    let message = chat.send_with(draft).await.unwrap();
    let heard = bob.message().await;
    alice.reaches(message, Status::Sent).await;
    let at_bob = bob.only_conversation().await;
    let before = (texts(&chat).await, texts(&at_bob).await);
    bob.clock.advance(2 * FIVE_MINUTES);
    bob.loses(message).await;
    let only_bob = (texts(&chat).await, texts(&at_bob).await);
    alice.clock.advance(2 * FIVE_MINUTES);
    alice.loses(message).await;

    assert_eq!(heard.timer, Some(Timer::after_sent(FIVE_MINUTES)));
    assert!(heard.expires_at.is_some());
    assert_eq!(before.0, ["for a moment"]);
    assert_eq!(before.1, ["for a moment"]);
    assert_eq!(only_bob.0, ["for a moment"]);
    assert!(only_bob.1.is_empty());
    assert!(texts(&chat).await.is_empty());
}

async fn a_message_vanishes_some_time_after_it_was_seen(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let draft = Draft::text("read me").expiring(Timer::after_seen(FIVE_SECONDS));

    let message = chat.send_with(draft).await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    bob.clock.advance(Duration::from_secs(3600));
    let unseen = at_bob.message(message).await.unwrap().unwrap();
    at_bob.mark_seen().await.unwrap();
    alice.reaches(message, Status::Seen).await;
    let running = at_bob.message(message).await.unwrap().unwrap();
    bob.clock.advance(FIVE_SECONDS);
    bob.loses(message).await;
    alice.clock.advance(FIVE_SECONDS);
    alice.loses(message).await;

    assert_eq!(unseen.expires_at, None);
    assert!(running.expires_at.is_some());
    assert!(texts(&chat).await.is_empty() && texts(&at_bob).await.is_empty());
}

async fn a_message_whose_time_is_over_before_it_is_opened_is_never_shown(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("first").await.unwrap();
    assert_eq!(bob.hears().await, ["first"]);
    bob.client.go_offline().await.unwrap();
    let hour = Timer::after_sent(Duration::from_secs(3600));

    chat.send_with(Draft::text("too late").expiring(hour)).await.unwrap();
    chat.send("in time").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    bob.clock.advance(Duration::from_secs(3700));
    bob.client.go_online().await.unwrap();

    assert_eq!(bob.hears().await, ["in time"]);
    assert_eq!(texts(&bob.only_conversation().await).await, ["first", "in time"]);
    assert_eq!(bob.warnings, []);
}

async fn what_vanished_while_the_app_was_closed_is_gone_when_it_opens(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let [alice] = people(relay, ["alice"]).await;
    let mut bob = with_file(relay, "bob", &path).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let hour = Duration::from_secs(3600);
    let draft = Draft::text("an hour is enough").expiring(Timer::after_sent(hour));

    let message = chat.send_with(draft).await.unwrap();
    bob.message().await;
    bob.client.close().await.unwrap();
    let bob = open_later(relay, &path, hour).await;

    let at_bob = bob.only_conversation().await;
    assert!(at_bob.message(message).await.unwrap().is_none());
    assert!(texts(&at_bob).await.is_empty());
}

async fn a_groups_own_timer_is_that_of_messages_that_name_none(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let timer = Expiry { mode: ExpiryMode::AfterSent, after_ms: 60_000 };
    let policy = Policy { timer: Some(timer), ..Policy::DEFAULT };
    let group = alice.client.create_group_with("Brief", &["bob"], policy).await.unwrap();

    group.send("a minute").await.unwrap();

    let heard = bob.message().await;
    assert_eq!(heard.timer, Some(Timer::after_sent(Duration::from_secs(60))));
    let title = bob.only_conversation().await.title().await.unwrap();
    assert_eq!(title.as_deref(), Some("Brief"));
}
