//! REST: paths to services, bodies to types, refusals to JSON.
//!
//! | file | paths |
//! |---|---|
//! | [`auth`] | `/v1/auth/…`, `/v1/devices/enrol` |
//! | [`accounts`] | `/v1/account…`, `/v1/accounts/…` |
//! | [`prekeys`] | `/v1/prekeys…` |
//! | [`conversations`], [`deletions`], [`rewrap`] | `/v1/conversations…` |
//! | [`push`] | `/v1/devices/self/push` |
//! | [`backup`] | `/v1/account/backup…` |
//! | [`blobs`] | `/v1/blobs…` |
//! | [`unread`] | `/v1/unread` |
//! | [`reports`] | `/v1/reports` |
//! | [`recovery`] | `/v1/auth/recovery/…`, `/v1/account/recovery-key`, `/v1/account/password/…` |
//! | [`linking`] | `/v1/linking/…` |
//! | [`workspaces`] | `/v1/workspace…`, sessions, search, deletion |
//! | [`origin`] | which web pages may |
//! | [`routes()`] | the list of all paths |
//! | [`health`] | `/healthz`, `/readyz`, `/metrics`, `/v1/limits`, `/.well-known/jwks.json` |
//! | [`described`], [`openapi`], [`asyncapi`] | what all of that looks like: `/v1/openapi.json`, `/v1/asyncapi.json` |
//!
//! A new path: a line in [`routes()`], a line in [`sentences`], `JsonSchema` on its bodies, a row in
//! the authorisation matrix; then `cargo xtask api` writes the documents anew.
//!
//! Every refusal is a [`Reject`], for unknown paths too. A body has its
//! limit before it is read. What is logged of a request is in [`mod@trace`].

pub mod accounts;
pub mod asyncapi;
pub mod auth;
pub mod backup;
pub mod blobs;
pub mod conversations;
pub mod deletions;
pub mod described;
pub mod extract;
pub mod health;
mod host;
pub mod linking;
pub mod openapi;
pub mod origin;
pub mod prekeys;
pub mod push;
mod range;
pub mod recovery;
pub mod refusal;
pub mod reports;
pub mod rewrap;
pub mod routes;
pub mod sentences;
pub mod trace;
pub mod unread;
pub mod workspaces;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use chat_core::frame::SOCKET_PATH;
use chat_core::reject::{Reject, RejectCode};
use tokio_util::task::TaskTracker;

use self::described::{delete, get, post, put};
use self::refusal::Refusal;
use self::routes::Routes;
use crate::config::{Network, Timeouts};
use crate::service::Services;
use crate::socket;

/// What every handler can reach.
#[derive(Clone, Debug)]
pub struct App {
    /// The verbs.
    pub services: Arc<Services>,
    /// Whether this node still takes new work.
    pub ready: Arc<AtomicBool>,
    /// The WebSocket connections, for who waits for their end.
    pub connections: TaskTracker,
    /// Proxies whose word on a client's address is believed.
    pub proxies: Arc<[Network]>,
    /// Pages that may use the relay from a browser, beside its own.
    pub web_origins: Arc<[String]>,
    /// For how long browsers are to remember that there is TLS.
    pub hsts: Option<HeaderValue>,
    /// How long clients may take.
    pub timeouts: Timeouts,
}

impl App {
    /// Refuses new work when the relay is leaving.
    ///
    /// # Errors
    ///
    /// [`RejectCode::Draining`].
    pub fn check_ready(&self) -> Result<(), Reject> {
        let ready = self.ready.load(Ordering::SeqCst);
        ready.then_some(()).ok_or_else(|| RejectCode::Draining.into())
    }
}

/// All paths, each with what it takes and gives, and with a row in the authorisation matrix,
/// `tests/all/matrix/rows.rs`.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .route("/v1/auth/register/start", post(auth::register_start))
        .route("/v1/auth/register/finish", post(auth::register_finish))
        .route("/v1/auth/login/start", post(auth::login_start))
        .route("/v1/auth/login/finish", post(auth::login_finish))
        .route("/v1/auth/device/start", post(auth::device_start))
        .route("/v1/auth/device/finish", post(auth::device_finish))
        .route("/v1/auth/refresh", post(auth::refresh))
        .route("/v1/auth/logout", post(auth::log_out))
        .route("/v1/devices/enrol", post(auth::enrol))
        .route("/v1/account", get(accounts::own).delete(workspaces::delete_account))
        .route(
            "/v1/account/sessions",
            get(workspaces::sessions).delete(workspaces::end_other_sessions),
        )
        .route("/v1/account/sessions/{device}", delete(workspaces::end_session))
        .route("/v1/account/devices", put(accounts::put_devices))
        .route("/v1/account/envelope-keys", put(accounts::put_envelope_keys))
        .route("/v1/account/keyring", get(accounts::keyring).put(accounts::put_keyring))
        .route("/v1/accounts", get(workspaces::search))
        .route("/v1/accounts/by-name/{username}", get(accounts::by_name))
        .route("/v1/accounts/{account}/keys", get(accounts::keys))
        .route("/v1/prekeys", get(prekeys::count).put(prekeys::put))
        .route("/v1/prekeys/fetch", post(prekeys::fetch))
        .route("/v1/conversations", get(conversations::list).post(conversations::create))
        .route(
            "/v1/conversations/{conversation}/membership",
            get(conversations::membership).post(conversations::append),
        )
        .route("/v1/conversations/{conversation}/messages", get(conversations::messages))
        .route("/v1/conversations/{conversation}/receipts", get(conversations::receipts))
        .route("/v1/devices/self/push", put(push::set).delete(push::clear))
        .route("/v1/account/backup", get(backup::head).put(backup::put))
        .route("/v1/account/backup/segments", get(backup::segments))
        .route("/v1/account/kept-blobs", get(blobs::kept).put(blobs::keep))
        .route("/v1/blobs", post(blobs::create))
        .route(blobs::PATH, get(blobs::get).put(blobs::put).delete(blobs::delete))
        .route("/v1/blobs/{blob}/upload", get(blobs::upload))
        .route("/v1/conversations/{conversation}/deletions", post(deletions::delete))
        .route("/v1/conversations/{conversation}/wraps", post(rewrap::add))
        .route("/v1/unread", get(unread::counts))
        .route("/v1/reports", post(reports::file))
        .route("/v1/auth/recovery/start", post(recovery::start))
        .route("/v1/auth/recovery/finish", post(recovery::finish))
        .route("/v1/account/recovery-key", put(recovery::put_key))
        .route("/v1/account/password/start", post(recovery::password_start))
        .route("/v1/account/password/finish", post(recovery::password_finish))
        .route("/v1/linking/write", post(linking::write))
        .route("/v1/linking/read", post(linking::read))
        .route("/v1/workspace", get(workspaces::own))
        .route("/v1/workspaces", post(workspaces::create))
        .route("/v1/workspace/members", get(workspaces::members))
        .route("/v1/workspace/members/{account}", delete(workspaces::remove))
        .route("/v1/workspace/members/{account}/role", put(workspaces::set_role))
        .route("/v1/workspace/members/{account}/state", put(workspaces::set_state))
        .route("/v1/workspace/invitations", get(workspaces::invitations).post(workspaces::invite))
        .route("/v1/workspace/invitations/{invitation}", delete(workspaces::revoke))
        .route("/v1/workspace/channels", get(workspaces::channels))
        .route("/v1/workspace/documents", get(workspaces::of_document))
        .route(SOCKET_PATH, get(socket::upgrade))
        .route("/v1/limits", get(health::limits))
        .route("/v1/openapi.json", get(health::openapi))
        .route("/v1/asyncapi.json", get(health::asyncapi))
        .route("/.well-known/jwks.json", get(health::key_set))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
}

/// All paths, with what every request and every answer goes through.
pub fn router(app: App) -> Router {
    routes()
        .into_router()
        .fallback(async || {
            Refusal(Reject::from(RejectCode::NotFound).saying("The relay has no such path."))
        })
        // Which methods it takes, the router adds.
        .method_not_allowed_fallback(async || Refusal::from(RejectCode::MethodNotAllowed))
        .layer(from_fn_with_state(app.clone(), origin::check))
        .layer(from_fn(host::check))
        .layer(from_fn_with_state(app.clone(), finish))
        .layer(from_fn_with_state(app.clone(), trace::trace))
        .with_state(app)
}

/// Bounds the time of a request, counts refusals, and adds the headers that every answer has.
async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_piece = request.method() == Method::PUT && path == Some(blobs::PATH);
    let within = if is_piece { blobs::PIECE_MAX } else { app.timeouts.request() };
    let answered = tokio::time::timeout(within, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| {
        let late = Reject::from(RejectCode::Unavailable);
        Refusal(late.saying("The relay took too long; try again.")).into_response()
    });
    if let Some(code) = response.extensions().get::<RejectCode>() {
        app.services.metrics.rejected(*code);
    }
    let headers = response.headers_mut();
    if let Some(hsts) = &app.hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
