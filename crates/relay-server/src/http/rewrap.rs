//! `/v1/conversations/{id}/wraps`.

use axum::Json;
use axum::extract::State;
use chat_core::api::conversations::{AddWraps, WrapsAdded};
use chat_core::id::ConversationId;

use super::App;
use super::extract::{Body, Device, Id};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/conversations/{id}/wraps`.
///
/// # Errors
///
/// As [`service::rewrap::add`].
pub async fn add(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
    Body(add): Body<AddWraps>,
) -> Answer<Json<WrapsAdded>> {
    Ok(Json(service::rewrap::add(&app.services, caller, conversation, &add.wraps).await?))
}
