use std::time::Duration;

use chat_core::api::reports::{Evidence, Report, ReportedMessage};
use chat_core::envelope::Envelope;
use chat_core::membership::Policy;

use super::*;
use crate::message::{Draft, Timer};
use crate::stage::{NOW, Person, alice_and_bob, file, group, later};
use crate::store::{Place, tombstones};

#[tokio::test]
async fn a_secret_is_here_as_long_as_the_words() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let timer = Timer::after_sent(Duration::from_secs(5));
    let kept = alice.says_with(chat, Draft::text("brief").expiring(timer)).await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;

    let before = knows(&bob, kept).await;
    bob.write(move |tx, _, _| {
        let reason = tombstones::Gone::Expired;
        tombstones::bury(tx, chat, kept, Some(1), reason, later(Duration::from_secs(5)))
    })
    .await;

    assert!(before && !knows(&bob, kept).await);
}

#[tokio::test]
async fn a_deleted_message_leaves_nothing_to_disclose_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let alice = Person::new("alice", 1, Place::Memory).await;
    let mut bob = Person::new("bob", 2, file(&path)).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    let id = alice.says(chat, "hasty").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;

    let before = knows(&bob, id).await;
    bob.write(move |tx, _, _| annotations::erase(tx, id, NOW)).await;

    assert!(before && !knows(&bob, id).await);
    let chosen = bob.store.read(move |tx| Chosen::read(tx, chat, &[id])).await;
    assert_eq!(chosen.err().unwrap().kind(), Kind::NotFound);
}

#[tokio::test]
async fn what_has_no_secret_here_is_named_and_not_disclosed() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let (one, two) = (alice.says(chat, "one").await, alice.says(chat, "two").await);
    for (place, id) in [(1, one), (2, two)] {
        let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
        alice.is_told(id, place).await;
        bob.opens(place, &envelope).await;
    }
    bob.write(move |tx, _, _| {
        tx.execute("DELETE FROM disclosures WHERE message = ?1", [one.as_bytes()])?;
        Ok(())
    })
    .await;

    let chosen = bob.store.read(move |tx| Chosen::read(tx, chat, &[one, two])).await.unwrap();

    assert_eq!(chosen.missing, [one]);
    assert_eq!(chosen.lines.iter().map(|line| line.message).collect::<Vec<_>>(), [two]);
}

#[tokio::test]
async fn a_message_of_another_conversation_or_not_sent_yet_is_not_there() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let queued = alice.says(chat, "queued").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;
    let other = ConversationId::from_bytes([9; 16]);

    for (person, conversation) in [(&alice, chat), (&bob, other)] {
        let chosen = person.store.read(move |tx| Chosen::read(tx, conversation, &[queued])).await;

        assert_eq!(chosen.err().unwrap().kind(), Kind::NotFound);
    }
}

#[tokio::test]
async fn a_report_shows_what_was_said_and_what_was_tampered_with() {
    let (alice, mut bob, chat) = alice_and_bob().await;
    let id = alice.says(chat, "I will find you").await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    bob.opens(1, &envelope).await;
    let secret = bob.write(move |tx, _, _| disclosures::secret(tx, id)).await.unwrap();
    let honest = reported(&alice, id, &envelope, &secret);
    let mut anothers = honest.clone();
    anothers.sender = bob.own.address;
    let mut other_secret = honest.clone();
    if let Some(evidence) = &mut other_secret.evidence {
        evidence.secret = Bytes::new(vec![1; 32]).unwrap();
    }
    let gone = ReportedMessage { evidence: None, ..honest.clone() };

    let findings = [honest, anothers, other_secret, gone].map(|message| {
        let json = serde_json::to_string(&filed(&bob, chat, message)).unwrap();
        let [message] = opened(&json).unwrap().messages.try_into().unwrap();
        message.finding
    });

    let [said, anothers, other_secret, gone] = findings;
    let Finding::Said { content, sent_at } = said else { panic!("{said:?}") };
    assert_eq!((content.text(), sent_at), (Some("I will find you"), NOW));
    assert_eq!((anothers, other_secret), (Finding::NotAuthentic, Finding::NotAuthentic));
    assert_eq!(gone, Finding::Gone);
}

#[test]
fn what_is_no_report_is_refused() {
    for text in ["", "{}", "[]", "{\"report\":1}"] {
        assert_eq!(opened(text).unwrap_err().kind(), Kind::ArgumentInvalid);
    }
}

async fn knows(person: &Person, message: MessageId) -> bool {
    person.write(move |tx, _, _| disclosures::secret(tx, message)).await.is_some()
}

fn reported(
    alice: &Person,
    message: MessageId,
    envelope: &Envelope,
    secret: &MessageSecret,
) -> ReportedMessage {
    ReportedMessage {
        message,
        sequence: 1,
        sender: alice.own.address,
        accepted_at: NOW,
        evidence: Some(Evidence {
            header: envelope.header.clone(),
            commitment: envelope.commitment,
            payload: envelope.payload.clone(),
            secret: Bytes::new(secret.as_bytes().to_vec()).unwrap(),
        }),
    }
}

fn filed(bob: &Person, conversation: ConversationId, message: ReportedMessage) -> Report {
    Report {
        report: ReportId::from_bytes([3; 16]),
        conversation,
        reporter: bob.own.address,
        reason: ReportReason::Violence,
        comment: None,
        filed_at: NOW,
        closed_at: None,
        note: None,
        messages: List::new(vec![message]).unwrap(),
    }
}
