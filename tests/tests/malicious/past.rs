//! Lies to who comes later, about what was said before.

use chat_core::api::conversations::{AddWraps, MessagePage, StoredMessage, WrapsAdded};
use chat_core::codec::List;
use chat_sdk::live::Earlier;
use chat_sdk::{Joining, Policy};
use chat_tests::malicious::ok;

use super::*;
use crate::people::texts;

#[tokio::test]
async fn wraps_of_the_past_that_the_relay_throws_away_leave_a_gap_until_they_are_given_again() {
    let (_relay, liar) = liar().await;
    let (alice, mut carol, channel) = alice_has_a_channel(&liar).await;
    liar.answers("alice", |asked| {
        let is_theirs = asked.path.ends_with("/wraps");
        let given = asked.body.as_deref().filter(|_| is_theirs)?;
        let given: AddWraps = serde_json::from_slice(given).ok()?;
        Some(ok(&WrapsAdded { added: u64::try_from(given.wraps.len()).ok()? }))
    });

    channel.add("carol").await.unwrap();
    is_told_of_the_past(&mut carol).await;
    let at_carol = carol.only_conversation().await;
    let timeline = at_carol.timeline().await.unwrap();
    let nothing_yet = within(timeline.earlier(10)).await.unwrap();
    let before = texts(&at_carol).await;
    liar.tell_the_truth();
    channel.give_history("carol").await.unwrap();
    is_told_of_the_past(&mut carol).await;

    assert_eq!((nothing_yet, before), (Earlier::Awaited, vec![]));
    assert_eq!(within(timeline.earlier(10)).await.unwrap(), Earlier::Beginning);
    assert_eq!(texts(&at_carol).await, ["before Carol"]);
    assert_eq!((&alice.warnings, &carol.warnings), (&vec![], &vec![]));
}

#[tokio::test]
async fn a_past_that_the_relay_rewrites_is_not_believed_by_who_comes_later() {
    let (_relay, liar) = liar().await;
    let (_alice, mut carol, channel) = alice_has_a_channel(&liar).await;
    liar.rewrites("carol", "/messages", |page: MessagePage| {
        let older = |stored: StoredMessage| StoredMessage {
            envelope: stored
                .envelope
                .map(|it| with_header(&it, |header| header.sent_at = Timestamp::from_millis(1))),
            ..stored
        };
        let messages = page.messages.into_vec().into_iter().map(older).collect();
        MessagePage { messages: List::new(messages).unwrap(), more: page.more }
    });

    channel.add("carol").await.unwrap();
    is_told_of_the_past(&mut carol).await;
    let at_carol = carol.only_conversation().await;
    carol
        .wait_for(|event| match event {
            Event::Warning(Warning::NotAuthentic { .. }) => Some(()),
            _ => None,
        })
        .await;

    assert!(texts(&at_carol).await.is_empty());
}

/// Alice has said something in a channel that Carol is not in yet.
async fn alice_has_a_channel(liar: &MaliciousRelay) -> (Person, Person, Conversation) {
    let [alice, carol] = join(liar, ["alice", "carol"]).await;
    let rules = Policy { join: Joining::Added, ..Policy::CHANNEL };
    let channel = alice.client.create_channel("", &[], rules).await.unwrap();
    channel.send("before Carol").await.unwrap();
    within(alice.client.flush()).await.unwrap();
    (alice, carol, channel)
}

async fn is_told_of_the_past(person: &mut Person) {
    person.wait_for(|event| matches!(event, Event::HistoryGiven { .. }).then_some(())).await;
}
