//! Interruptions: the relay goes and comes back, and nobody has to do anything about it.

use chat_sdk::{ConnectionState, Event, Policy, WrapScheme};
use relay_server::testing::TestRelay;

use crate::people::{Person, open, people, texts, with_file, within};

#[tokio::test]
async fn a_relay_that_was_away_is_found_again_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::builder().data(folder.path()).start().await;
    let address = relay.address();
    let [mut alice, mut bob] = people(&relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    chat.send("before").await.unwrap();
    assert_eq!(bob.hears().await, ["before"]);

    relay.stop().await;
    is_waiting(&mut alice).await;
    let while_away = chat.send("while nobody listened").await;
    let relay = TestRelay::builder().data(folder.path()).listen(address).start().await;

    while_away.unwrap();
    assert_eq!(bob.hears().await, ["while nobody listened"]);
    let at_bob = bob.only_conversation().await;
    at_bob.send("after").await.unwrap();
    assert_eq!(alice.hears().await, ["after"]);
    assert_eq!(texts(&chat).await, texts(&at_bob).await);
    relay.stop().await;
}

#[tokio::test]
async fn a_stream_of_messages_survives_a_relay_that_restarts_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::builder().data(folder.path()).start().await;
    let address = relay.address();
    let [alice, mut bob] = people(&relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();

    for number in 0..20 {
        chat.send(number.to_string()).await.unwrap();
    }
    bob.message().await;
    relay.stop().await;
    let relay = TestRelay::builder().data(folder.path()).listen(address).start().await;
    within(alice.client.flush()).await.unwrap();
    let rest: [String; 19] = bob.hears().await;

    assert_eq!(rest.to_vec(), (1..20).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(bob.warnings, []);
    relay.stop().await;
}

#[tokio::test]
async fn a_connection_that_comes_and_goes_doubles_nothing() {
    let relay = TestRelay::start().await;
    let [alice, mut bob] = people(&relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();

    for number in 0..12 {
        chat.send(number.to_string()).await.unwrap();
        let who = if number % 2 == 0 { &alice } else { &bob };
        who.client.go_offline().await.unwrap();
        who.client.go_online().await.unwrap();
    }
    let heard: [String; 12] = bob.hears().await;
    within(alice.client.flush()).await.unwrap();
    within(bob.client.sync()).await.unwrap();

    let all: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(heard.to_vec(), all);
    assert_eq!(texts(&bob.only_conversation().await).await, all);
    assert_eq!(bob.warnings, []);
}

#[tokio::test]
async fn an_app_and_its_extension_on_one_store_show_each_message_once() {
    let relay = TestRelay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.store");
    let [mut alice] = people(&relay, ["alice"]).await;
    let app = with_file(&relay, "bob", &path).await;
    let chat = alice.client.direct("bob").await.unwrap();

    chat.send("to the app").await.unwrap();
    let mut extension = open(&relay, &path).await;
    for text in ["one", "two"] {
        chat.send(text).await.unwrap();
    }
    while extension.message().await.text() != Some("two") {}
    let at_extension = extension.client.direct("alice").await.unwrap();
    at_extension.send("from the extension").await.unwrap();
    assert_eq!(alice.hears().await, ["from the extension"]);
    extension.client.close().await.unwrap();
    app.client.go_offline().await.unwrap();
    app.client.go_online().await.unwrap();
    let at_app = app.client.direct("alice").await.unwrap();
    at_app.send("from the app").await.unwrap();

    assert_eq!(alice.hears().await, ["from the app"]);
    let all = ["to the app", "one", "two", "from the extension", "from the app"];
    within(app.client.flush()).await.unwrap();
    assert_eq!(texts(&at_app).await, all);
    assert_eq!((alice.warnings, extension.warnings), (vec![], vec![]));
}

#[tokio::test]
async fn a_group_wrapped_for_accounts_talks_too() {
    let relay = TestRelay::start().await;
    let [mut alice, mut bob] = people(&relay, ["alice", "bob"]).await;
    let policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };
    let group = alice.client.create_group_with("Archive", &["bob"], policy).await.unwrap();

    group.send("signed and wrapped").await.unwrap();
    let heard = bob.message().await;
    bob.only_conversation().await.send("likewise").await.unwrap();

    assert_eq!(heard.text(), Some("signed and wrapped"));
    assert_eq!(heard.authenticity, chat_sdk::Authenticity::Signed);
    assert_eq!(alice.hears().await, ["likewise"]);
}

async fn is_waiting(person: &mut Person) {
    person
        .wait_for(|event| {
            matches!(event, Event::Connection(ConnectionState::Waiting { .. })).then_some(())
        })
        .await;
}
