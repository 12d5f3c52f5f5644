//! What the log says of people: nothing, however much of it is asked for.

use std::fs::File;
use std::process::Stdio;

use chat_core::codec::to_base64url;
use tempfile::TempDir;

use crate::cli::{program, said};
use crate::people::{PASSWORD, Person, Rest};

#[tokio::test]
async fn a_conversation_at_trace_leaves_no_content_token_or_name_in_the_log() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log");
    let mut relay = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .env("SEALWIRE_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(File::create(&path).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let rest = Rest::at_url(&said(&mut relay, "clients use ").await);

    let alice = Person::try_register(&rest, "alice-of-wonderland").await.unwrap();
    let bob = Person::try_register(&rest, "bob-of-wonderland").await.unwrap();
    Person::log_in(&rest, &alice.name, b"wrong").await.unwrap_err();
    Person::log_in(&rest, &alice.name, PASSWORD).await.unwrap();
    let chat = alice.direct(&bob).await;
    let mut bobs = bob.connect_idle().await;
    let mut alices = alice.connect_idle().await;
    let message = alice.message(&chat, &[&bob]);
    alices.send_message(&message.seal()).await.unwrap();
    alices.send_message(&alice.message(&chat, &[]).seal()).await.unwrap_err();
    bobs.delivery().await;
    relay.kill().await.unwrap();

    let log = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    assert!(log.contains("/v1/auth/register/finish"), "requests are logged: {log}");
    assert!(log.contains("stale_devices"), "refusals are logged: {log}");
    for secret in [
        alice.tokens.access.as_str(),
        alice.tokens.refresh.as_str(),
        "of-wonderland",
        &to_base64url(&message.payload),
        &format!("{:?}", &message.payload[..8]).replace(['[', ']'], ""),
        std::str::from_utf8(PASSWORD).unwrap(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
