//! `/v1/devices/self/push`.

use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::push::PushTarget;

use super::App;
use super::extract::{Body, Device};
use super::refusal::Answer;
use crate::service;

/// `PUT /v1/devices/self/push`.
///
/// # Errors
///
/// As [`service::push::set`].
pub async fn set(
    State(app): State<App>,
    Device(caller): Device,
    Body(target): Body<PushTarget>,
) -> Answer<StatusCode> {
    service::push::set(&app.services, caller, &target).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/devices/self/push`.
///
/// # Errors
///
/// As [`service::push::clear`].
pub async fn clear(State(app): State<App>, Device(caller): Device) -> Answer<StatusCode> {
    service::push::clear(&app.services, caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
