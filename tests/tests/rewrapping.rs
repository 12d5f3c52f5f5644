//! History for who comes later: wrapped again by a member, read by the same checks as ever.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_sdk::live::{Earlier, Timeline};
use chat_sdk::{Allowed, Conversation, Draft, Event, History, Joining, Kind, Policy, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, another_device, people, texts, within};

on_both_stands! {
    who_is_added_reads_what_was_said_before,
    who_joins_by_themselves_is_given_the_past_by_an_admin,
    what_was_said_before_stays_a_gap_until_an_admin_is_there,
    who_left_since_is_read_too,
    a_long_past_is_given_page_by_page,
    what_vanishes_is_for_those_who_were_there,
    a_new_device_of_who_came_later_reads_it_too,
    the_past_can_be_asked_to_be_given,
}

async fn who_is_added_reads_what_was_said_before(relay: &Stand) {
    let [alice, bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let channel = alice.client.create_channel("News", &["bob"], CLOSED).await.unwrap();
    channel.send("before Carol").await.unwrap();
    let at_bob = has_heard(bob, "before Carol").await;
    at_bob.conversation.send("I was here too").await.unwrap();
    hears_until(&alice, &channel, "I was here too").await;

    channel.add("carol").await.unwrap();

    let at_carol = carol.is_given_history().await;
    assert_eq!(texts_of_past(&at_carol).await, ["before Carol", "I was here too"]);
    let unseen = at_carol.unseen().await.unwrap();
    assert_eq!((unseen.messages, &carol.warnings), (0, &vec![]));
}

async fn who_joins_by_themselves_is_given_the_past_by_an_admin(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let announcements = Policy { post: Allowed::Admins, ..Policy::CHANNEL };
    let channel = alice.client.create_channel("News", &[], announcements).await.unwrap();
    channel.send("nobody is here yet").await.unwrap();
    within(alice.client.flush()).await.unwrap();

    let found = bob.client.channels(None).await.unwrap();
    bob.client.join(found[0].conversation).await.unwrap();

    let at_bob = bob.is_given_history().await;
    assert_eq!(texts_of_past(&at_bob).await, ["nobody is here yet"]);
    assert_eq!(at_bob.title().await.unwrap().as_deref(), Some("News"));
    assert_eq!(bob.warnings, []);
}

async fn what_was_said_before_stays_a_gap_until_an_admin_is_there(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &[], Policy::CHANNEL).await.unwrap();
    channel.send("nobody is here yet").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    alice.client.go_offline().await.unwrap();

    let found = bob.client.channels(None).await.unwrap();
    let at_bob = bob.client.join(found[0].conversation).await.unwrap();
    let timeline = at_bob.timeline().await.unwrap();
    let nobody_yet = within(timeline.earlier(10)).await.unwrap();
    let before = texts(&at_bob).await;
    alice.client.go_online().await.unwrap();
    bob.is_given_history().await;

    assert_eq!((nobody_yet, before), (Earlier::Awaited, vec![]));
    assert_eq!(within(timeline.earlier(10)).await.unwrap(), Earlier::Beginning);
    assert_eq!(texts(&at_bob).await, ["nobody is here yet"]);
}

async fn who_left_since_is_read_too(relay: &Stand) {
    let [mut alice, bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let channel = alice.client.create_channel("News", &["bob"], CLOSED).await.unwrap();
    channel.send("hello").await.unwrap();
    let at_bob = has_heard(bob, "hello").await;
    at_bob.conversation.send("and goodbye").await.unwrap();
    within(at_bob.person.client.flush()).await.unwrap();
    at_bob.conversation.leave().await.unwrap();
    alice.learns_of_entry(1).await;

    channel.add("carol").await.unwrap();

    let at_carol = carol.is_given_history().await;
    assert_eq!(texts_of_past(&at_carol).await, ["hello", "and goodbye"]);
    assert_eq!(carol.warnings, []);
}

async fn a_long_past_is_given_page_by_page(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &[], CLOSED).await.unwrap();
    let said: Vec<String> = (0..230).map(|number| format!("number {number}")).collect();
    for text in &said {
        channel.send(text.clone()).await.unwrap();
    }
    within(alice.client.flush()).await.unwrap();

    channel.add("bob").await.unwrap();
    // Once after the newest page, and once at the end.
    bob.is_given_history().await;
    let at_bob = bob.is_given_history().await;

    let timeline = at_bob.timeline().await.unwrap();
    while within(timeline.earlier(100)).await.unwrap() != Earlier::Beginning {}
    assert_eq!(crate::people::texts_of_all(&at_bob).await, said);
}

async fn what_vanishes_is_for_those_who_were_there(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &[], CLOSED).await.unwrap();
    let hour = Timer::after_sent(std::time::Duration::from_secs(3600));
    channel.send_with(Draft::text("for an hour").expiring(hour)).await.unwrap();
    channel.send("for good").await.unwrap();
    within(alice.client.flush()).await.unwrap();

    channel.add("bob").await.unwrap();

    let at_bob = bob.is_given_history().await;
    assert_eq!(texts_of_past(&at_bob).await, ["for good"]);
    assert_eq!(bob.warnings, []);
}

async fn a_new_device_of_who_came_later_reads_it_too(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let channel = alice.client.create_channel("News", &[], CLOSED).await.unwrap();
    channel.send("before Bob").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    channel.add("bob").await.unwrap();
    bob.is_given_history().await;

    let tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.client.conversation(channel.id()).await.unwrap();

    assert_eq!(texts_of_past(&at_tablet).await, ["before Bob"]);
    assert_eq!(tablet.warnings, []);
}

async fn the_past_can_be_asked_to_be_given(relay: &Stand) {
    let [alice, bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let rules = Policy { add: Allowed::Members, ..Policy::CHANNEL };
    let channel = alice.client.create_channel("News", &["bob"], rules).await.unwrap();
    channel.send("before Carol").await.unwrap();
    let At { person: mut bob, conversation: at_bob } = has_heard(bob, "before Carol").await;
    alice.client.go_offline().await.unwrap();
    let found = carol.client.channels(None).await.unwrap();
    let at_carol = carol.client.join(found[0].conversation).await.unwrap();
    bob.learns_of_entry(1).await;

    let to_nobody = at_bob.give_history("nobody").await.unwrap_err();
    let to_himself = at_bob.give_history("bob").await.unwrap_err();
    at_bob.give_history("carol").await.unwrap();
    let (_, by) = carol.wait_for(given).await;

    assert_eq!((to_nobody.kind(), to_himself.kind()), (Kind::NotFound, Kind::Forbidden));
    assert_eq!(by, bob.client.account());
    assert_eq!(texts_of_past(&at_carol).await, ["before Carol"]);
    alice.client.go_online().await.unwrap();
    within(alice.client.sync()).await.unwrap();
    let from_now_on = Policy { history: History::FromJoining, ..CLOSED };
    channel.set_policy(from_now_on).await.unwrap();
    assert_eq!(channel.give_history("carol").await.unwrap_err().kind(), Kind::Forbidden);
}

/// Members are added, and read from the beginning.
const CLOSED: Policy = Policy { join: Joining::Added, ..Policy::CHANNEL };

/// Somebody, at the only conversation they have.
struct At {
    person: Person,
    conversation: Conversation,
}

async fn has_heard(mut person: Person, text: &str) -> At {
    assert_eq!(person.message().await.text(), Some(text));
    let conversation = person.only_conversation().await;
    At { person, conversation }
}

async fn hears_until(person: &Person, conversation: &Conversation, text: &str) {
    within(async {
        let mut timeline = conversation.timeline().await.unwrap();
        while !says(&timeline, text) {
            timeline.next().await.unwrap();
        }
    })
    .await;
    within(person.client.flush()).await.unwrap();
}

fn says(timeline: &Timeline, text: &str) -> bool {
    let mut shown = timeline.items().iter().filter_map(|item| item.message());
    shown.any(|message| message.text() == Some(text))
}

/// What a view shows of the past, once it has asked for all of it.
async fn texts_of_past(conversation: &Conversation) -> Vec<String> {
    let timeline = conversation.timeline().await.unwrap();
    assert_eq!(within(timeline.earlier(10)).await.unwrap(), Earlier::Beginning);
    texts(conversation).await
}

fn given(event: &Event) -> Option<(chat_core::id::ConversationId, chat_core::id::AccountId)> {
    match event {
        Event::HistoryGiven { conversation, by } => Some((*conversation, *by)),
        _ => None,
    }
}

impl Person {
    /// Waits until somebody has wrapped the past for this person.
    async fn is_given_history(&mut self) -> Conversation {
        let (conversation, _) = self.wait_for(given).await;
        self.client.conversation(conversation).await.unwrap()
    }

    /// Waits for an entry of a log.
    async fn learns_of_entry(&mut self, wanted: u64) {
        self.wait_for(|event| match event {
            Event::Membership { index, .. } if *index >= wanted => Some(()),
            _ => None,
        })
        .await;
    }
}
