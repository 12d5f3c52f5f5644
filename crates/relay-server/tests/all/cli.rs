//! The program itself, as somebody would start it.

use std::path::Path;
use std::process::Stdio;

use chat_core::api::account::OwnAccount;
use chat_core::api::info::Health;
use chat_core::reject::RejectCode;
use relay_server::config::KEYS;
use relay_server::testing::TestRelay;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::people::{Person, Rest};

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

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let examine = async |more: &[&str]| {
        let mut program = program();
        let output = program.args(["doctor", "--connections", "100", "--data"]);
        let output = output.arg(folder.path().join("data")).args(more).output().await.unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };

    let (is_well, said) = examine(&[]).await;
    assert!(is_well, "{said}");
    assert!(said.lines().any(|line| line.starts_with("ok    database")), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
    let away = ["--database", "postgres://nobody:secret@127.0.0.1:1/nothing"];
    let (is_well, said) = examine(&away).await;
    assert!(!is_well);
    assert!(said.lines().any(|line| line.starts_with("FAIL  database")), "{said}");
    assert!(!said.contains("secret"));
}

#[tokio::test]
async fn an_operator_looks_at_an_account_and_ends_its_sessions() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let device = alice.device.address.device.to_string();
    let admin = async |words: &[&str]| admin(&relay, words).await;

    let (_, stats) = admin(&["stats"]).await;
    assert!(stats.contains("\"accounts\": 1") && stats.contains("\"sessions\": 1"), "{stats}");
    let (_, found) = admin(&["user", "Alice"]).await;
    assert!(found.contains(&device) && found.contains("\"username\": \"alice\""), "{found}");
    assert!(found.contains("\"role\": \"member\"") && found.contains("\"used_at\""), "{found}");
    assert!(alice.get::<OwnAccount>("/v1/account").await.is_ok());
    let (is_done, said) = admin(&["end-sessions", "alice", "--device", &device]).await;
    assert!(is_done, "{said}");
    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::TokenInvalid);
    let (is_done, said) = admin(&["end-sessions", "nobody"]).await;
    assert!(!is_done && said.contains("no such thing"), "{said}");
    let (_, limits) = admin(&["limits"]).await;
    assert!(limits.contains("messages_a_minute = 60"), "{limits}");
    relay.stop().await;
}

#[tokio::test]
async fn an_operator_brings_people_in_and_decides_about_them() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let admin = async |words: &[&str]| {
        let (is_done, said) = admin(&relay, words).await;
        assert!(is_done, "{words:?}: {said}");
        said
    };

    let made = admin(&["create-workspace", "Harbour"]).await;
    let olga =
        Person::invited(&Rest::at(&relay), "olga", made.lines().last().unwrap()).await.unwrap();
    let invited = admin(&["invite", "--workspace", "Harbour", "--role", "guest"]).await;
    let listed = admin(&["invitations", "--workspace", "Harbour"]).await;
    let id = invited.split([' ', ';']).find(|word| word.len() == 36).unwrap();
    admin(&["revoke-invitation", id, "--workspace", "Harbour"]).await;
    let too_late = Person::invited(&Rest::at(&relay), "gus", invited.lines().last().unwrap()).await;

    assert!(listed.contains(id) && listed.contains("\"role\": \"guest\""), "{listed}");
    assert_eq!(too_late.err().unwrap().code, RejectCode::InvitationInvalid);
    let all = admin(&["workspaces"]).await;
    assert!(all.contains("\"name\": \"Harbour\"") && all.contains("\"default\""), "{all}");
    let members = admin(&["members", "--workspace", "Harbour"]).await;
    assert!(members.contains("\"olga\"") && members.contains("\"owner\""), "{members}");
    assert!(!members.contains("\"alice\""), "{members}");
    admin(&["set-role", "alice", "--role", "admin"]).await;
    assert!(admin(&["user", "alice"]).await.contains("\"role\": \"admin\""));
    admin(&["suspend", "alice"]).await;
    let refused = alice.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::AccountSuspended);
    admin(&["reinstate", "alice"]).await;
    admin(&["delete-user", "alice", "--for-good"]).await;
    assert!(olga.get::<OwnAccount>("/v1/account").await.is_ok());
    relay.stop().await;
}

#[tokio::test]
async fn an_operator_sets_how_long_a_workspace_keeps_its_messages() {
    let relay = TestRelay::start().await;
    let admin = async |words: &[&str]| {
        let (is_done, said) = admin(&relay, words).await;
        assert!(is_done, "{words:?}: {said}");
        said
    };
    admin(&["create-workspace", "Harbour"]).await;

    let set = ["rules", "set", "--workspace", "Harbour", "--keep-days", "90", "--until-delivered"];
    let stricter = ["--retention-keep-days", "30", "--retention-mebibytes-an-account", "5"];
    let harbour = admin(&[&set[..], &["--mebibytes-a-workspace", "7"], &stricter].concat()).await;
    let default = admin(&["rules", "show"]).await;
    let cleared = admin(&["rules", "set", "--workspace", "Harbour"]).await;
    let noted = admin(&["rules", "show", "--workspace", "Harbour"]).await;

    let harbour: serde_json::Value = serde_json::from_str(&harbour).unwrap();
    let own = serde_json::json!({"keep_days": 90, "until_delivered": true,
        "mebibytes_an_account": null, "mebibytes_a_workspace": 7});
    let in_force = serde_json::json!({"keep_days": 30, "until_delivered": true,
        "mebibytes_an_account": 5, "mebibytes_a_workspace": 7});
    assert_eq!(harbour, serde_json::json!({"own": own, "in_force": in_force}));
    assert!(!default.contains("90") && !default.contains("true"), "{default}");
    assert!(!cleared.contains("90") && cleared == noted, "{cleared}");
    relay.stop().await;
}

#[tokio::test]
async fn an_operator_is_told_what_cannot_be_done() {
    let relay = TestRelay::start().await;
    let _alice = Person::register(&relay, "alice").await;
    for words in [["create-workspace", "Twice"]; 2] {
        assert!(admin(&relay, &words).await.0);
    }

    for (words, named) in [
        (vec!["invite", "--workspace", "Nowhere"], "there is no workspace `Nowhere`"),
        (vec!["members", "--workspace", "Twice"], "several workspaces are called `Twice`"),
        (vec!["invite", "--uses", "0"], "1 to 10000 people"),
        (vec!["invite", "--days", "367"], "at most a year"),
        (vec!["invite", "--role", "king"], "guest, member, admin or owner"),
        (vec!["create-workspace", " "], "1 to 64 bytes"),
        (vec!["suspend", "nobody"], "no such thing"),
        (vec!["rules", "show", "--workspace", "Nowhere"], "there is no workspace `Nowhere`"),
        (vec!["rules", "set", "--keep-days", "0"], "zero"),
        (vec!["delete-user", "alice"], "--for-good"),
    ] {
        let (is_done, said) = admin(&relay, &words).await;

        assert!(!is_done && said.contains(named), "{words:?}: {said}");
    }
    assert!(admin(&relay, &["user", "alice"]).await.1.contains("\"active\""));
    relay.stop().await;
}

/// What `relay-server admin` says, beside the relay that runs, and whether it succeeds.
async fn admin(relay: &TestRelay, words: &[&str]) -> (bool, String) {
    let mut program = program();
    let output = program.arg("admin").args(words).arg("--data").arg(relay.folder());
    let output = output.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn every_setting_has_a_flag_a_variable_and_a_line_in_the_manual() {
    let output = program().args(["serve", "--help"]).output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let manual = std::fs::read_to_string(manual).unwrap();

    for (key, _) in KEYS {
        let name = key.strip_prefix("limits.").unwrap_or(key).replace('.', "_");
        let flag = format!("--{}", name.replace('_', "-"));
        let variable = format!("SEALWIRE_{}", name.to_uppercase());

        assert!(help.contains(&format!("{flag} <")), "{key} has no flag {flag}");
        assert!(help.contains(&format!("[env: {variable}")), "{key} has no variable {variable}");
        let line = format!("| `{key}` | `{flag}` | `{variable}` | ");
        assert!(manual.contains(&line), "docs/operations.md has no line {line}");
    }
    let lines = manual.lines().filter(|line| line.contains("| `--") && line.contains("`SEALWIRE_"));
    // One more: the file itself.
    assert_eq!(lines.count(), KEYS.len() + 1, "docs/operations.md knows a setting that is none");
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
