//! The WebSocket as an AsyncAPI 3.0 document, made from the types of the frames.
//!
//! ```text
//!  ClientFrame ─▶ JSON Schema, one alternative a frame ─▶ a message each ─▶ operation `receive`
//!  RelayFrame  ─▶                  the same                               ─▶ operation `send`
//! ```
//!
//! It describes the JSON form; the binary one has the same frames and fields, see
//! `docs/protocol/wire.md` and `sealwire.cddl`. Served at `/v1/asyncapi.json`, kept in
//! `docs/api/asyncapi.json`; a test compares the two.

use std::sync::LazyLock;

use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::openapi::{generator, pretty};

/// The document, as it is served.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| pretty(&document()));

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = generator();
    let client = messages::<ClientFrame>("client", &mut schemas);
    let relay = messages::<RelayFrame>("relay", &mut schemas);
    let mut definitions = schemas.take_definitions(true);
    definitions.remove("ClientFrame");
    definitions.remove("RelayFrame");
    let all = client.keys().chain(relay.keys());
    let in_channel: Map<_, _> = all
        .map(|name| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect();
    let operations = json!({
        "fromClients": operation("receive", "What clients say.", &client),
        "toClients": operation("send", "What the relay says.", &relay),
    });
    let messages: Map<_, _> = client.into_iter().chain(relay).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sealwire relay",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "What happens. One frame is one WebSocket message: text under the sub-protocol \
                 `{SUBPROTOCOL_JSON}`, which this document describes, binary under \
                 `{SUBPROTOCOL_CBOR}`. A frame of an unknown type is refused by name and the \
                 connection stays."
            ),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "relay": { "host": "relay.example", "protocol": "wss" } },
        "channels": {
            "socket": {
                "address": SOCKET_PATH,
                "messages": in_channel,
                "bindings": { "ws": { "method": "GET", "headers": {
                    "type": "object",
                    "required": ["Sec-WebSocket-Protocol"],
                    "properties": {
                        "Sec-WebSocket-Protocol": { "enum": [SUBPROTOCOL_JSON, SUBPROTOCOL_CBOR] },
                        "Authorization": {
                            "type": "string",
                            "description": "A bearer token; without it the first frame is \
                                            `authenticate`.",
                        },
                    },
                } } },
            },
        },
        "operations": operations,
        "components": { "messages": messages, "schemas": definitions },
    })
}

/// A message for each kind of frame, named by its side and its type.
fn messages<T: JsonSchema>(side: &str, schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let schema = T::json_schema(schemas);
    let kinds = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    kinds.into_iter().filter_map(|kind| message(side, kind)).collect()
}

fn message(side: &str, kind: Value) -> Option<(String, Value)> {
    let name = kind.pointer("/properties/type/const")?.as_str()?.to_owned();
    let summary = kind.get("description").cloned().unwrap_or_default();
    let key = format!("{side}.{}", name.replace(':', "."));
    Some((key, json!({ "name": name, "summary": summary, "payload": kind })))
}

fn operation(action: &str, summary: &str, messages: &Map<String, Value>) -> Value {
    let messages: Vec<_> = messages
        .keys()
        .map(|name| json!({ "$ref": format!("#/channels/socket/messages/{name}") }))
        .collect();
    json!({
        "action": action,
        "summary": summary,
        "channel": { "$ref": "#/channels/socket" },
        "messages": messages,
    })
}
