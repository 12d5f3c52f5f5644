//! `/v1/linking/…`: nobody logs in here, since a device that is to be linked could not.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::linking::{LinkMessage, ReadLinkSlot, WriteLinkSlot};

use super::App;
use super::extract::{Body, Peer};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/linking/write`.
///
/// # Errors
///
/// As [`service::linking::write`].
pub async fn write(
    State(app): State<App>,
    Peer(from): Peer,
    Body(asked): Body<WriteLinkSlot>,
) -> Answer<StatusCode> {
    service::linking::write(&app.services, from, &asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/linking/read`.
///
/// # Errors
///
/// As [`service::linking::read`].
pub async fn read(
    State(app): State<App>,
    Peer(from): Peer,
    Body(asked): Body<ReadLinkSlot>,
) -> Answer<Json<LinkMessage>> {
    Ok(Json(service::linking::read(&app.services, from, &asked, &app.ready).await?))
}
