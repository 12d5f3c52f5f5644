//! `/v1/account/backup…`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::backup::{BackupHead, PutBackup, SegmentPage, SegmentQuery};

use super::App;
use super::extract::{Asked, Body, Device};
use super::refusal::Answer;
use crate::service;

/// `GET /v1/account/backup`.
///
/// # Errors
///
/// As [`service::backup::head`].
pub async fn head(State(app): State<App>, Device(caller): Device) -> Answer<Json<BackupHead>> {
    Ok(Json(service::backup::head(&app.services, caller).await?))
}

/// `PUT /v1/account/backup`.
///
/// # Errors
///
/// As [`service::backup::put`].
pub async fn put(
    State(app): State<App>,
    Device(caller): Device,
    Body(new): Body<PutBackup>,
) -> Answer<StatusCode> {
    service::backup::put(&app.services, caller, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/account/backup/segments?before=…`.
///
/// # Errors
///
/// As [`service::backup::segments`].
pub async fn segments(
    State(app): State<App>,
    Device(caller): Device,
    Asked(SegmentQuery { before }): Asked<SegmentQuery>,
) -> Answer<Json<SegmentPage>> {
    Ok(Json(service::backup::segments(&app.services, caller, before).await?))
}
