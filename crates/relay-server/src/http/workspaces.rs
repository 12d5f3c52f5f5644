//! `/v1/workspace…`, `/v1/workspaces`, `/v1/account/sessions…`, `GET /v1/accounts`,
//! `DELETE /v1/account`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::workspaces::{
    ChannelPage, CreatedWorkspace, DeleteAccount, DocumentConversation, InvitationPage,
    IssuedInvitation, MemberPage, NamePage, NewInvitation, NewWorkspace, Sessions, SetRole,
    SetState, Workspace,
};
use chat_core::id::{AccountId, ConversationId, DeviceId, InvitationId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::App;
use super::extract::{Asked, Body, Device, Id};
use super::refusal::Answer;
use crate::service;

/// Where a page of members begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AfterAccount {
    after: Option<AccountId>,
}

/// Where a page of invitations begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AfterInvitation {
    after: Option<InvitationId>,
}

/// Where a page of channels begins.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AfterChannel {
    after: Option<ConversationId>,
}

/// Whom to look for, and after which name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Search {
    search: String,
    #[serde(default)]
    after: String,
}

/// Which document.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OfDocument {
    document: String,
}

/// `GET /v1/workspace`.
///
/// # Errors
///
/// As [`service::workspaces::own`].
pub async fn own(State(app): State<App>, Device(caller): Device) -> Answer<Json<Workspace>> {
    Ok(Json(service::workspaces::own(&app.services, caller).await?))
}

/// `POST /v1/workspaces`.
///
/// # Errors
///
/// As [`service::workspaces::create_by_owner`].
pub async fn create(
    State(app): State<App>,
    Device(caller): Device,
    Body(new): Body<NewWorkspace>,
) -> Answer<Json<CreatedWorkspace>> {
    Ok(Json(service::workspaces::create_by_owner(&app.services, caller, &new.name).await?))
}

/// `GET /v1/workspace/members?after={account}`.
///
/// # Errors
///
/// As [`service::workspaces::members`].
pub async fn members(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<AfterAccount>,
) -> Answer<Json<MemberPage>> {
    Ok(Json(service::workspaces::members(&app.services, caller, asked.after).await?))
}

/// `PUT /v1/workspace/members/{account}/role`.
///
/// # Errors
///
/// As [`service::members::set_role`].
pub async fn set_role(
    State(app): State<App>,
    Device(caller): Device,
    Id(account): Id<AccountId>,
    Body(wanted): Body<SetRole>,
) -> Answer<StatusCode> {
    service::members::set_role(&app.services, caller, account, wanted.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v1/workspace/members/{account}/state`.
///
/// # Errors
///
/// As [`service::members::set_state`].
pub async fn set_state(
    State(app): State<App>,
    Device(caller): Device,
    Id(account): Id<AccountId>,
    Body(wanted): Body<SetState>,
) -> Answer<StatusCode> {
    service::members::set_state(&app.services, caller, account, wanted.state).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/workspace/members/{account}`.
///
/// # Errors
///
/// As [`service::members::remove`].
pub async fn remove(
    State(app): State<App>,
    Device(caller): Device,
    Id(account): Id<AccountId>,
) -> Answer<StatusCode> {
    service::members::remove(&app.services, caller, account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/workspace/invitations?after={invitation}`.
///
/// # Errors
///
/// As [`service::invitations::list`].
pub async fn invitations(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<AfterInvitation>,
) -> Answer<Json<InvitationPage>> {
    Ok(Json(service::invitations::list(&app.services, caller, asked.after).await?))
}

/// `POST /v1/workspace/invitations`.
///
/// # Errors
///
/// As [`service::invitations::issue`].
pub async fn invite(
    State(app): State<App>,
    Device(caller): Device,
    Body(new): Body<NewInvitation>,
) -> Answer<Json<IssuedInvitation>> {
    Ok(Json(service::invitations::issue(&app.services, caller, new).await?))
}

/// `DELETE /v1/workspace/invitations/{invitation}`.
///
/// # Errors
///
/// As [`service::invitations::revoke`].
pub async fn revoke(
    State(app): State<App>,
    Device(caller): Device,
    Id(invitation): Id<InvitationId>,
) -> Answer<StatusCode> {
    service::invitations::revoke(&app.services, caller, invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/workspace/channels?after={conversation}`.
///
/// # Errors
///
/// As [`service::channels::list`].
pub async fn channels(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<AfterChannel>,
) -> Answer<Json<ChannelPage>> {
    Ok(Json(service::channels::list(&app.services, caller, asked.after).await?))
}

/// `GET /v1/workspace/documents?document={id}`.
///
/// # Errors
///
/// As [`service::channels::of_document`].
pub async fn of_document(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<OfDocument>,
) -> Answer<Json<DocumentConversation>> {
    Ok(Json(service::channels::of_document(&app.services, caller, &asked.document).await?))
}

/// `GET /v1/accounts?search={prefix}&after={username}`.
///
/// # Errors
///
/// As [`service::workspaces::search`].
pub async fn search(
    State(app): State<App>,
    Device(caller): Device,
    Asked(asked): Asked<Search>,
) -> Answer<Json<NamePage>> {
    let page = service::workspaces::search(&app.services, caller, &asked.search, &asked.after);
    Ok(Json(page.await?))
}

/// `DELETE /v1/account`.
///
/// # Errors
///
/// As [`service::ending::by_itself`].
pub async fn delete_account(
    State(app): State<App>,
    Device(caller): Device,
    Body(request): Body<DeleteAccount>,
) -> Answer<StatusCode> {
    service::ending::by_itself(&app.services, caller, &request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/account/sessions`.
///
/// # Errors
///
/// As [`service::sessions::list`].
pub async fn sessions(State(app): State<App>, Device(caller): Device) -> Answer<Json<Sessions>> {
    Ok(Json(service::sessions::list(&app.services, caller).await?))
}

/// `DELETE /v1/account/sessions`: all but the caller's.
///
/// # Errors
///
/// As [`service::sessions::end_others`].
pub async fn end_other_sessions(
    State(app): State<App>,
    Device(caller): Device,
) -> Answer<StatusCode> {
    service::sessions::end_others(&app.services, caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/account/sessions/{device}`.
///
/// # Errors
///
/// As [`service::sessions::end_device`].
pub async fn end_session(
    State(app): State<App>,
    Device(caller): Device,
    Id(device): Id<DeviceId>,
) -> Answer<StatusCode> {
    service::sessions::end_device(&app.services, caller, device).await?;
    Ok(StatusCode::NO_CONTENT)
}
