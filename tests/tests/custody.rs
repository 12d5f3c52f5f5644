//! The store in its owner's hands: what is written out, and what is left when it is wiped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll};

use chat_sdk::backup::BackupProgress;
use chat_sdk::{Client, Draft, Kind, NewAttachment, Status, StoreKey, Timer};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use serde_json::Value;
use tokio::io::AsyncWrite;
use tokio::sync::watch;

use crate::people::{PASSWORD, builder, clock, people, with_file};

on_both_stands! {
    what_was_said_is_written_out_and_no_key_is,
    an_export_that_cannot_be_written_says_so,
    a_wiped_client_leaves_nothing_and_begins_anew,
}

async fn what_was_said_is_written_out_and_no_key_is(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let first = chat.send("shall we meat?").await.unwrap();
    let brief = Timer::after_sent(std::time::Duration::from_secs(3600));
    chat.send_with(Draft::text("this vanishes").expiring(brief)).await.unwrap();
    chat.edit(first, "shall we meet?").await.unwrap();
    bob.message().await;
    bob.message().await;
    let at_bob = bob.only_conversation().await;
    at_bob.react(first, "👍").await.unwrap();
    let reply = at_bob.reply(first, "at noon").await.unwrap();
    alice.message().await;
    let map = NewAttachment::named("map.pdf").captioned("the way there");
    let map = chat.send_attachment(map, &mut Cursor::new(b"some bytes")).await.unwrap();
    alice.reaches(map, Status::Sent).await;

    let (lines, done) = exported(&alice.client).await;

    let account = &lines[0];
    assert_eq!((&account["is"], &account["username"]), (&"account".into(), &"alice".into()));
    let conversation = of(&lines, "conversation");
    assert_eq!(conversation[0]["kind"], "direct");
    assert_eq!(conversation[0]["members"].as_array().unwrap().len(), 2);
    let messages = of(&lines, "message");
    let texts: Vec<_> = messages.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["shall we meet?", "at noon", "the way there"]);
    assert_eq!(messages[0]["reactions"][0]["emoji"], "👍");
    assert_eq!(messages[1]["reply_to"], first.to_string());
    assert_eq!(messages[1]["message"], reply.to_string());
    assert_eq!(messages[1]["sender"]["username"], "bob");
    assert_eq!(messages[2]["file"]["name"], "map.pdf");
    assert_eq!(messages[2]["file"]["bytes"], 10);
    assert_eq!(done, 3);
    assert!(lines.iter().all(|line| !line.to_string().contains("vanishes")));
}

async fn an_export_that_cannot_be_written_says_so(relay: &Stand) {
    let [alice, _bob] = people(relay, ["alice", "bob"]).await;
    alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    let (progress, _) = watch::channel(BackupProgress::default());

    let refused = alice.client.export_plain(&mut FullDisk, &progress).await;

    assert_eq!(refused.unwrap_err().kind(), Kind::SinkFailed);
    assert!(alice.client.check_store().await.unwrap().is_whole());
}

async fn a_wiped_client_leaves_nothing_and_begins_anew(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let [mut bob] = people(relay, ["bob"]).await;
    let mut alice = with_file(relay, "alice", &path).await;
    let message = alice.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    alice.reaches(message, Status::Sent).await;
    bob.message().await;
    assert!(alice.client.check_store().await.unwrap().is_whole());

    alice.client.wipe().await.unwrap();
    alice.client.wipe().await.unwrap();

    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let again =
        || builder(relay.node(1).url(), &clock()).store(&path, StoreKey::from_bytes([8; 32]));
    assert_eq!(again().open().await.err().unwrap().kind(), Kind::StoreEmpty);
    let alice = again().login("alice", PASSWORD).await.unwrap();
    assert!(alice.check_store().await.unwrap().is_whole());
}

/// Every line that an export has, read as JSON, and how many messages it says there are.
async fn exported(client: &Client) -> (Vec<Value>, u64) {
    let (progress, heard) = watch::channel(BackupProgress::default());
    let mut bytes = Vec::new();
    let done = client.export_plain(&mut bytes, &progress).await.unwrap();
    assert_eq!(heard.borrow().done, heard.borrow().total);
    let text = String::from_utf8(bytes).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), done)
}

fn of<'a>(lines: &'a [Value], is: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["is"] == is).collect()
}

struct FullDisk;

impl AsyncWrite for FullDisk {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Err(std::io::ErrorKind::StorageFull.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
