//! What an account settles for itself: alike on all its devices, and known to nobody else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use chat_sdk::{Conversation, ConversationSettings, Draft, Event, Status, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, another_device, people, within};

on_both_stands! {
    what_is_settled_on_one_device_holds_on_the_others,
    a_device_that_comes_later_learns_what_was_settled_before,
    what_was_settled_without_a_connection_is_told_later,
    an_accounts_own_timer_goes_before_the_groups,
    words_that_were_begun_stay_on_the_device,
    who_reads_in_secret_is_read_by_their_own_devices_only,
}

async fn what_is_settled_on_one_device_holds_on_the_others(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let mut tablet = another_device(relay, "bob").await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    bob.message().await;
    tablet.message().await;
    let (at_bob, at_tablet) = (bob.only_conversation().await, tablet.only_conversation().await);

    at_bob.pin().await.unwrap();
    at_bob.mute(None).await.unwrap();
    bob.client.block(alice.client.account()).await.unwrap();
    tablet.settles(&at_tablet, |settings| settings.pinned && settings.muted_until.is_some()).await;
    at_tablet.unpin().await.unwrap();
    at_tablet.mark_unread().await.unwrap();
    bob.settles(&at_bob, |settings| !settings.pinned && settings.marked_unread).await;
    at_bob.mark_seen().await.unwrap();
    tablet.settles(&at_tablet, |settings| !settings.marked_unread).await;
    at_tablet.archive().await.unwrap();
    bob.settles(&at_bob, |settings| settings.archived && settings.muted_until.is_some()).await;

    assert_eq!(tablet.client.blocked().await.unwrap()[0].username, "alice");
    assert_eq!((bob.warnings, tablet.warnings), (vec![], vec![]));
}

async fn a_device_that_comes_later_learns_what_was_settled_before(relay: &Stand) {
    let [alice, bob] = people(relay, ["alice", "bob"]).await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    at_bob.archive().await.unwrap();
    bob.client.block(alice.client.account()).await.unwrap();
    within(bob.client.flush()).await.unwrap();
    // The settings are on their way once the engine has looked around.
    while bob.client.unsettled().await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    within(bob.client.flush()).await.unwrap();

    let mut tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.only_conversation().await;
    tablet.settles(&at_tablet, |settings| settings.archived).await;

    assert_eq!(tablet.client.blocked().await.unwrap()[0].account, alice.client.account());
    assert_eq!(tablet.warnings, []);
}

async fn what_was_settled_without_a_connection_is_told_later(relay: &Stand) {
    let [_alice, bob] = people(relay, ["alice", "bob"]).await;
    let at_bob = bob.client.direct("alice").await.unwrap();
    let mut tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.only_conversation().await;

    bob.client.go_offline().await.unwrap();
    at_bob.pin().await.unwrap();
    bob.client.go_online().await.unwrap();

    tablet.settles(&at_tablet, |settings| settings.pinned).await;
}

async fn an_accounts_own_timer_goes_before_the_groups(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));

    at_alice.set_own_timer(Some(Timer::after_sent(minute))).await.unwrap();
    at_alice.send("a minute").await.unwrap();
    let draft = Draft::text("an hour").expiring(Timer::after_sent(hour));
    at_alice.send_with(draft).await.unwrap();
    at_alice.set_own_timer(None).await.unwrap();
    at_alice.send("for ever").await.unwrap();

    assert_eq!(bob.message().await.timer, Some(Timer::after_sent(minute)));
    assert_eq!(bob.message().await.timer, Some(Timer::after_sent(hour)));
    assert_eq!(bob.message().await.timer, None);
}

async fn words_that_were_begun_stay_on_the_device(relay: &Stand) {
    let [alice, _bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let tablet = another_device(relay, "alice").await;

    at_alice.save_draft("half a th".to_owned()).await.unwrap();
    let begun = at_alice.draft(None).await.unwrap();
    at_alice.save_draft(String::new()).await.unwrap();

    assert_eq!(begun.map(|text| text.text).as_deref(), Some("half a th"));
    assert_eq!(at_alice.draft(None).await.unwrap(), None);
    assert_eq!(tablet.only_conversation().await.draft(None).await.unwrap(), None);
}

async fn who_reads_in_secret_is_read_by_their_own_devices_only(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let mut tablet = another_device(relay, "bob").await;
    bob.client.stop_telling_seen().await.unwrap();
    let at_alice = alice.client.direct("bob").await.unwrap();
    let secret = at_alice.send("read this").await.unwrap();
    bob.message().await;
    tablet.message().await;
    let (at_bob, at_tablet) = (bob.only_conversation().await, tablet.only_conversation().await);

    at_bob.mark_seen().await.unwrap();
    tablet
        .wait_for(|event| {
            let is_it = matches!(event, Event::Settings { conversation } if *conversation == at_tablet.id());
            is_it.then_some(())
        })
        .await;
    let at_tablet = at_tablet.unseen().await.unwrap().messages;
    alice.reaches(secret, Status::Delivered).await;
    let meanwhile = at_alice.message(secret).await.unwrap().unwrap().status;
    bob.client.tell_seen().await.unwrap();
    let open = at_alice.send("and this").await.unwrap();
    bob.message().await;
    at_bob.mark_seen().await.unwrap();
    alice.reaches(open, Status::Seen).await;

    assert_eq!(at_tablet, 0);
    assert_eq!(meanwhile, Status::Delivered);
    assert!(bob.client.tells_seen().await.unwrap());
}

impl Person {
    /// Waits until something else is settled about a conversation here.
    async fn settles(
        &mut self,
        conversation: &Conversation,
        is_there: impl Fn(&ConversationSettings) -> bool,
    ) {
        while !is_there(&conversation.settings().await.unwrap()) {
            self.wait_for(|event| {
                matches!(event, Event::Settings { .. } | Event::Connection(_)).then_some(())
            })
            .await;
        }
    }
}
