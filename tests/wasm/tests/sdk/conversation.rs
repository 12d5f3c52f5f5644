//! Two people in a browser, at a real relay: a message, a file, a search, a restart.

use std::io::Cursor;

use chat_sdk::store::{Place, Store};
use chat_sdk::{Client, Event, Events, Kind, Message, NewAttachment, PasswordHardening, StoreKey};

use crate::host::{bytes_on_disk, has, native_store, of_this_host, prepare, relay, replace};

const PASSWORD: &str = "correct horse battery staple";

#[test]
async fn what_two_people_say_arrives_and_outlives_a_restart() {
    let name = "anna.store";
    let anna = register(&of_this_host("anna"), Some(name)).await;
    let bela = register(&of_this_host("bela"), None).await;
    let (mut at_anna, mut at_bela) = (anna.events(), bela.events());

    let here = anna.direct(bela.username()).await.unwrap();
    here.send("Shall we meet at the weir?").await.unwrap();
    let asked = message(&mut at_bela).await;
    let there = bela.conversation(asked.conversation).await.unwrap();
    there.send("At noon.").await.unwrap();
    let answered = message(&mut at_anna).await;
    anna.close().await.unwrap();

    assert_eq!(asked.text(), Some("Shall we meet at the weir?"));
    assert_eq!(asked.sender.username, of_this_host("anna"));
    assert_eq!(answered.text(), Some("At noon."));
    assert!(!has(&bytes_on_disk().await, b"weir"));
    let anna = builder(Some(name)).open().await.unwrap();
    let found = anna.search("weir", 10).await.unwrap();
    assert_eq!(found[0].text(), Some("Shall we meet at the weir?"));
    anna.sync().await.unwrap();
    anna.direct(bela.username()).await.unwrap().send("On my way.").await.unwrap();
    assert_eq!(message(&mut at_bela).await.text(), Some("On my way."));
    anna.wipe().await.unwrap();
}

#[test]
async fn a_file_arrives_as_it_was_sent() {
    let carl = register(&of_this_host("carl"), None).await;
    let dora = register(&of_this_host("dora"), None).await;
    let mut at_dora = dora.events();
    let file: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();

    let chat = carl.direct(dora.username()).await.unwrap();
    let sent = NewAttachment::named("numbers.bin");
    chat.send_attachment(sent, &mut Cursor::new(file.clone())).await.unwrap();
    let said = message(&mut at_dora).await;
    let attachment = said.content.attachment().unwrap();
    let mut received = Cursor::new(Vec::new());
    dora.download(attachment).unwrap().write_to(&mut received).await.unwrap();
    let part = dora.read_attachment(attachment, 4..12).await.unwrap();

    assert_eq!(received.into_inner(), file);
    assert_eq!(part, file[4..12]);
}

#[test]
async fn a_relay_that_is_not_there_is_unreachable() {
    prepare();

    // The port of a service that no test machine runs.
    let nobody = Client::builder("http://127.0.0.1:9").in_memory().register("eva", PASSWORD).await;

    assert_eq!(nobody.unwrap_err().kind(), Kind::RelayUnreachable);
}

#[test]
async fn a_wrong_password_is_refused_with_the_relays_word() {
    let name = of_this_host("fritz");
    register(&name, None).await.close().await.unwrap();

    let refused = builder(None).login(&name, "guessed").await;

    assert_eq!(refused.unwrap_err().kind(), Kind::WrongPassword);
}

#[test]
async fn a_store_that_was_written_natively_is_opened_as_it_is() {
    prepare();
    let bytes = native_store();
    let name = "native.store";
    // A place among the SDK's files, and then other bytes in it.
    Store::open(place(name)).await.unwrap().close().await;
    replace(name, &bytes).await.unwrap();

    let nadja = builder(Some(name)).open().await.unwrap();

    let found = nadja.search("natively", 10).await.unwrap();
    assert_eq!(found[0].text(), Some("This was written natively."));
    assert!(nadja.check_store().await.unwrap().is_whole());
    nadja.wipe().await.unwrap();
}

fn builder(store: Option<&str>) -> chat_sdk::ClientBuilder {
    prepare();
    let builder = Client::builder(&relay());
    let quick = PasswordHardening { memory_kib: 1024, passes: 1, lanes: 1 };
    let builder = builder.password_hardening(quick);
    match store {
        Some(name) => builder.store(name, key()),
        None => builder.in_memory(),
    }
}

fn key() -> StoreKey {
    StoreKey::from_bytes([7; 32])
}

fn place(name: &str) -> Place {
    Place::File { path: name.into(), key: key() }
}

async fn register(name: &str, store: Option<&str>) -> Client {
    builder(store).register(name, PASSWORD).await.unwrap().client
}

async fn message(events: &mut Events) -> Message {
    loop {
        if let Event::Message(message) = events.next().await.unwrap() {
            return message;
        }
    }
}
