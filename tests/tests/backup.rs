//! History is carried to a new device in a file, or by way of the relay, and nobody else can read or
//! change it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Cursor;
use std::time::Duration;

use chat_core::api::backup::BackupHead;
use chat_core::reject::{Reject, RejectCode};
use chat_sdk::backup::{BackupProgress, Restored};
use chat_sdk::transport::{Answer, Method, Request, Transport as _};
use chat_sdk::{Client, Content, Draft, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use tokio::sync::watch;

use crate::meddling::{Meddling, says};
use crate::people::{PASSWORD, another_device, builder, clock, people, texts, within};

const BACKUP: &str = "/v1/account/backup";

on_both_stands! {
    a_new_device_reads_what_was_said_before_it_came,
    what_vanishes_is_in_no_backup,
    a_file_that_was_changed_cut_or_made_by_somebody_else_is_refused,
    a_new_device_gets_its_history_from_the_relay,
    devices_that_back_up_at_once_write_each_message_once,
    what_was_deleted_does_not_come_back,
    an_older_backup_and_none_are_noticed,
    after_a_removal_the_backup_is_sealed_under_another_key,
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

async fn a_new_device_gets_its_history_from_the_relay(relay: &Stand) {
    let [phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = phone.client.direct("bob").await.unwrap();
    chat.send("do you remember").await.unwrap();
    within(phone.client.flush()).await.unwrap();
    let timer = Timer::after_sent(Duration::from_secs(3600));
    chat.send_with(Draft::text("gone soon").expiring(timer)).await.unwrap();
    within(phone.client.flush()).await.unwrap();

    let first = back_up(&phone.client).await.unwrap();
    let nothing_new = back_up(&phone.client).await.unwrap();
    // More than a segment holds, which is half a megabyte.
    let long = "x".repeat(60_000);
    for _ in 0..12 {
        chat.send(long.clone()).await.unwrap();
    }
    within(phone.client.flush()).await.unwrap();
    let second = back_up(&phone.client).await.unwrap();
    let laptop = another_device(relay, "alice").await;
    let (restored, progress) = restore(&laptop.client).await.unwrap();

    assert_eq!((first, nothing_new, second), (1, 0, 12));
    assert_eq!(restored, Restored { messages: 13, passed_over: 0 });
    assert_eq!((progress.done, progress.total), (3, 3));
    let at_laptop = laptop.only_conversation().await;
    assert_eq!(texts(&at_laptop).await.first().map(String::as_str), Some("do you remember"));
    let mut laptop = laptop;
    bob.message().await;
    bob.only_conversation().await.send("and it goes on").await.unwrap();
    assert_eq!(laptop.hears().await, ["and it goes on"]);
    assert_eq!(back_up(&laptop.client).await.unwrap(), 1);
}

async fn devices_that_back_up_at_once_write_each_message_once(relay: &Stand) {
    let [phone, _bob] = people(relay, ["alice", "bob"]).await;
    let laptop = another_device(relay, "alice").await;
    let mut laptop = laptop;
    let chat = phone.client.direct("bob").await.unwrap();
    for text in ["one", "two", "three"] {
        chat.send(text).await.unwrap();
    }
    assert_eq!(laptop.hears().await, ["one", "two", "three"]);
    within(phone.client.flush()).await.unwrap();

    let (by_phone, by_laptop) =
        within(async { tokio::join!(back_up(&phone.client), back_up(&laptop.client)) }).await;
    let tablet = another_device(relay, "alice").await;
    let (restored, _) = restore(&tablet.client).await.unwrap();

    assert_eq!(by_phone.unwrap() + by_laptop.unwrap(), 3);
    assert_eq!(restored, Restored { messages: 3, passed_over: 0 });
    assert_eq!(texts(&tablet.only_conversation().await).await, ["one", "two", "three"]);
}

async fn what_was_deleted_does_not_come_back(relay: &Stand) {
    let [phone, _bob] = people(relay, ["alice", "bob"]).await;
    let chat = phone.client.direct("bob").await.unwrap();
    let regretted = chat.send("regretted").await.unwrap();
    within(phone.client.flush()).await.unwrap();
    back_up(&phone.client).await.unwrap();
    chat.delete(regretted).await.unwrap();
    within(phone.client.flush()).await.unwrap();
    back_up(&phone.client).await.unwrap();

    let laptop = another_device(relay, "alice").await;
    restore(&laptop.client).await.unwrap();

    let shown = laptop.only_conversation().await.message(regretted).await.unwrap().unwrap();
    assert_eq!(shown.content, Content::Deleted);
    assert!(laptop.client.search("regretted", 10).await.unwrap().is_empty());
}

async fn an_older_backup_and_none_are_noticed(relay: &Stand) {
    let [_phone, _bob] = people(relay, ["alice", "bob"]).await;
    let line = Meddling::at(relay.node(0).url());
    let clock = clock();
    let laptop = builder(relay.node(0).url(), &clock).transport(line.clone()).in_memory();
    let laptop = laptop.login("alice", PASSWORD).await.unwrap();
    let chat = laptop.direct("bob").await.unwrap();
    let none = restore(&laptop).await.unwrap_err();
    chat.send("first").await.unwrap();
    within(laptop.flush()).await.unwrap();
    back_up(&laptop).await.unwrap();
    let older = served(&line, &laptop).await;
    chat.send("second").await.unwrap();
    within(laptop.flush()).await.unwrap();
    back_up(&laptop).await.unwrap();

    line.meddle(move |request| (request.path == BACKUP).then(|| says(&older)).flatten());
    let rolled_back = restore(&laptop).await.unwrap_err();
    line.meddle(|request| {
        let reject = Reject::from(RejectCode::NotFound);
        let body = serde_json::to_vec(&reject).unwrap().into();
        (request.path == BACKUP).then_some(Ok(Answer { status: 404, body }))
    });
    let gone = restore(&laptop).await.unwrap_err();
    line.stop();

    assert_eq!(none.code(), "not_found");
    assert_eq!(rolled_back.code(), "backup_invalid");
    assert_eq!(gone.code(), "backup_invalid");
    assert_eq!(restore(&laptop).await.unwrap().0.passed_over, 2);
}

async fn after_a_removal_the_backup_is_sealed_under_another_key(relay: &Stand) {
    let [phone, _bob] = people(relay, ["alice", "bob"]).await;
    let lost = another_device(relay, "alice").await;
    let chat = phone.client.direct("bob").await.unwrap();
    chat.send("kept").await.unwrap();
    within(phone.client.flush()).await.unwrap();
    back_up(&phone.client).await.unwrap();

    phone.client.remove_device(lost.client.device()).await.unwrap();
    let laptop = another_device(relay, "alice").await;
    let (restored, _) = restore(&laptop.client).await.unwrap();

    assert_eq!(restored.messages, 1, "a head under the key before would be refused");
    chat.send("and this").await.unwrap();
    within(phone.client.flush()).await.unwrap();
    assert_eq!(back_up(&phone.client).await.unwrap(), 1);
}

async fn back_up(client: &Client) -> chat_sdk::Result<u64> {
    let progress = watch::Sender::new(BackupProgress::default());
    let written = client.back_up(&progress).await?;
    assert_eq!(progress.borrow().done, progress.borrow().total);
    Ok(written)
}

async fn restore(client: &Client) -> chat_sdk::Result<(Restored, BackupProgress)> {
    let progress = watch::Sender::new(BackupProgress::default());
    let restored = client.restore_backup(&progress).await?;
    let told = *progress.borrow();
    Ok((restored, told))
}

/// The head of the backup, as the relay serves it now.
async fn served(line: &Meddling, client: &Client) -> BackupHead {
    let token = line.token_of(client).await;
    let request = Request { method: Method::Get, path: BACKUP.into(), body: None, token };
    serde_json::from_slice(&line.request(request).await.unwrap().body).unwrap()
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
