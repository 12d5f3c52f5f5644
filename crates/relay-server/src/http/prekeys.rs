//! `/v1/prekeys…`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::prekeys::{Bundles, FetchBundles, PrekeyCount};
use chat_core::prekey::PrekeyUpload;

use super::App;
use super::extract::{Body, Device};
use super::refusal::Answer;
use crate::service;

/// `PUT /v1/prekeys`.
///
/// # Errors
///
/// As [`service::prekeys::put`].
pub async fn put(
    State(app): State<App>,
    Device(caller): Device,
    Body(upload): Body<PrekeyUpload>,
) -> Answer<StatusCode> {
    service::prekeys::put(&app.services, caller, upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/prekeys`.
///
/// # Errors
///
/// As [`service::prekeys::count`].
pub async fn count(State(app): State<App>, Device(caller): Device) -> Answer<Json<PrekeyCount>> {
    Ok(Json(service::prekeys::count(&app.services, caller).await?))
}

/// `POST /v1/prekeys/fetch`.
///
/// # Errors
///
/// As [`service::prekeys::fetch`].
pub async fn fetch(
    State(app): State<App>,
    Device(caller): Device,
    Body(wanted): Body<FetchBundles>,
) -> Answer<Json<Bundles>> {
    Ok(Json(service::prekeys::fetch(&app.services, caller, &wanted).await?))
}
