//! `/v1/reports`.

use axum::Json;
use axum::extract::State;
use chat_core::api::reports::{FileReport, ReportFiled};

use super::App;
use super::extract::{Body, Device};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/reports`.
///
/// # Errors
///
/// As [`service::reports::file`].
pub async fn file(
    State(app): State<App>,
    Device(caller): Device,
    Body(report): Body<FileReport>,
) -> Answer<Json<ReportFiled>> {
    Ok(Json(service::reports::file(&app.services, caller, report).await?))
}
