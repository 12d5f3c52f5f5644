//! `/v1/unread`.

use axum::Json;
use axum::extract::State;
use chat_core::api::unread::Unread;

use super::App;
use super::extract::Device;
use super::refusal::Answer;
use crate::service;

/// `GET /v1/unread`.
///
/// # Errors
///
/// As [`service::unread::counts`].
pub async fn counts(State(app): State<App>, Device(caller): Device) -> Answer<Json<Unread>> {
    Ok(Json(service::unread::counts(&app.services, caller).await?))
}
