//! The program itself, as somebody would start it.

use std::process::Stdio;

use chat_core::api::info::Health;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::people::Rest;

#[tokio::test]
async fn a_half_wrong_configuration_is_refused_naming_everything() {
    let output = program()
        .args(["serve", "--listen", "7300", "--redis", "redis://127.0.0.1", "--origin", "relay"])
        .env("SEALWIRE_MESSAGES_A_MINUTE", "many")
        .output()
        .await
        .unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    for named in ["`listen`", "`redis`", "`origin`", "`limits.messages_a_minute`"] {
        assert!(said.contains(named), "{named} is missing in: {said}");
    }
}

#[tokio::test]
async fn the_configuration_can_be_checked_and_printed_without_running() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:7301\"\n[limits]\nmessages_a_minute = 7\n")
        .unwrap();
    let run = async |verb: &str| {
        let output = program().args(["config", verb, "--config"]).arg(&file).output().await;
        let output = output.unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };

    assert!(run("check").await.contains("can be used"));
    let printed = run("print").await;
    assert!(printed.contains("listen = \"127.0.0.1:7301\""));
    assert!(printed.contains("messages_a_minute = 7"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was made");
}

#[cfg(unix)]
#[tokio::test]
async fn without_a_file_it_serves_says_where_and_leaves_when_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let mut relay = program()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();

    let url = said(&mut relay, "clients use ").await;
    let health: Health = Rest::at_url(&url).call("GET", "/readyz", None, None).await.unwrap();

    assert_eq!(health.status, "ok");
    let data = folder.path().join("sealwire-data");
    for (path, mode) in [(data.clone(), 0o700), (data.join("relay.db"), 0o600)] {
        let permissions = std::fs::metadata(&path).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
    }
    let process = relay.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
    assert!(relay.wait().await.unwrap().success());
}

pub fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_relay-server"));
    for (name, _) in std::env::vars() {
        if name.starts_with("SEALWIRE_") {
            program.env_remove(name);
        }
    }
    program
}

/// What follows `words` in the program's output.
pub async fn said(relay: &mut Child, words: &str) -> String {
    let mut lines = BufReader::new(relay.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the relay has ended");
        if let Some((_, rest)) = line.split_once(words) {
            return rest.trim().to_owned();
        }
    }
}
