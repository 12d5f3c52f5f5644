use std::time::Duration;

use chat_core::id::ConversationId;

use super::*;
use crate::message::{Page, Timer};
use crate::stage::{NOW, Person, alice_and_bob, later};
use crate::store::{search, timeline};

#[tokio::test]
async fn an_edit_counts_on_both_sides_and_the_last_one_wins() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hallo").await;
    send(&alice, &mut bob, chat, 1).await;

    alice.says_with(chat, edit(message, "hello")).await;
    alice.says_with(chat, edit(message, "hello!")).await;
    let outcome = send(&alice, &mut bob, chat, 2).await;
    send(&alice, &mut bob, chat, 3).await;

    assert_eq!(outcome.changed, Some(message));
    assert!(outcome.message.is_none());
    for person in [&alice, &bob] {
        let [shown] = shown(person, chat).await.try_into().unwrap();
        assert_eq!(shown.text(), Some("hello!"));
        assert_eq!(shown.edited_at, Some(NOW));
    }
}

#[tokio::test]
async fn somebody_elses_edit_and_deletion_change_nothing() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "hello").await;
    send(&alice, &mut bob, chat, 1).await;
    alice.is_told(message, 1).await;

    // Bob's app would not do this: his store is made to believe that the message is his.
    claim(&bob, message).await;
    bob.says_with(chat, edit(message, "I owe Bob money")).await;
    let edited = answer(&bob, &alice, chat, 2).await;
    bob.says_with(chat, Draft::of(Content::Delete(message))).await;
    let deleted = answer(&bob, &alice, chat, 3).await;

    assert_eq!((edited.changed, deleted.changed), (None, None));
    let [shown] = shown(&alice, chat).await.try_into().unwrap();
    assert_eq!((shown.text(), shown.edited_at), (Some("hello"), None));
}

#[tokio::test]
async fn a_deleted_message_leaves_a_place_and_none_of_its_words() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "the harbour at noon").await;
    send(&alice, &mut bob, chat, 1).await;
    alice.says_with(chat, edit(message, "the harbour at one")).await;
    send(&alice, &mut bob, chat, 2).await;
    bob.says_with(chat, react(message, "👍")).await;

    alice.says_with(chat, Draft::of(Content::Delete(message))).await;
    let outcome = send(&alice, &mut bob, chat, 3).await;

    assert_eq!(outcome.changed, Some(message));
    for person in [&alice, &bob] {
        let [shown] = shown(person, chat).await.try_into().unwrap();
        assert_eq!((&shown.content, shown.reactions.len()), (&Content::Deleted, 0));
        assert_eq!(found(person, "harbour").await, Vec::<String>::new());
        assert_eq!(words_indexed(person).await, 0);
    }
}

#[tokio::test]
async fn the_end_before_the_beginning_does_not_bring_the_words_back() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "never mind").await;
    let (_, first) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(message, 1).await;
    let end = alice.says_with(chat, Draft::of(Content::Delete(message))).await;
    let (_, second) = alice.seals(chat, &mut []).await;
    alice.is_told(end, 2).await;

    bob.opens(1, &second).await;
    let outcome = bob.opens(2, &first).await;

    assert!(outcome.message.is_none());
    let [shown] = shown(&bob, chat).await.try_into().unwrap();
    assert_eq!(shown.content, Content::Deleted);
}

#[tokio::test]
async fn what_was_never_sealed_is_taken_back_without_a_trace() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let kept = alice.says(chat, "kept").await;
    let hasty = alice.says(chat, "hasty").await;
    alice.seals(chat, &mut [&mut bob]).await;

    let cancel = |id| alice.write(move |tx, _, _| outbox::cancel(tx, chat, id, NOW));

    assert!(!cancel(kept).await, "its bytes may be on their way");
    assert!(cancel(hasty).await);
    assert!(!cancel(hasty).await);
    assert!(alice.has(hasty).await.is_none());
}

#[tokio::test]
async fn what_is_said_about_a_message_goes_with_it() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let timer = Timer::after_sent(Duration::from_secs(5));
    let brief = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
    send(&alice, &mut bob, chat, 1).await;
    let edit = alice.says_with(chat, edit(brief, "briefly")).await;
    send(&alice, &mut bob, chat, 2).await;
    assert_eq!(alice.has(edit).await.unwrap().expiry, Some(timer.to_expiry().unwrap()));

    let soon = later(Duration::from_secs(5));
    bob.write(move |tx, _, _| expiry::erase_due(tx, soon)).await;

    assert!(bob.has(brief).await.is_none());
    assert!(bob.has(edit).await.is_none());
    assert_eq!(words_indexed(&bob).await, 0);
}

#[tokio::test]
async fn an_annotation_of_another_conversation_changes_nothing() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let message = alice.says(chat, "here").await;
    send(&alice, &mut bob, chat, 1).await;
    let elsewhere =
        crate::stage::group(&[&bob, &alice], chat_core::membership::Policy::DEFAULT).await;

    let queued = bob.tries(elsewhere, react(message, "👍")).await;

    assert_eq!(queued.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn messages_are_found_by_what_they_say_now() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let first = alice.says(chat, "Straße nach Münster").await;
    send(&alice, &mut bob, chat, 1).await;
    alice.says(chat, "nothing of the kind").await;
    send(&alice, &mut bob, chat, 2).await;
    alice.says_with(chat, edit(first, "Straße nach Köln")).await;
    send(&alice, &mut bob, chat, 3).await;

    for person in [&alice, &bob] {
        assert_eq!(found(person, "munster").await, Vec::<String>::new());
        assert_eq!(found(person, "NACH kol").await, ["Straße nach Köln"]);
        assert_eq!(found(person, "no").await, ["nothing of the kind"]);
        assert_eq!(found(person, "\"*").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn others_messages_count_until_they_are_looked_at_and_mentions_by_themselves() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    alice.says(chat, "one").await;
    send(&alice, &mut bob, chat, 1).await;
    let call = Draft::text("@bob?").mentioning(bob.own.account());
    let call = alice.says_with(chat, call).await;
    send(&alice, &mut bob, chat, 2).await;
    alice.says_with(chat, react(call, "👋")).await;
    send(&alice, &mut bob, chat, 3).await;

    let before = unseen(&bob, chat).await;
    bob.write(move |tx, own, _| crate::receipts::seen(tx, own, chat, NOW)).await;

    assert_eq!((before.messages, before.mentions), (2, 1));
    assert_eq!(unseen(&bob, chat).await.messages, 0);
    assert_eq!(unseen(&alice, chat).await.messages, 0);
}

#[tokio::test]
async fn a_thread_is_its_first_message_and_what_was_said_in_it() {
    let (alice, _, chat) = alice_and_bob().await;
    let first = alice.says(chat, "lunch?").await;
    alice.says(chat, "something else").await;
    alice.says_with(chat, Draft::text("at one").in_thread(first).replying_to(first)).await;

    let page = Page::latest(10).in_thread(first);
    let rows = alice.write(move |tx, _, _| timeline::page(tx, chat, page, NOW)).await;

    assert_eq!(rows.len(), 2);
    let Content::Text(answer) = Content::read(&rows[1].kind, &rows[1].body) else { panic!() };
    assert_eq!((answer.reply_to, &*answer.text), (Some(first), "at one"));
}

fn edit(of: MessageId, text: &str) -> Draft {
    Draft::of(Content::Edit(Edit::new(of, text.to_owned().into())))
}

fn react(to: MessageId, emoji: &str) -> Draft {
    Draft::of(Content::Reaction(Reaction::new(to, emoji, true)))
}

/// Brings the oldest unsent message of `from` to `to`.
async fn send(
    from: &Person,
    to: &mut Person,
    chat: ConversationId,
    sequence: u64,
) -> crate::opening::Outcome {
    let (id, envelope) = from.seals(chat, &mut [to]).await;
    from.is_told(id, sequence).await;
    to.opens(sequence, &envelope).await
}

/// The same on a session that there is already.
async fn answer(
    from: &Person,
    to: &Person,
    chat: ConversationId,
    sequence: u64,
) -> crate::opening::Outcome {
    let (id, envelope) = from.seals(chat, &mut []).await;
    from.is_told(id, sequence).await;
    to.opens(sequence, &envelope).await
}

async fn claim(person: &Person, message: MessageId) {
    person
        .write(move |tx, own, _| {
            tx.execute(
                "UPDATE messages SET sender_account = ?2 WHERE id = ?1",
                [message.as_bytes(), own.account().as_bytes()],
            )?;
            Ok(())
        })
        .await;
}

async fn shown(person: &Person, chat: ConversationId) -> Vec<Message> {
    person
        .write(move |tx, _, _| {
            let rows = timeline::page(tx, chat, Page::latest(10), NOW)?;
            rows.into_iter().map(|row| Message::from_row(tx, row)).collect()
        })
        .await
}

async fn unseen(person: &Person, chat: ConversationId) -> crate::message::Unseen {
    person.write(move |tx, _, _| timeline::unseen(tx, chat, NOW)).await
}

async fn found(person: &Person, words: &'static str) -> Vec<String> {
    person
        .write(move |tx, _, _| {
            let rows = search::find(tx, words, None, 10, NOW)?;
            rows.into_iter()
                .map(|row| Ok(Message::from_row(tx, row)?.text().unwrap_or_default().to_owned()))
                .collect()
        })
        .await
}

/// How many words the search index knows, whatever it would find by them.
async fn words_indexed(person: &Person) -> i64 {
    person
        .write(|tx, _, _| {
            tx.execute_batch(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary
                 USING fts5vocab ('main', 'search', 'row')",
            )?;
            Ok(tx.query_row("SELECT count(*) FROM vocabulary", [], |row| row.get(0))?)
        })
        .await
}
