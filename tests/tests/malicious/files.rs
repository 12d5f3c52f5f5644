//! Lies about what is kept at the relay for later: files, and the account's keyring.

use std::io::Cursor;

use chat_core::api::account::Keyring;
use chat_core::id::BlobId;
use chat_sdk::content::Attachment;
use chat_sdk::transport::Method;
use chat_sdk::{Content, NewAttachment};

use super::*;

/// Two parts of a download, and not a multiple of anything.
const LONG: usize = 700_001;

#[tokio::test]
async fn another_blob_is_not_authentic_and_nothing_of_it_is_written() {
    let (_relay, liar) = liar().await;
    let (_alice, bob, files) = bob_is_sent_two_files(&liar).await;
    let (wanted, other) = (path(&files[0]), path(&files[1]));
    liar.leads_astray("bob", move |asked| (asked.path == wanted).then(|| other.clone()));

    let mut saved = Vec::new();
    let whole = download(&bob, &files[0], &mut saved).await;
    let part = bob.client.read_attachment(&files[0], 10..20).await;

    assert_eq!(whole.unwrap_err().code(), "attachment_not_authentic");
    assert_eq!(part.unwrap_err().code(), "attachment_not_authentic");
    assert!(saved.is_empty());

    liar.tell_the_truth();
    download(&bob, &files[0], &mut saved).await.unwrap();
    assert!(saved == contents(0));
}

#[tokio::test]
async fn a_blob_that_goes_on_as_another_stops_where_it_does_and_goes_on_from_there() {
    let (_relay, liar) = liar().await;
    let (_alice, bob, files) = bob_is_sent_two_files(&liar).await;
    let (wanted, other) = (path(&files[0]), path(&files[1]));
    liar.leads_astray("bob", move |asked| {
        let is_later = matches!(asked.method, Method::GetPart { first, .. } if first > 0);
        (is_later && asked.path == wanted).then(|| other.clone())
    });

    let mut saved = Vec::new();
    let mut download = bob.client.download(&files[0]).unwrap();
    let refused = within(download.write_to(&mut saved)).await;
    let (place, snapshot) = download.to_snapshot();

    assert_eq!(refused.unwrap_err().code(), "attachment_not_authentic");
    assert_eq!(download.position(), saved.len() as u64);
    assert!(!saved.is_empty() && saved.len() < LONG && contents(0).starts_with(&saved));

    liar.tell_the_truth();
    saved.truncate(usize::try_from(place).unwrap());
    let mut resumed = bob.client.resume_download(&files[0], &snapshot).unwrap();
    within(resumed.write_to(&mut saved)).await.unwrap();
    assert!(saved == contents(0));
}

#[tokio::test]
async fn a_blob_that_is_said_to_be_gone_is_told_as_that_and_may_come_back() {
    let (_relay, liar) = liar().await;
    let (_alice, bob, files) = bob_is_sent_two_files(&liar).await;
    let wanted = path(&files[0]);
    let nowhere = format!("/v1/blobs/{}", BlobId::from_bytes([7; 16]));
    liar.leads_astray("bob", move |asked| (asked.path == wanted).then(|| nowhere.clone()));

    let mut saved = Vec::new();
    let gone = download(&bob, &files[0], &mut saved).await;

    assert_eq!(gone.unwrap_err().code(), "not_found");
    assert!(saved.is_empty());

    liar.tell_the_truth();
    download(&bob, &files[0], &mut saved).await.unwrap();
    assert!(saved == contents(0));
}

#[tokio::test]
async fn an_older_keyring_is_refused_by_a_device_that_knows_a_newer_one() {
    let (_relay, liar) = liar().await;
    let [alice] = join(&liar, ["alice"]).await;
    assert_eq!(alice.client.rotate_keys().await.unwrap(), 2);
    let older: Keyring = liar.answered("alice", "/v1/account/keyring");
    liar.rewrites("alice", "/v1/account/keyring", move |_: Keyring| older.clone());

    let refused = alice.client.rotate_keys().await;

    assert_eq!(refused.unwrap_err().code(), "keyring_invalid");

    liar.tell_the_truth();
    assert_eq!(alice.client.rotate_keys().await.unwrap(), 3);
}

/// Two files of the same length, by the same person, and as Bob was told of them.
async fn bob_is_sent_two_files(liar: &MaliciousRelay) -> (Person, Person, [Attachment; 2]) {
    let [alice, mut bob] = join(liar, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let mut files = Vec::new();
    for number in 0..2 {
        let mut file = Cursor::new(contents(number));
        chat.send_attachment(NewAttachment::unnamed(), &mut file).await.unwrap();
        let heard = bob.message().await;
        let Content::Attachment(attachment) = heard.content else { panic!("no file") };
        files.push(attachment);
    }
    (alice, bob, files.try_into().unwrap())
}

async fn download(
    person: &Person,
    attachment: &Attachment,
    saved: &mut Vec<u8>,
) -> chat_sdk::Result<()> {
    within(person.client.download(attachment)?.write_to(saved)).await
}

fn contents(number: u8) -> Vec<u8> {
    (number..251).cycle().step_by(31).take(LONG).collect()
}

fn path(attachment: &Attachment) -> String {
    format!("/v1/blobs/{}", attachment.file.as_ref().unwrap().blob())
}
