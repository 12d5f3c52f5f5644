//! What an operator sees and does: readiness, names of requests, metrics, leaving.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chat_core::api::info::Health;
use chat_core::frame::RelayFrame;
use relay_server::testing::TestRelay;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::process::Command;

use crate::cli::{program, said};
use crate::people::{Person, Rest};
use crate::socket::Socket;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_node_is_not_ready_while_its_schema_is_too_old() {
    let relay = TestRelay::start().await;
    let ready = async || {
        let answer = reqwest::get(format!("{}/readyz", relay.url())).await.unwrap();
        (answer.status().as_u16(), answer.json::<Health>().await.unwrap())
    };
    let (status, health) = ready().await;
    assert_eq!((status, health.parts["database"].as_str()), (200, "ok"));

    let path = relay.folder().join("relay.db");
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 1")
        .execute(&mut database)
        .await
        .unwrap();

    let (status, health) = ready().await;
    assert_eq!(status, 503);
    assert!(health.parts["database"].contains("relay-server migrate"), "{health:?}");
    relay.stop().await;
}

#[tokio::test]
async fn a_node_without_its_bus_is_ready_and_says_so() {
    let relay = TestRelay::builder().redis("redis://127.0.0.1:1").start().await;

    let answer = reqwest::get(format!("{}/readyz", relay.url())).await.unwrap();

    assert_eq!(answer.status(), 200);
    let health: Health = answer.json().await.unwrap();
    assert!(health.parts["bus"].contains("cannot be reached"), "{health:?}");
    relay.stop().await;
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let relay = TestRelay::start().await;
    let behind = TestRelay::builder().proxy([127, 0, 0, 1].into()).start().await;
    let name = async |relay: &TestRelay, path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", relay.url()));
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let answer = request.header("traceparent", parent).send().await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };

    let names = [
        name(&relay, "/healthz").await,
        name(&relay, "/nowhere").await,
        name(&relay, "/v1/account").await,
    ];

    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), 3);
    assert!(names.iter().all(|name| name.len() == 32 && name != TRACE), "a stranger chose it");
    assert_eq!(name(&behind, "/healthz").await, TRACE);
    relay.stop().await;
    behind.stop().await;
}

#[tokio::test]
async fn the_log_is_found_by_the_name_of_a_request() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let mut relay = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .env("SEALWIRE_LOG", "debug")
        .env("SEALWIRE_LOG_FORMAT", "json")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&path).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = said(&mut relay, "clients use ").await;

    let answer = reqwest::get(format!("{url}/v1/account")).await.unwrap();
    let name = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    relay.kill().await.unwrap();

    let log = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["span"]["trace"] == name.as_str());
    let line = line.unwrap_or_else(|| panic!("{name} is not in {log}"));
    assert_eq!((&line["path"], &line["status"]), (&"/v1/account".into(), &401.into()));
}

#[tokio::test]
async fn every_alert_asks_for_a_metric_that_there_is() {
    let relay = TestRelay::start().await;
    let metrics = relay.relay().metrics();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/alerts.yml");
    let rules = std::fs::read_to_string(rules).unwrap();

    let asked: BTreeSet<&str> = rules
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("sealwire_"))
        .collect();
    let rejects = chat_core::reject::RejectCode::ALL.iter().map(|code| code.code());
    let rejects: BTreeSet<_> = rejects.collect();

    assert!(asked.len() > 15, "{asked:?}");
    for name in asked {
        let is_there = metrics.lines().any(|line| {
            let rest = line.strip_prefix(name);
            // A histogram by its own name, as it stands in sentences.
            let rest = rest.map(|rest| rest.strip_prefix("_count").unwrap_or(rest));
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        assert!(is_there, "{name} is not a metric of the relay");
    }
    for code in rules.split("code=").skip(1) {
        let codes = code.trim_start_matches(['~', '"']).split('"').next().unwrap();
        for code in codes.split('|') {
            assert!(rejects.contains(code), "{code} is not a code of a refusal");
        }
    }
    relay.stop().await;
}

#[tokio::test]
async fn what_people_do_is_counted() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let chat = alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);

    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    alices.send_message(&alice.message(&chat, &[]).seal()).await.unwrap_err();
    bobs.delivery().await;
    assert!(Socket::open(relay.url(), Some("no token")).await.is_err());
    bobs.settle().await;

    let metrics = relay.relay().metrics();
    for line in [
        "sealwire_connections_total 2",
        "sealwire_accepted_total 1",
        "sealwire_send_failed_total 1",
        "sealwire_send_seconds_count 2",
        "sealwire_deliver_seconds_count 1",
        "sealwire_database_errors_total{kind=\"unavailable\"} 0",
        "sealwire_database_connections_max 5",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in {metrics}");
    }
    let writes =
        metrics.lines().find_map(|it| it.strip_prefix("sealwire_database_write_seconds_count "));
    assert!(writes.unwrap().parse::<u64>().unwrap() > 3);
    relay.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_node_that_is_told_to_leave_says_when_to_return_answers_and_is_gone_in_time() {
    let folder = TempDir::new().unwrap();
    let mut relay = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--return-within-seconds", "7", "--data"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = said(&mut relay, "clients use ").await;
    let rest = Rest::at_url(&url);
    let alice = Person::try_register(&rest, "alice").await.unwrap();
    let bob = Person::try_register(&rest, "bob").await.unwrap();
    let chat = alice.direct(&bob).await;
    let mut sockets = [alice.connect_idle().await, bob.connect_idle().await];
    sockets[0].send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    // Somebody who has begun a request and does not go on must not keep the node.
    let address = url.strip_prefix("http://").unwrap();
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = b"POST /v1/auth/login/start HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut silent, head).await.unwrap();

    let began = Instant::now();
    let process = relay.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());

    for socket in &mut sockets {
        let returns = socket.wait_for(|frame| match frame {
            RelayFrame::Draining { return_after_ms } => Some(return_after_ms),
            _ => None,
        });
        assert!(returns.await < 7_000);
        assert_eq!(socket.close_code().await, 1012);
    }
    assert!(relay.wait().await.unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
