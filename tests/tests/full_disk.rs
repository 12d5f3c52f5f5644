//! A disk that is full to the last byte, and then no longer.
//!
//! ```text
//!  a file system of 48 MiB, in a mount namespace of the relay's own:   database │ ballast │ nothing
//! ```
//!
//! Linux makes such a file system for everybody who may have a user namespace. Where that is not
//! allowed this story cannot be told, and says so; that SQLite keeps its promises when it is full is
//! shown everywhere, in `crates/relay-server/src/storage/sqlite/tests.rs`.

#![allow(clippy::unwrap_used)]

use std::fs::{File, remove_file};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chat_sdk::Kind;

use crate::people::within;
use crate::process::RelayProgram;
use crate::streams::Streams;

/// More than the relay keeps free, by enough for a story.
const SIZE: &str = "48m";
/// Messages before and after.
const ACCEPTS: usize = 60;
/// What is on its way has arrived by then.
const SETTLE: Duration = Duration::from_millis(500);
/// How long somebody is watched who should do nothing.
const WATCHED: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_nothing_loses_nothing_and_is_forgotten_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={SIZE} none '{}'", folder.path().display());
    let may_mount = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).output();
    if !may_mount.is_ok_and(|tried| tried.status.success()) {
        eprintln!("not told: this machine allows no file system in a user namespace");
        return;
    }
    let mut program = RelayProgram::in_folder(folder.path());
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    program.wrapper = ["unshare", "-rm", "sh", "-c", &script].map(Into::into).into();
    let relay = program.start().await;
    let mut streams = Streams::open(&program.url()).await;
    streams.run_until_accepted(ACCEPTS).await;

    let inside = PathBuf::from(format!("/proc/{}/root", relay.id()));
    let ballast = inside.join(folder.path().strip_prefix("/").unwrap()).join("ballast");
    fill(&ballast);
    streams.run_for(SETTLE).await;
    let before = streams.accepted();
    streams.run_for(WATCHED).await;
    let sender = streams.sender().clone();
    let refused = within(sender.create_group("", &["receiver0"])).await.err();
    let accepted_meanwhile = streams.accepted() - before;
    remove_file(&ballast).unwrap();
    within(streams.run_until_accepted(ACCEPTS)).await;

    assert_eq!(accepted_meanwhile, 0, "accepted on a full disk");
    assert_eq!(refused.map(|error| error.kind()), Some(Kind::RelayFull));
    streams.finish().await;
    relay.kill().await;
    streams.check(0xD15C);
}

/// Writes until there is no room for a byte.
fn fill(path: &PathBuf) {
    let mut file = File::create(path).unwrap();
    for bytes in [1024 * 1024, 4096, 1] {
        let piece = vec![0; bytes];
        while file.write_all(&piece).is_ok() {}
    }
}
