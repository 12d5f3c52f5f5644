//! `/v1/conversations…`.

use axum::Json;
use axum::extract::State;
use chat_core::api::conversations::{
    AppendEntry, ConversationPage, MembershipHead, MembershipPage, MessagePage, Receipts,
};
use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use super::extract::{Asked, Body, Device, Id};
use super::refusal::Answer;
use crate::service;

/// Where a page of conversations begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AfterConversation {
    after: Option<ConversationId>,
}

/// Where a page of a membership log begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FromIndex {
    #[serde(default)]
    from: u64,
}

/// Where a page of history begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AfterSequence {
    #[serde(default)]
    after: Sequence,
}

/// `GET /v1/conversations?after={id}`.
///
/// # Errors
///
/// As [`service::read::conversations`].
pub async fn list(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<AfterConversation>,
) -> Answer<Json<ConversationPage>> {
    Ok(Json(service::read::conversations(&app.services, caller, asked.after).await?))
}

/// `POST /v1/conversations`.
///
/// # Errors
///
/// As [`service::membership::create`].
pub async fn create(
    State(app): State<App>,
    Device(caller): Device,
    Body(append): Body<AppendEntry>,
) -> Answer<Json<MembershipHead>> {
    Ok(Json(service::membership::create(&app.services, caller, append.entry).await?))
}

/// `GET /v1/conversations/{id}/membership?from={index}`.
///
/// # Errors
///
/// As [`service::read::membership`].
pub async fn membership(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
    Asked(asked): Asked<FromIndex>,
) -> Answer<Json<MembershipPage>> {
    Ok(Json(service::read::membership(&app.services, caller, conversation, asked.from).await?))
}

/// `POST /v1/conversations/{id}/membership`.
///
/// # Errors
///
/// As [`service::membership::append`].
pub async fn append(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
    Body(append): Body<AppendEntry>,
) -> Answer<Json<MembershipHead>> {
    let head =
        service::membership::append(&app.services, caller, conversation, append.entry).await?;
    Ok(Json(head))
}

/// `GET /v1/conversations/{id}/messages?after={sequence}`.
///
/// # Errors
///
/// As [`service::read::messages`].
pub async fn messages(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
    Asked(asked): Asked<AfterSequence>,
) -> Answer<Json<MessagePage>> {
    Ok(Json(service::read::messages(&app.services, caller, conversation, asked.after).await?))
}

/// `GET /v1/conversations/{id}/receipts`.
///
/// # Errors
///
/// As [`service::read::receipts`].
pub async fn receipts(
    State(app): State<App>,
    Device(caller): Device,
    Id(conversation): Id<ConversationId>,
) -> Answer<Json<Receipts>> {
    Ok(Json(service::read::receipts(&app.services, caller, conversation).await?))
}
