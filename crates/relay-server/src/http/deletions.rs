//! `/v1/conversations/{id}/deletions`.

use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::conversations::DeleteMessage;
use chat_core::id::ConversationId;

use super::App;
use super::extract::{Body, Device, Id};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/conversations/{id}/deletions`.
///
/// # Errors
///
/// As [`service::deletions::delete`].
pub async fn delete(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
    Body(delete): Body<DeleteMessage>,
) -> Answer<StatusCode> {
    service::deletions::delete(&app.services, caller, conversation, delete.deletion).await?;
    Ok(StatusCode::NO_CONTENT)
}
