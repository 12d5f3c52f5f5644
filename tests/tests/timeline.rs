//! Conversations as they are looked at: what changes is told, and what was before is fetched.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_sdk::live::{ConversationList, Diff, Earlier, Item, Timeline};
use chat_sdk::{Policy, Status, WrapScheme};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{another_device, people, within};

on_both_stands! {
    a_view_follows_what_people_say_and_say_about_it,
    a_device_that_comes_later_reads_a_channels_past,
    what_was_never_for_this_device_closes_without_a_word,
    the_list_of_conversations_follows_what_happens_in_them,
}

const HISTORY: Policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };

async fn a_view_follows_what_people_say_and_say_about_it(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let mut view = View::of(at_alice.timeline().await.unwrap());

    let message = at_alice.send("see you at noon").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    at_bob.react(message, "👍").await.unwrap();
    at_bob.mark_seen().await.unwrap();
    at_alice.edit(message, "see you at one").await.unwrap();
    at_bob.send("fine").await.unwrap();

    view.until(|items| {
        let [first, second] = items else { return false };
        let first = first.message().unwrap();
        first.text() == Some("see you at one")
            && first.status == Status::Seen
            && first.reactions.len() == 1
            && second.message().unwrap().text() == Some("fine")
    })
    .await;
    at_alice.delete(message).await.unwrap();
    view.until(|items| items[0].message().unwrap().text().is_none()).await;
}

async fn a_device_that_comes_later_reads_a_channels_past(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let group = alice.client.create_group_with("News", &["bob"], HISTORY).await.unwrap();
    for number in 0..5 {
        group.send(format!("number {number}")).await.unwrap();
    }
    let last: [String; 5] = bob.hears().await;
    let mut tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.only_conversation().await;

    let mut view = View::of(at_tablet.timeline_of(2).await.unwrap());
    let at_first = view.shows();
    let reached = within(view.timeline.earlier(50)).await.unwrap();
    view.until(|items| items.len() == 5).await;
    group.send("number 5").await.unwrap();
    view.until(|items| items.len() == 6).await;

    assert_eq!(last[4], "number 4");
    assert_eq!(at_first, ["gap"]);
    assert_eq!(reached, Earlier::Beginning);
    assert_eq!(view.shows()[..2], ["number 0", "number 1"]);
    assert_eq!(at_tablet.title().await.unwrap().as_deref(), Some("News"));
    // What is read again of the past is not new.
    assert_eq!(at_tablet.unseen().await.unwrap().messages, 1);
    assert_eq!(tablet.hears().await, ["number 5"]);
    assert_eq!(tablet.warnings, []);
}

async fn what_was_never_for_this_device_closes_without_a_word(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("for the telephone").await.unwrap();
    bob.message().await;
    let mut tablet = another_device(relay, "bob").await;
    let at_tablet = tablet.only_conversation().await;
    let mut view = View::of(at_tablet.timeline().await.unwrap());
    let Some(Item::Gap(gap)) = view.items.first().cloned() else { unreachable!("no gap") };

    within(view.timeline.fill(gap)).await.unwrap();
    view.until(<[Item]>::is_empty).await;
    at_alice.send("for both").await.unwrap();

    assert_eq!(tablet.hears().await, ["for both"]);
    assert_eq!(tablet.warnings, []);
}

async fn the_list_of_conversations_follows_what_happens_in_them(relay: &Stand) {
    let [alice, mut bob, carol] = people(relay, ["alice", "bob", "carol"]).await;
    let mut list = bob.client.conversation_list().await.unwrap();
    alice.client.direct("bob").await.unwrap().send("one").await.unwrap();
    bob.message().await;
    bob.clock.advance(std::time::Duration::from_secs(60));
    carol.client.direct("bob").await.unwrap().send("two").await.unwrap();
    bob.message().await;

    follow(&mut list, |titles| titles == ["carol 1", "alice 1"]).await;
    let with_alice = bob.client.direct("alice").await.unwrap();
    with_alice.pin().await.unwrap();
    follow(&mut list, |titles| titles == ["alice 1", "carol 1"]).await;
    with_alice.mark_seen().await.unwrap();
    follow(&mut list, |titles| titles == ["alice 0", "carol 1"]).await;
    with_alice.mark_unread().await.unwrap();
    with_alice.save_draft("on my w".to_owned()).await.unwrap();
    with_alice.archive().await.unwrap();
    follow(&mut list, |titles| titles == ["carol 1", "alice 0"]).await;

    let last = list.items().last().unwrap();
    assert!(last.is_unread());
    assert_eq!(last.draft.as_deref(), Some("on my w"));
    assert_eq!(last.last.as_ref().unwrap().text(), Some("one"));
    let all = bob.client.unseen().await.unwrap();
    assert_eq!((all.messages, all.mentions), (1, 0));
}

/// A list as it becomes by following the changes alone.
async fn follow(list: &mut ConversationList, is_there: impl Fn(&[String]) -> bool) {
    within(async {
        loop {
            let shown: Vec<_> = list
                .items()
                .iter()
                .map(|item| format!("{} {}", item.title.as_deref().unwrap(), item.unseen.messages))
                .collect();
            if is_there(&shown) {
                return;
            }
            list.next().await.unwrap();
        }
    })
    .await;
}

/// A timeline, and what following its changes alone gives.
struct View {
    timeline: Timeline,
    items: Vec<Item>,
}

impl View {
    fn of(timeline: Timeline) -> Self {
        Self { items: timeline.items().to_vec(), timeline }
    }

    async fn until(&mut self, is_there: impl Fn(&[Item]) -> bool) {
        within(async {
            while !is_there(&self.items) {
                let steps: Vec<Diff<Item>> = self.timeline.next().await.unwrap();
                steps.iter().for_each(|step| step.apply(&mut self.items));
                assert_eq!(self.items, self.timeline.items());
            }
        })
        .await;
    }

    fn shows(&self) -> Vec<String> {
        let words = |item: &Item| match item.message() {
            Some(message) => message.text().unwrap_or("?").to_owned(),
            None => "gap".to_owned(),
        };
        self.items.iter().map(words).collect()
    }
}
