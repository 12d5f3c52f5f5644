//! What people say about messages: answers, emoji, other words, the end; and finding messages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use chat_core::id::MessageId;
use chat_sdk::content::Content;
use chat_sdk::{Draft, Event, Message};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;

use crate::people::{Person, another_device, people, texts, within};

on_both_stands! {
    an_edit_reaches_everybody_and_is_what_a_search_finds,
    emoji_come_and_go_on_a_message,
    a_deleted_message_is_gone_on_every_device,
    an_answer_names_its_message_and_a_mention_is_counted,
    a_forwarded_message_says_so_and_not_whose_it_was,
    a_message_that_was_never_sent_is_taken_back,
}

async fn an_edit_reaches_everybody_and_is_what_a_search_finds(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let message = at_alice.send("see you at noon").await.unwrap();
    bob.message().await;

    at_alice.edit(message, "see you at one").await.unwrap();
    let changed = bob.sees_changed(message).await;

    assert_eq!(changed.text(), Some("see you at one"));
    assert!(changed.edited_at.is_some());
    assert_eq!(texts(&at_alice).await, ["see you at one"]);
    assert!(bob.client.search("noon", 10).await.unwrap().is_empty());
    assert_eq!(bob.client.search("ONE see", 10).await.unwrap()[0].id, message);
    let at_bob = bob.only_conversation().await;
    assert_eq!(at_bob.edit(message, "mine").await.unwrap_err().code(), "not_found");
}

async fn emoji_come_and_go_on_a_message(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let message = at_alice.send("done!").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;

    at_bob.react(message, "🎉").await.unwrap();
    let first = alice.sees_changed(message).await;
    at_bob.unreact(message, "🎉").await.unwrap();
    let second = alice.sees_changed(message).await;

    assert_eq!(first.reactions[0].emoji, "🎉");
    assert_eq!(first.reactions[0].by[0].username, "bob");
    assert!(second.reactions.is_empty());
}

async fn a_deleted_message_is_gone_on_every_device(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let mut bobs_other = another_device(relay, "bob").await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let message = at_alice.send("my password is 1234").await.unwrap();
    bob.message().await;
    bobs_other.message().await;

    at_alice.delete(message).await.unwrap();
    let at_bob = bob.sees_changed(message).await;
    let at_other = bobs_other.sees_changed(message).await;

    let here = at_alice.message(message).await.unwrap().unwrap();
    for gone in [here, at_bob, at_other] {
        assert_eq!(gone.content, Content::Deleted);
    }
    assert!(bob.client.search("password", 10).await.unwrap().is_empty());
    assert_eq!(at_alice.react(message, "👍").await.unwrap_err().code(), "not_found");
}

async fn an_answer_names_its_message_and_a_mention_is_counted(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    let question = at_alice.send("lunch?").await.unwrap();
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    let draft = Draft::text("yes, @alice").replying_to(question);

    at_bob.send_with(draft.mentioning(alice.client.account())).await.unwrap();
    let answer = alice.message().await;

    let Content::Text(text) = &answer.content else { unreachable!("an answer is words") };
    assert_eq!(text.reply_to, Some(question));
    let unseen = at_alice.unseen().await.unwrap();
    assert_eq!((unseen.messages, unseen.mentions), (1, 1));
    at_alice.mark_seen().await.unwrap();
    assert_eq!(at_alice.unseen().await.unwrap().messages, 0);
}

async fn a_forwarded_message_says_so_and_not_whose_it_was(relay: &Stand) {
    let [alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    at_alice.send("the recipe").await.unwrap();
    let heard = bob.message().await;
    let with_carol = bob.client.direct("carol").await.unwrap();

    with_carol.send_with(Draft::forward(&heard).unwrap()).await.unwrap();
    let forwarded = carol.message().await;

    let Content::Text(text) = &forwarded.content else { unreachable!("it was words") };
    assert!(text.forwarded);
    assert_eq!((&*text.text, &*forwarded.sender.username), ("the recipe", "bob"));
}

async fn a_message_that_was_never_sent_is_taken_back(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_alice = alice.client.direct("bob").await.unwrap();
    alice.client.go_offline().await.unwrap();
    let hasty = at_alice.send("hasty").await.unwrap();
    at_alice.send("considered").await.unwrap();

    assert!(at_alice.cancel(hasty).await.unwrap());
    alice.client.go_online().await.unwrap();
    within(alice.client.flush()).await.unwrap();

    assert_eq!(bob.hears().await, ["considered"]);
    assert_eq!(texts(&at_alice).await, ["considered"]);
    assert!(bob.warnings.is_empty());
}

impl Person {
    /// Waits until a message shows something else.
    async fn sees_changed(&mut self, message: MessageId) -> Message {
        self.wait_for(|event| match event {
            Event::Changed(changed) => (changed.id == message).then(|| changed.clone()),
            _ => None,
        })
        .await
    }
}
