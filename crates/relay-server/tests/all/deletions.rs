//! Deleting for everybody: who may, what is left, and who hears of it.

use chat_core::api::conversations::{DeleteMessage, MessagePage};
use chat_core::deletion::SignedDeletion;
use chat_core::frame::RelayFrame;
use chat_core::id::{ConversationId, MessageId};
use chat_core::membership::{Allowed, Change, Policy};
use chat_core::reject::{Reject, RejectCode};
use relay_server::testing::TestRelay;

use crate::conversations::three;
use crate::people::Person;
use crate::socket::Socket;

#[tokio::test]
async fn a_deleted_message_is_gone_from_the_relay_and_readers_hear_by_whose_word() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    let message = alice.message(&chat, &[&bob]);
    alices.send_message(&message.seal()).await.unwrap();
    bobs.delivery().await;
    let id = message.header.message;

    let deletion = alice.device.deletion(chat.id(), id);
    delete(&alice, chat.id(), &deletion).await.unwrap();

    assert_eq!(deleted(&mut bobs).await, (1, id, Some(deletion.clone())));
    assert_eq!(deleted(&mut alices).await, (1, id, Some(deletion.clone())));
    let path = format!("/v1/conversations/{}/messages?after=0", chat.id());
    let page: MessagePage = bob.get(&path).await.unwrap();
    assert_eq!(page.messages[0].envelope, None);
    assert_eq!(page.messages[0].deletion, Some(deletion));
    let found = std::fs::read_dir(relay.folder()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(message.payload.len()).any(|window| window == message.payload)
    });
    assert!(!found, "the payload is still in the folder");
}

#[tokio::test]
async fn who_was_away_hears_of_the_deletion_instead_of_the_message() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let message = alice.message(&chat, &[&bob]);
    alices.send_message(&message.seal()).await.unwrap();
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();

    let deletion = alice.device.deletion(chat.id(), message.header.message);
    delete(&alice, chat.id(), &deletion).await.unwrap();
    let mut bobs = bob.connect().await;

    assert_eq!(deleted(&mut bobs).await, (1, message.header.message, Some(deletion)));
    assert_eq!(bobs.until_caught_up().await, [2]);
}

#[tokio::test]
async fn a_deletion_may_be_repeated_and_may_be_of_what_is_not_there() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let message = alice.message(&chat, &[&bob]);
    alice.connect_idle().await.send_message(&message.seal()).await.unwrap();

    for id in [message.header.message, message.header.message, MessageId::from_bytes([9; 16])] {
        let deletion = alice.device.deletion(chat.id(), id);
        assert_eq!(delete(&alice, chat.id(), &deletion).await, Ok(()));
    }
}

#[tokio::test]
async fn nobody_deletes_what_is_not_theirs() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let other = alice.group(&[&bob]).await;
    let message = alice.message(&chat, &[&bob]);
    alice.connect_idle().await.send_message(&message.seal()).await.unwrap();
    let id = message.header.message;
    let of = |person: &Person, chat| person.device.deletion(chat, id);
    let forged = SignedDeletion { signer: bob.device.address, ..of(&alice, chat.id()) };

    for (by, deletion, code) in [
        (&bob, of(&bob, chat.id()), RejectCode::Forbidden),
        (&bob, of(&alice, chat.id()), RejectCode::NotVerified),
        (&bob, forged, RejectCode::NotVerified),
        (&alice, of(&alice, other.id()), RejectCode::NotVerified),
        (&carol, of(&carol, chat.id()), RejectCode::NotAMember),
    ] {
        assert_eq!(delete(by, chat.id(), &deletion).await.unwrap_err().code, code);
    }
    let path = format!("/v1/conversations/{}/messages?after=0", chat.id());
    let page: MessagePage = bob.get(&path).await.unwrap();
    assert!(page.messages[0].envelope.is_some());
}

#[tokio::test]
async fn an_admin_deletes_what_others_said_where_the_policy_lets() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let message = bob.message(&group, &[&alice]);
    bob.connect_idle().await.send_message(&message.seal()).await.unwrap();
    let deletion = alice.device.deletion(group.id(), message.header.message);

    let strict = delete(&alice, group.id(), &deletion).await.unwrap_err();
    let policy = Policy { delete: Some(Allowed::Admins), ..group.policy() };
    alice.change(&mut group, Change::SetPolicy { policy }).await.unwrap();
    let moderated = delete(&alice, group.id(), &deletion).await;

    assert_eq!(strict.code, RejectCode::Forbidden);
    assert_eq!(moderated, Ok(()));
}

async fn delete(
    by: &Person,
    conversation: ConversationId,
    deletion: &SignedDeletion,
) -> Result<(), Reject> {
    let body = DeleteMessage { deletion: deletion.clone() };
    by.post(&format!("/v1/conversations/{conversation}/deletions"), &body).await
}

async fn deleted(socket: &mut Socket) -> (u64, MessageId, Option<SignedDeletion>) {
    socket
        .wait_for(|frame| match frame {
            RelayFrame::Deleted { sequence, message, deletion, .. } => {
                Some((sequence, message, deletion))
            }
            _ => None,
        })
        .await
}
