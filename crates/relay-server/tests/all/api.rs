//! The documents of the relay's interfaces: that they are whole, and the ones in `docs/api`.
//!
//! `cargo xtask api` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

use chat_core::reject::{Reject, RejectCode};
use relay_server::http::{asyncapi, openapi, routes, sentences};
use relay_server::testing::TestRelay;
use serde_json::Value;

#[test]
fn the_documents_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
    let write = std::env::var_os("SEALWIRE_VECTORS").is_some_and(|value| value == "write");

    for (name, made) in
        [("openapi.json", &openapi::DOCUMENT), ("asyncapi.json", &asyncapi::DOCUMENT)]
    {
        let file = folder.join(name);
        if write {
            std::fs::write(&file, made.as_bytes()).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap().replace("\r\n", "\n");
        assert!(kept == **made, "docs/api/{name} is not what the code says: cargo xtask api");
    }
}

#[test]
fn every_operation_has_a_sentence_and_every_sentence_an_operation() {
    let served: Vec<_> = routes().operations().iter().map(|it| it.handler).collect();
    let said: Vec<_> = sentences::SENTENCES.iter().map(|(handler, _)| *handler).collect();

    let once: BTreeSet<_> = served.iter().collect();

    assert_eq!(once.len(), served.len(), "two operations share a handler: {served:?}");
    for handler in &served {
        assert!(said.contains(handler), "{handler} has no line in http/sentences.rs");
    }
    for handler in &said {
        assert!(
            served.contains(handler),
            "http/sentences.rs speaks of {handler}; nobody serves it"
        );
    }
}

#[test]
fn every_part_of_a_path_is_described() {
    let document = parsed(&openapi::DOCUMENT);

    for (path, methods) in document["paths"].as_object().unwrap() {
        let names = path.matches('{').count();
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let described = parameters.filter(|it| it["in"] == "path").count();
            assert_eq!(described, names, "{method} {path}");
        }
    }
}

#[test]
fn references_lead_somewhere_and_no_name_is_given_twice() {
    for document in [&openapi::DOCUMENT, &asyncapi::DOCUMENT] {
        let document = parsed(document);
        let mut references = BTreeSet::new();
        collect(&document, &mut references);

        assert!(references.len() > 20);
        for reference in references {
            let place = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
        }
        // A second type of the same name would be called Name2.
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name} is the second one");
        }
    }
}

#[test]
fn every_kind_of_frame_is_a_message() {
    let document = parsed(&asyncapi::DOCUMENT);
    let messages = document["components"]["messages"].as_object().unwrap();

    // Named here once more: a frame that is missing is not noticed by comparing with itself.
    for name in [
        "client.authenticate",
        "client.message.send",
        "client.message.acknowledge",
        "client.message.receipt",
        "client.typing",
        "client.ping",
        "relay.connected",
        "relay.message.accepted",
        "relay.message.new",
        "relay.message.deleted",
        "relay.caught_up",
        "relay.message.receipt",
        "relay.typing",
        "relay.membership",
        "relay.devices_changed",
        "relay.prekeys_low",
        "relay.draining",
        "relay.reject",
        "relay.pong",
        "relay.account_deleted",
    ] {
        assert!(messages.contains_key(name), "{name} is missing");
    }
}

#[tokio::test]
async fn the_relay_serves_its_documents_and_all_that_they_name() {
    let relay = TestRelay::start().await;
    let http = reqwest::Client::new();
    let get = async |path: &str| {
        http.get(format!("{}{path}", relay.url())).send().await.unwrap().text().await.unwrap()
    };

    assert_eq!(get("/v1/openapi.json").await, **openapi::DOCUMENT);
    assert_eq!(get("/v1/asyncapi.json").await, **asyncapi::DOCUMENT);
    let document = parsed(&openapi::DOCUMENT);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let answer = http.request(method, format!("{}{path}", relay.url())).send().await;
            let answer = answer.unwrap();
            assert_ne!(answer.status(), 405, "{path}");
            let text = answer.text().await.unwrap();
            assert!(!text.contains("has no such path"), "{path}: {text}");
        }
    }
    relay.stop().await;
}

/// RFC 9110 §15.5.6: 405 says which methods there are instead.
#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() {
    let relay = TestRelay::start().await;
    let http = reqwest::Client::new();
    let routes = routes();

    for path in routes.paths() {
        let here = routes.operations().iter().filter(|it| it.path == *path);
        let mut taken: BTreeSet<_> = here.map(|it| it.method.to_uppercase()).collect();
        if taken.contains("GET") {
            taken.insert("HEAD".to_owned());
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            if taken.contains(method) {
                continue;
            }
            let url = format!("{}{path}", relay.url());

            let answer = http.request(method.parse().unwrap(), url).send().await.unwrap();

            assert_eq!(answer.status(), 405, "{method} {path}");
            let allowed = answer.headers()["allow"].to_str().unwrap();
            let allowed: BTreeSet<_> = allowed.split(',').map(|it| it.trim().to_owned()).collect();
            assert_eq!(allowed, taken, "{method} {path}");
            let refused: Reject = answer.json().await.unwrap();
            assert_eq!(refused.code, RejectCode::MethodNotAllowed, "{method} {path}");
        }
    }
    relay.stop().await;
}

fn parsed(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.insert(reference.clone());
            }
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
