//! `/v1/auth/recovery/…`, `/v1/account/recovery-key` and `/v1/account/password/…`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::auth::{Enrolment, RegistrationAnswer};
use chat_core::api::recovery::{
    PasswordFinish, PasswordStart, PutRecoveryKey, RecoveryChallenge, RecoveryFinish, RecoveryStart,
};

use super::App;
use super::extract::{Body, Device, From};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/auth/recovery/start`.
///
/// # Errors
///
/// As [`service::recovery::start`].
pub async fn start(
    State(app): State<App>,
    From(from): From,
    Body(start): Body<RecoveryStart>,
) -> Answer<Json<RecoveryChallenge>> {
    app.check_ready()?;
    Ok(Json(service::recovery::start(&app.services, &start, from).await?))
}

/// `POST /v1/auth/recovery/finish`.
///
/// # Errors
///
/// As [`service::recovery::finish`].
pub async fn finish(
    State(app): State<App>,
    From(from): From,
    Body(finish): Body<RecoveryFinish>,
) -> Answer<Json<Enrolment>> {
    Ok(Json(service::recovery::finish(&app.services, &finish, from).await?))
}

/// `PUT /v1/account/recovery-key`.
///
/// # Errors
///
/// As [`service::recovery::put_key`].
pub async fn put_key(
    State(app): State<App>,
    Device(caller): Device,
    Body(put): Body<PutRecoveryKey>,
) -> Answer<StatusCode> {
    service::recovery::put_key(&app.services, caller, put.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/account/password/start`.
///
/// # Errors
///
/// As [`service::recovery::password_start`].
pub async fn password_start(
    State(app): State<App>,
    Device(caller): Device,
    Body(start): Body<PasswordStart>,
) -> Answer<Json<RegistrationAnswer>> {
    Ok(Json(service::recovery::password_start(&app.services, caller, &start).await?))
}

/// `POST /v1/account/password/finish`.
///
/// # Errors
///
/// As [`service::recovery::password_finish`].
pub async fn password_finish(
    State(app): State<App>,
    Device(caller): Device,
    Body(finish): Body<PasswordFinish>,
) -> Answer<StatusCode> {
    service::recovery::password_finish(&app.services, caller, &finish).await?;
    Ok(StatusCode::NO_CONTENT)
}
