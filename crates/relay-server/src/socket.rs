//! The upgrade to a WebSocket: who may, in which encoding, with which buffers.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chat_core::frame::{SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};
use schemars::SchemaGenerator;
use tracing::Instrument as _;

use crate::admission::Admitted;
use crate::connection;
use crate::encoding::Encoding;
use crate::http::App;
use crate::http::described::{Answered, Description, Output};
use crate::http::extract::{Peer, bearer};
use crate::http::refusal::Answer;
use crate::limits::{Class, Subject};
use crate::service::authenticate;

/// The library's own 128 KiB would be most of what an idle connection weighs.
const READ_BUFFER_BYTES: usize = 2 * 1024;
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// A connection that is a WebSocket from here on.
#[derive(Debug)]
pub struct Upgraded(Response);

impl IntoResponse for Upgraded {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Upgraded {
    fn describe(description: &mut Description, _: &mut SchemaGenerator) {
        description.answers.push(Answered { status: Some(101), media: None, schema: None });
    }
}

/// `GET /v1/socket`.
///
/// # Errors
///
/// [`RejectCode::Malformed`] if it is no upgrade or names no sub-protocol of ours, and what is
/// wrong with the token.
pub async fn upgrade(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    peer: Peer,
    admitted: Option<Extension<Arc<Admitted>>>,
) -> Answer<Upgraded> {
    app.check_ready()?;
    let upgrade = upgrade.map_err(|_| {
        Reject::from(RejectCode::Malformed).saying("This path only takes WebSocket upgrades.")
    })?;
    let upgrade = upgrade.protocols([SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON]);
    let encoding = upgrade.selected_protocol().and_then(|name| Encoding::of(name.as_bytes()));
    let encoding = encoding.ok_or_else(|| {
        Reject::from(RejectCode::Malformed)
            .saying(format!("Name a sub-protocol: {SUBPROTOCOL_CBOR} or {SUBPROTOCOL_JSON}."))
    })?;
    let services = app.services.clone();
    let caller = match headers.contains_key(header::AUTHORIZATION) {
        true => {
            let caller = authenticate::device(&services, bearer(&headers)?).await?;
            services.take(Class::Connect, Subject::Device(caller.address)).await?;
            Some(caller)
        }
        false => {
            services.take(Class::Anonymous, Subject::address(peer.0)).await?;
            None
        }
    };
    let connections = app.connections.clone();
    let admitted = admitted.map(|Extension(admitted)| admitted);
    // Goes on with the request's trace, where somebody looks so closely.
    let span = tracing::debug_span!("socket");
    let response = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(2 * FRAME_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(async move |socket| {
            connections
                .track_future(connection::run(services, socket, encoding, caller, admitted))
                .instrument(span)
                .await;
        });
    Ok(Upgraded(response))
}
