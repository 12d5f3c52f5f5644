//! What the relay says of itself, to clients, load balancers and Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat_core::api::info::{Health, Limits};
use chat_core::limits;
use schemars::SchemaGenerator;

use super::described::{Answered, Description, JSON, Output};
use super::{App, asyncapi, openapi};
use crate::bus::Connected;
use crate::storage::StorageError;

/// A database that takes longer to say that it is there is not.
const CHECK_MAX: Duration = Duration::from_millis(1_500);

/// A text that is made elsewhere, of a media type.
#[derive(Debug)]
pub struct Text<T>(T, &'static str);

impl<T: IntoResponse> IntoResponse for Text<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, self.1)], self.0).into_response()
    }
}

impl Output for Text<String> {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        let media = Some("text/plain");
        description.answers.push(Answered { status: Some(200), media, schema: None });
    }
}

/// What stands in the program is a document.
impl Output for Text<&'static str> {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        description.answers.push(Answered { status: Some(200), media: Some(JSON), schema: None });
    }
}

/// `GET /healthz`: the process is alive.
pub async fn healthz() -> Json<Health> {
    Json(health("ok"))
}

/// `GET /readyz`: the process takes new work, and its database is there with the schema it needs.
///
/// Without its bus a node is slower and not less right, so that is said and nothing more: a load
/// balancer that heeded it would take all nodes out at once.
pub async fn readyz(State(app): State<App>) -> (StatusCode, Json<Health>) {
    if app.check_ready().is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(health("draining")));
    }
    let checked = tokio::time::timeout(CHECK_MAX, app.services.storage.check()).await;
    let database = checked.unwrap_or(Err(StorageError::Unavailable));
    let mut parts = BTreeMap::new();
    let said = |missing: Option<String>| missing.unwrap_or_else(|| "ok".to_owned());
    parts.insert("database".to_owned(), said(database.err().map(|error| error.to_string())));
    let is_alone = app.services.bus.health().connected == Connected::No;
    let bus = is_alone.then(|| "other nodes cannot be reached; messages arrive later".to_owned());
    parts.insert("bus".to_owned(), said(bus));
    let (code, status) = match database {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    (code, Json(Health { parts, ..health(&status) }))
}

fn health(status: &str) -> Health {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Health { status: status.to_owned(), version, parts: BTreeMap::new() }
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<App>) -> Text<String> {
    Text(app.services.render_metrics(), "text/plain; version=0.0.4; charset=utf-8")
}

/// `GET /v1/openapi.json`.
pub async fn openapi() -> Text<&'static str> {
    Text(&openapi::DOCUMENT, JSON)
}

/// `GET /v1/asyncapi.json`.
pub async fn asyncapi() -> Text<&'static str> {
    Text(&asyncapi::DOCUMENT, JSON)
}

/// `GET /.well-known/jwks.json`.
pub async fn key_set(State(app): State<App>) -> Json<serde_json::Value> {
    Json(app.services.tokens.key_set(app.services.now()))
}

/// `GET /v1/limits`.
pub async fn limits(State(app): State<App>) -> Json<Limits> {
    let rates = app.services.rates;
    let blobs = app.services.depot.limits;
    Json(Limits {
        payload_bytes_max: limits::PAYLOAD_BYTES_MAX,
        frame_bytes_max: limits::FRAME_BYTES_MAX,
        body_bytes_max: limits::BODY_BYTES_MAX,
        wraps_max: limits::WRAPS_MAX,
        group_members_max: limits::GROUP_MEMBERS_MAX,
        channel_members_max: limits::CHANNEL_MEMBERS_MAX,
        devices_max: limits::DEVICES_ACTIVE_MAX,
        delivery_window_messages: limits::DELIVERY_WINDOW_MESSAGES,
        blob_bytes_max: blobs.blob_bytes(),
        blob_piece_bytes_max: limits::BLOB_PIECE_BYTES_MAX,
        blob_bytes_an_account: blobs.account_bytes(),
        blobs_a_message: limits::BLOBS_A_MESSAGE_MAX,
        blob_mebibytes_a_quarter_hour: rates.blob_mebibytes_a_quarter_hour,
        messages_a_minute: rates.messages_a_minute,
        typing_a_minute: rates.typing_a_minute,
        connections_a_minute: rates.connections_a_minute,
        logins_a_quarter_hour: rates.logins_a_quarter_hour,
        registrations_in_3_minutes: rates.registrations_in_3_minutes,
        fetches_a_minute: rates.fetches_a_minute,
        requests_a_quarter_hour: rates.requests_a_quarter_hour,
        connections_an_account: app.services.registry.connections_an_account(),
        body_seconds: app.timeouts.body_seconds,
        request_seconds: app.timeouts.request_seconds,
        default_workspace: app.services.workspace,
    })
}
