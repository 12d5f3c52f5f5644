//! The examples do what they say: each is run as a user runs it.

#![allow(clippy::unwrap_used)]

use std::process::{Output, Stdio};
use std::time::Duration;

use chat_sdk::{Client, Event, ReportReason};
use relay_server::operator::reports;
use relay_server::testing::TestRelay;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than any of them takes; one that gets here has failed.
const AT_MOST: Duration = Duration::from_secs(60);

#[tokio::test]
async fn quickstart_says_what_was_read() {
    let output = run(env!("CARGO_BIN_EXE_quickstart")).await;

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("alice: Shall we meet?"), "{said}");
    assert!(said.contains("alice: Only the two of us can read this."), "{said}");
}

#[tokio::test]
async fn group_admin_shows_who_decides() {
    let output = run(env!("CARGO_BIN_EXE_group_admin")).await;

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("bob    Admin"), "{said}");
    assert!(said.contains("Carol posts: This account is not allowed to do this."), "{said}");
    let at_last = said.split("Bob removed Carol.").nth(1).unwrap();
    assert!(at_last.contains("the two of us") && !at_last.contains("carol"), "{said}");
}

#[tokio::test]
async fn attachments_saves_what_was_sent_after_a_pause() {
    let output = run(env!("CARGO_BIN_EXE_attachments")).await;

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let paused = said.find("Paused at ").unwrap();
    assert!(!said.contains("Paused at 100 %") && paused < said.find("Sent, 100 %").unwrap());
    assert!(said.contains("Fetched, 100 % of 5000000 bytes"), "{said}");
    assert!(said.contains("Bob saved film.mp4, the same: true"), "{said}");
    assert!(said.contains("Bob forwarded it"), "{said}");
}

#[tokio::test]
async fn link_device_shows_the_same_emoji_on_both_and_reads_on() {
    let output = run(env!("CARGO_BIN_EXE_link_device")).await;

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let emoji = |device: &str| {
        let line = said.lines().filter_map(|line| line.strip_prefix(device)).next_back();
        line.unwrap().trim().to_owned()
    };
    assert_eq!(emoji("The phone shows"), emoji("The laptop shows"));
    assert!(said.contains("The laptop took over 1 message"), "{said}");
    assert!(said.contains("The laptop reads: For all of your devices"), "{said}");
}

#[tokio::test]
async fn a_bot_says_back_what_it_hears_and_remembers_who_it_is() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("bot.store");
    let builder = Client::builder(relay.url()).in_memory();
    let alice = builder.register("alice", "correct horse battery staple").await.unwrap().client;
    let mut events = alice.events();

    for word in ["hello", "still there?"] {
        let mut bot = Command::new(env!("CARGO_BIN_EXE_bot"))
            .args(["--relay", relay.url(), "--password", "the bot's own secret", "--store"])
            .arg(&store)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(bot.stdout.take().unwrap()).lines();
        let first = timeout(AT_MOST, said.next_line()).await.unwrap().unwrap();
        assert_eq!(first.as_deref(), Some("echo listens"));

        alice.direct("echo").await.unwrap().send(word).await.unwrap();

        let answer = async {
            loop {
                if let Some(Event::Message(message)) = events.next().await {
                    return message.text().map(str::to_owned);
                }
            }
        };
        assert_eq!(timeout(AT_MOST, answer).await.unwrap().as_deref(), Some(word));
        bot.kill().await.unwrap();
    }
}

#[tokio::test]
async fn read_report_shows_what_was_said() {
    let relay = TestRelay::start().await;
    let register = async |name: &str| {
        let builder = Client::builder(relay.url()).in_memory();
        builder.register(name, "correct horse battery staple").await.unwrap().client
    };
    let (alice, bob) = (register("alice").await, register("bob").await);
    let mut events = bob.events();
    alice.direct("bob").await.unwrap().send("Pay at once, or else.").await.unwrap();
    let heard = async {
        loop {
            if let Some(Event::Message(message)) = events.next().await {
                return message;
            }
        }
    };
    let message = timeout(AT_MOST, heard).await.unwrap();
    let chat = bob.conversation(message.conversation).await.unwrap();
    let transcript = chat.report([message.id], ReportReason::Fraud).await.unwrap();
    let filed = transcript.saying("Who is this?").unwrap().send().await.unwrap();
    let kept = reports::show(relay.storage(), filed.report).await.unwrap();

    let mut reader = Command::new(env!("CARGO_BIN_EXE_read_report"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let json = serde_json::to_vec(&kept).unwrap();
    reader.stdin.take().unwrap().write_all(&json).await.unwrap();
    let output = timeout(AT_MOST, reader.wait_with_output()).await.unwrap().unwrap();

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("said \"Pay at once, or else.\""), "{said}");
    assert!(said.contains(&alice.account().to_string()), "{said}");
    assert!(said.contains("The reporter says: \"Who is this?\""), "{said}");
}

async fn run(program: &str) -> Output {
    let mut command = Command::new(program);
    timeout(AT_MOST, command.kill_on_drop(true).output()).await.unwrap().unwrap()
}
