//! `/v1/auth/…` and `/v1/devices/enrol`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::auth::{
    DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, Enrol, Enrolment, LoginAnswer,
    LoginFinish, OpaqueStart, Refresh, RegistrationAnswer, RegistrationFinish, Tokens,
};

use super::App;
use super::extract::{Body, Device, Enrolling, From};
use super::refusal::Answer;
use crate::service;

/// `POST /v1/auth/register/start`.
///
/// # Errors
///
/// As [`service::register::start`].
pub async fn register_start(
    State(app): State<App>,
    From(from): From,
    Body(start): Body<OpaqueStart>,
) -> Answer<Json<RegistrationAnswer>> {
    app.check_ready()?;
    Ok(Json(service::register::start(&app.services, &start, from).await?))
}

/// `POST /v1/auth/register/finish`.
///
/// # Errors
///
/// As [`service::register::finish`].
pub async fn register_finish(
    State(app): State<App>,
    From(from): From,
    Body(finish): Body<RegistrationFinish>,
) -> Answer<Json<Tokens>> {
    Ok(Json(service::register::finish(&app.services, finish, from).await?))
}

/// `POST /v1/auth/login/start`.
///
/// # Errors
///
/// As [`service::login::start`].
pub async fn login_start(
    State(app): State<App>,
    From(from): From,
    Body(start): Body<OpaqueStart>,
) -> Answer<Json<LoginAnswer>> {
    app.check_ready()?;
    Ok(Json(service::login::start(&app.services, &start, from).await?))
}

/// `POST /v1/auth/login/finish`.
///
/// # Errors
///
/// As [`service::login::finish`].
pub async fn login_finish(
    State(app): State<App>,
    From(from): From,
    Body(finish): Body<LoginFinish>,
) -> Answer<Json<Enrolment>> {
    Ok(Json(service::login::finish(&app.services, &finish, from).await?))
}

/// `POST /v1/auth/device/start`.
///
/// # Errors
///
/// As [`service::device_login::start`].
pub async fn device_start(
    State(app): State<App>,
    From(from): From,
    Body(start): Body<DeviceLoginStart>,
) -> Answer<Json<DeviceChallenge>> {
    app.check_ready()?;
    Ok(Json(service::device_login::start(&app.services, start, from).await?))
}

/// `POST /v1/auth/device/finish`.
///
/// # Errors
///
/// As [`service::device_login::finish`].
pub async fn device_finish(
    State(app): State<App>,
    From(from): From,
    Body(finish): Body<DeviceLoginFinish>,
) -> Answer<Json<Tokens>> {
    Ok(Json(service::device_login::finish(&app.services, &finish, from).await?))
}

/// `POST /v1/auth/refresh`.
///
/// # Errors
///
/// As [`service::tokens::refresh`].
pub async fn refresh(
    State(app): State<App>,
    From(from): From,
    Body(refresh): Body<Refresh>,
) -> Answer<Json<Tokens>> {
    Ok(Json(service::tokens::refresh(&app.services, &refresh, from).await?))
}

/// `POST /v1/auth/logout`.
///
/// # Errors
///
/// As [`service::tokens::log_out`].
pub async fn log_out(State(app): State<App>, Device(caller): Device) -> Answer<StatusCode> {
    service::tokens::log_out(&app.services, caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/devices/enrol`.
///
/// # Errors
///
/// As [`service::enrol::enrol`].
pub async fn enrol(
    State(app): State<App>,
    Enrolling(account): Enrolling,
    Body(enrol): Body<Enrol>,
) -> Answer<Json<Tokens>> {
    Ok(Json(service::enrol::enrol(&app.services, account, enrol).await?))
}
