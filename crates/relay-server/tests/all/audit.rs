//! The audit log: what stands in it after a life with a relay, and what never does.

use std::path::Path;

use chat_core::api::auth::{Refresh, Tokens};
use chat_core::membership::Change;
use relay_server::audit::{AuditRecord, Outcome, verify};
use relay_server::config::Rates;
use relay_server::storage::Storage as _;
use relay_server::storage::sqlite::Store;
use relay_server::testing::TestRelay;
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tempfile::TempDir;

use crate::cli::program;
use crate::conversations::three;
use crate::people::{Person, Rest};

#[tokio::test]
async fn what_matters_is_noted_and_secrets_are_not() {
    let rates = Rates { messages_a_minute: 1, ..Rates::GENEROUS };
    let relay = TestRelay::builder().rates(rates).start().await;
    let [alice, bob, carol] = three(&relay).await;
    let rest = Rest::at(&relay);
    let address = alice.device.address.to_string();

    Person::log_in(&rest, "alice", b"wrong").await.unwrap_err();
    Person::log_in(&rest, "nobody", b"wrong").await.unwrap_err();
    alice.log_in_by_device(relay.url()).await.unwrap();
    alice.log_in_by_device("https://another.example").await.unwrap_err();
    let laptop = alice.with_another_device().await;
    let mut group = bob.group(&[&carol]).await;
    bob.change(&mut group, Change::Remove { account: carol.account }).await.unwrap();
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    for _ in 0..5 {
        let _ = alices.send_message(&alice.message(&chat, &[&bob, &laptop]).seal()).await;
    }
    let request = Refresh { refresh: carol.tokens.refresh.clone(), signature: None };
    let _: Tokens = carol.rest.post("/v1/auth/refresh", None, &request).await.unwrap();
    carol.rest.post::<Tokens>("/v1/auth/refresh", None, &request).await.unwrap_err();
    alice.rest.raw("POST", "/v1/auth/logout", Some(&alice.tokens.access), None).await;
    relay.relay().flush_audit().await;

    let (records, bytes) = read(relay.folder()).await;
    let noted = |event: &str, outcome: Outcome| -> Vec<&AuditRecord> {
        records.iter().filter(|one| one.event == event && one.outcome == outcome).collect()
    };
    assert_eq!(noted("started", Outcome::Done).len(), 1);
    assert_eq!(noted("account_created", Outcome::Done).len(), 3);
    let passwords = noted("password_login", Outcome::Refused);
    let details: Vec<_> = passwords.iter().filter_map(|one| one.detail.as_deref()).collect();
    assert_eq!(details, ["wrong password", "unknown name"]);
    assert_eq!(passwords[0].target, Some(alice.account.to_string()));
    assert_eq!(passwords[0].network.as_deref(), Some("127.0.0.0/24"));
    assert_eq!(noted("password_login", Outcome::Done).len(), 1, "for the second device");
    assert_eq!(noted("device_login", Outcome::Done)[0].actor.as_ref(), Some(&address));
    assert_eq!(noted("device_login", Outcome::Refused)[0].target.as_ref(), Some(&address));
    let added = noted("device_added", Outcome::Done);
    assert_eq!(added[0].target, Some(laptop.device.address.to_string()));
    assert_eq!(noted("conversation_created", Outcome::Done).len(), 2);
    let changed = noted("membership_changed", Outcome::Done);
    assert_eq!(changed[0].detail, Some(format!("remove {}", carol.account)));
    let limited = noted("limit_exceeded", Outcome::Refused);
    assert_eq!(limited.len(), 1, "once, however often");
    assert_eq!(limited[0].detail.as_deref(), Some("message"));
    assert_eq!(noted("token_replayed", Outcome::Refused).len(), 1);
    assert_eq!(noted("logged_out", Outcome::Done)[0].actor.as_ref(), Some(&address));
    for secret in ["alice", "nobody", &alice.tokens.refresh, &alice.tokens.access, "127.0.0.1"] {
        assert!(!contains(&bytes, secret.as_bytes()), "{secret}");
    }
    assert!(relay.relay().metrics().contains("sealwire_audit_lost_total 0\n"));
}

#[tokio::test]
async fn the_end_is_noted_and_the_next_start_goes_on() {
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        TestRelay::builder().data(folder.path()).start().await.stop().await;
    }

    let (records, _) = read(folder.path()).await;

    let events: Vec<_> = records.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(events, ["started", "stopped", "started", "stopped"]);
}

#[tokio::test]
async fn an_operator_reads_exports_and_verifies_while_the_relay_runs() {
    let relay = TestRelay::start().await;
    Person::register(&relay, "alice").await;
    relay.relay().flush_audit().await;

    let tail = run(relay.folder(), &["audit", "tail", "-n", "1"]).await.unwrap();
    let exported = run(relay.folder(), &["audit", "export"]).await.unwrap();

    let last: Value = serde_json::from_str(&tail).unwrap();
    assert_eq!(last["event"], "account_created");
    let lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], last);
    let anchor = last["anchor"].as_str().unwrap();
    let verified = run(relay.folder(), &["audit", "verify", "--anchor", anchor]).await.unwrap();
    // The export is an entry of its own.
    assert!(verified.contains("whole") && verified.contains(" 3:"), "{verified}");
}

#[tokio::test]
async fn whoever_cuts_the_log_is_found_out() {
    for (forgery, complaint) in [
        ("DELETE FROM audit WHERE sequence = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE sequence >= 3", "cut off after entry 2"),
        (
            "UPDATE audit SET record = (SELECT record FROM audit WHERE sequence = 1)
          WHERE sequence = 2",
            "entry 2 is not what was written",
        ),
        (
            "DELETE FROM audit WHERE sequence >= 3;
          UPDATE audit_ends SET last = 2,
              last_hash = (SELECT hash FROM audit WHERE sequence = 2)",
            "cut off after entry 2",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let relay = TestRelay::builder().data(folder.path()).start().await;
        three(&relay).await;
        relay.stop().await;
        let tail = run(folder.path(), &["audit", "tail", "-n", "1"]).await.unwrap();
        let last: Value = serde_json::from_str(&tail).unwrap();
        let anchor = last["anchor"].as_str().unwrap();

        let file = format!("sqlite://{}", folder.path().join("relay.db").display());
        let mut database = SqliteConnection::connect(&file).await.unwrap();
        database.execute(forgery).await.unwrap();
        database.close().await.unwrap();

        let verified = run(folder.path(), &["audit", "verify", "--anchor", anchor]).await;
        let said = verified.unwrap_err();
        assert!(said.contains("NOT whole") && said.contains(complaint), "{said}");
    }
}

#[tokio::test]
async fn a_command_makes_no_database() {
    let folder = TempDir::new().unwrap();

    let said = run(folder.path(), &["audit", "verify"]).await.unwrap_err();

    assert!(said.contains("no database"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What the program says on standard output; or, if it fails, on standard error.
async fn run(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = program().args(arguments).arg("--data").arg(folder).output().await.unwrap();
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
}

/// All records, and the bytes they were read from.
async fn read(folder: &Path) -> (Vec<AuditRecord>, Vec<u8>) {
    let store = Store::open(&folder.join("relay.db")).await.unwrap();
    verify(&store, None).await.unwrap();
    let entries = store.read_audit(0, 1_000).await.unwrap();
    let records = entries.iter().map(|entry| entry.read().unwrap()).collect();
    let bytes = entries.iter().flat_map(|entry| entry.record.clone()).collect();
    store.close().await;
    (records, bytes)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
