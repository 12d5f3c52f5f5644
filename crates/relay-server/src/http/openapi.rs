//! The REST interface as an OpenAPI 3.1 document, made from the routes that are served.
//!
//! ```text
//!  routes() ─▶ Operation ─▶ Description ─▶ paths
//!                              └─ JSON Schema of each named type ─▶ components.schemas
//! ```
//!
//! Served at `/v1/openapi.json`, kept in `docs/api/openapi.json`; a test compares the two.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::described::{Answered, Description, Operation};
use super::{routes, sentences};

/// The document, as it is served.
pub static DOCUMENT: LazyLock<String> = LazyLock::new(|| pretty(&document(routes().operations())));

/// The document of these operations.
#[must_use]
pub fn document(operations: &[Operation]) -> Value {
    let mut schemas = generator();
    let mut paths = Map::new();
    for operation in operations {
        let described = described(operation, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_owned(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sealwire relay",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What is asked for: accounts, keys, conversations, history.",
            "description": "What happens comes over the WebSocket at `/v1/socket`, which \
                asyncapi.json describes. Bytes are unpadded base64url. Unknown fields are passed \
                over. Every refusal is a `Reject`.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
            "schemas": schemas.take_definitions(true),
        },
    })
}

/// Where types of JSON put what they look like, for both documents.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12();
    settings.with(|it| it.definitions_path = "/components/schemas".into()).into_generator()
}

/// As it is committed: two spaces, an end to the last line.
pub(super) fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

fn described(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let description = operation.describe(schemas);
    let handler = operation.handler;
    let tag = handler.split_once("::").map_or(handler, |(module, _)| module);
    let mut value = json!({
        "operationId": handler.replace("::", "."),
        "summary": sentences::of(handler).unwrap_or_default(),
        "tags": [tag],
        "responses": responses(&description.answers),
    });
    let parameters = parameters(operation.path, &description);
    if let Some(fields) = value.as_object_mut() {
        if !parameters.is_empty() {
            fields.insert("parameters".to_owned(), parameters.into());
        }
        if let Some((media, schema)) = description.body {
            let content = json!({ media: content(schema) });
            let body = json!({ "required": true, "content": content });
            fields.insert("requestBody".to_owned(), body);
        }
        if description.bearer {
            fields.insert("security".to_owned(), json!([{ "bearer": [] }]));
        }
    }
    value
}

fn parameters(path: &str, description: &Description) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let in_path = names.zip(&description.path).map(|((name, _), schema)| {
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let query = description.query.as_ref().map(schemars::Schema::as_value);
    let required = query.and_then(|query| query.get("required")?.as_array());
    let properties = query.and_then(|query| query.get("properties")?.as_object());
    let in_query = properties.into_iter().flatten().map(|(name, schema)| {
        let required = required.is_some_and(|all| all.iter().any(|it| it == name));
        json!({ "name": name, "in": "query", "required": required, "schema": schema })
    });
    in_path.chain(in_query).collect()
}

fn responses(answers: &[Answered]) -> Value {
    let mut responses = Map::new();
    for answer in answers {
        let (status, says) = match answer.status {
            None => ("default".to_owned(), "A refusal."),
            Some(101) => ("101".to_owned(), "The connection is a WebSocket now."),
            Some(204) => ("204".to_owned(), "It is done."),
            Some(503) => ("503".to_owned(), "Not at the moment."),
            Some(status) => (status.to_string(), "What was asked for."),
        };
        let mut response = Map::from_iter([("description".to_owned(), json!(says))]);
        if let Some(media) = answer.media {
            let content = json!({ media: content(answer.schema.clone()) });
            response.insert("content".to_owned(), content);
        }
        responses.insert(status, response.into());
    }
    responses.into()
}

fn content(schema: Option<schemars::Schema>) -> Value {
    schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema }))
}
