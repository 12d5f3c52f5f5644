//! History is carried to a new device in a file that nobody else can read or change.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Cursor;
use std::time::Duration;

use chat_sdk::backup::{BackupProgress, Restored};
use chat_sdk::{Client, Draft, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::Stand;
use tokio::sync::watch;

use crate::people::{another_device, people, texts, within};

on_both_stands! {
    a_new_device_reads_what_was_said_before_it_came,
    what_vanishes_is_in_no_backup,
    a_file_that_was_changed_cut_or_made_by_somebody_else_is_refused,
}

async fn a_new_device_reads_what_was_said_before_it_came(relay: &Stand) {
    let [mut phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_phone = phone.client.direct("bob").await.unwrap();
    let question = at_phone.send("do you remember").await.unwrap();
    assert_eq!(bob.hears().await, ["do you remember"]);
    let at_bob = bob.only_conversation().await;
    at_bob.react(question, "👍").await.unwrap();
    at_bob.send("this").await.unwrap();
    assert_eq!(phone.message().await.text(), Some("this"));
    within(phone.client.flush()).await.unwrap();
    let (file, written) = export(&phone.client).await;

    let laptop = another_device(relay, "alice").await;
    let at_laptop = laptop.only_conversation().await;
    assert_eq!(texts(&at_laptop).await, [""; 0]);
    let restored = import(&laptop.client, &file).await.unwrap();
    let again = import(&laptop.client, &file).await.unwrap();

    assert_eq!(written, 3);
    assert_eq!(restored, Restored { messages: 3, passed_over: 0 });
    assert_eq!(again, Restored { messages: 0, passed_over: 3 });
    assert_eq!(texts(&at_laptop).await, ["do you remember", "this"]);
    let question = at_laptop.message(question).await.unwrap().unwrap();
    assert_eq!(question.reactions.len(), 1);
    assert_eq!(laptop.client.search("remember", 10).await.unwrap().len(), 1);
    assert_eq!(at_laptop.unseen().await.unwrap().messages, 0);
    bob.only_conversation().await.send("and it goes on").await.unwrap();
    let mut laptop = laptop;
    assert_eq!(laptop.hears().await, ["and it goes on"]);
}

async fn what_vanishes_is_in_no_backup(relay: &Stand) {
    let [phone, _bob] = people(relay, ["alice", "bob"]).await;
    let chat = phone.client.direct("bob").await.unwrap();
    let timer = Timer::after_sent(Duration::from_secs(3600));
    chat.send_with(Draft::text("gone soon").expiring(timer)).await.unwrap();
    chat.send("stays").await.unwrap();
    within(phone.client.flush()).await.unwrap();

    let (file, written) = export(&phone.client).await;
    let laptop = another_device(relay, "alice").await;
    import(&laptop.client, &file).await.unwrap();

    assert_eq!(written, 1);
    assert_eq!(texts(&laptop.only_conversation().await).await, ["stays"]);
}

async fn a_file_that_was_changed_cut_or_made_by_somebody_else_is_refused(relay: &Stand) {
    let [phone, bob] = people(relay, ["alice", "bob"]).await;
    let chat = phone.client.direct("bob").await.unwrap();
    chat.send("authentic").await.unwrap();
    within(phone.client.flush()).await.unwrap();
    let (file, _) = export(&phone.client).await;
    let laptop = another_device(relay, "alice").await;

    let mut flipped = file.clone();
    flipped[100] ^= 1;
    let mut promised = file.clone();
    promised[18..22].copy_from_slice(&u32::MAX.to_be_bytes());
    let cut = file[..file.len() - 1].to_vec();
    let (bobs, _) = export(&bob.client).await;

    for wrong in [flipped, promised, cut, bobs, b"sealwire-backup/1\n".to_vec(), vec![]] {
        let refused = import(&laptop.client, &wrong).await;
        assert_eq!(refused.unwrap_err().code(), "backup_invalid");
    }
    assert_eq!(texts(&laptop.only_conversation().await).await, [""; 0]);
}

async fn export(client: &Client) -> (Vec<u8>, u64) {
    let mut file = Vec::new();
    let progress = watch::Sender::new(BackupProgress::default());
    let written = client.export_history(&mut file, &progress).await.unwrap();
    assert_eq!(progress.borrow().done, progress.borrow().total);
    (file, written)
}

async fn import(client: &Client, file: &[u8]) -> chat_sdk::Result<Restored> {
    let progress = watch::Sender::new(BackupProgress::default());
    client.import_history(&mut Cursor::new(file), &progress).await
}
