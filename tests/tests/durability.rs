//! `accepted` means durable, shown by what the relay asks of the kernel.
//!
//! ```text
//!  pwrite64(relay.db-wal, … the message's id …)      the row
//!  fdatasync(relay.db-wal) = 0                       begun after the row, and done
//!  sendto(socket, … accepted …)                      only now
//! ```
//!
//! Killing a relay does not show this: what was written and not flushed survives in the page
//! cache. So a relay runs under strace, with all bytes written out, and the trace is read for
//! every message: first its row, then a flush of the log, then the frame.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod trace;

use chat_core::id::MessageId;
use chat_sdk::{Client, Event, Status};

use crate::people::{CHEAP, PASSWORD, within};
use crate::process::RelayProgram;

const MESSAGES: usize = 200;

#[tokio::test]
async fn every_accept_comes_after_the_flush_of_its_message() {
    let strace = std::env::var_os("SEALWIRE_TEST_STRACE")
        .expect("SEALWIRE_TEST_STRACE names no strace; run the tests with `cargo xtask test`");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let mut program = RelayProgram::in_folder(folder.path());
    program.wrapper = [
        strace,
        "-D".into(), // the relay stays our own child
        "-f".into(),
        "-q".into(),
        "-yy".into(),
        "-xx".into(),
        "-s8192".into(),
        "-etrace=fdatasync,fsync,write,pwrite64,writev,pwritev,sendto,sendmsg".into(),
        "-o".into(),
        file.clone().into(),
    ]
    .into();

    let relay = program.start().await;
    let messages = say_one_at_a_time(&program.url()).await;
    relay.kill().await;

    let lines = within(whole(&file)).await;
    let accepts = trace::check(&lines, &messages).unwrap();
    assert_eq!(accepts, MESSAGES);
}

/// Sends messages, each after the accept of the one before, to somebody who is not there.
async fn say_one_at_a_time(url: &str) -> Vec<MessageId> {
    let register = async |name: &str| {
        let builder = Client::builder(url).in_memory().password_hardening(CHEAP);
        within(builder.register(name, PASSWORD)).await.unwrap().client
    };
    let bob = register("bob").await;
    within(bob.sync()).await.unwrap();
    bob.close().await.unwrap();
    let alice = register("alice").await;
    let mut events = alice.events();
    let chat = alice.direct("bob").await.unwrap();
    let mut messages = Vec::new();
    for number in 0..MESSAGES {
        let message = chat.send(number.to_string()).await.unwrap();
        within(async {
            loop {
                match events.next().await.unwrap() {
                    Event::Status { message: of, status: Status::Sent, .. } if of == message => {
                        break;
                    }
                    _ => {}
                }
            }
        })
        .await;
        messages.push(message);
    }
    messages
}

/// The trace, once strace has written of the relay's end.
async fn whole(file: &std::path::Path) -> String {
    let mut look_again = tokio::time::interval(std::time::Duration::from_millis(20));
    loop {
        look_again.tick().await;
        let text = tokio::fs::read_to_string(file).await.unwrap();
        if text.lines().next_back().is_some_and(|line| line.ends_with("+++ killed by SIGKILL +++"))
        {
            return text;
        }
    }
}
