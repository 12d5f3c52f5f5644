//! `/v1/account…`, the caller's own, and `/v1/accounts/…`, everybody's.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::api::account::{AccountKeys, AccountName, Keyring, OwnAccount};
use chat_core::device::PublishedDevices;
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::Unverified;

use super::App;
use super::extract::{AnyAccount, Body, Device, Id, bearer};
use super::refusal::Answer;
use crate::service;

/// `GET /v1/account`.
///
/// # Errors
///
/// As [`service::accounts::own`].
pub async fn own(
    State(app): State<App>,
    AnyAccount(account): AnyAccount,
) -> Answer<Json<OwnAccount>> {
    Ok(Json(service::accounts::own(&app.services, account).await?))
}

/// `PUT /v1/account/devices`.
///
/// # Errors
///
/// As [`service::devices::replace`].
pub async fn put_devices(
    State(app): State<App>,
    Device(caller): Device,
    Body(devices): Body<PublishedDevices>,
) -> Answer<StatusCode> {
    service::devices::replace(&app.services, caller.address.account, devices).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v1/account/envelope-keys`.
///
/// # Errors
///
/// As [`service::accounts::put_envelope_keys`].
pub async fn put_envelope_keys(
    State(app): State<App>,
    Device(caller): Device,
    Body(keys): Body<Unverified<EnvelopeKeys>>,
) -> Answer<StatusCode> {
    service::accounts::put_envelope_keys(&app.services, caller.address.account, keys).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/account/keyring`.
///
/// # Errors
///
/// As [`service::keyring::get`].
pub async fn keyring(
    State(app): State<App>,
    AnyAccount(account): AnyAccount,
) -> Answer<Json<Keyring>> {
    Ok(Json(service::keyring::get(&app.services, account).await?))
}

/// `PUT /v1/account/keyring`.
///
/// # Errors
///
/// As [`service::keyring::put`].
pub async fn put_keyring(
    State(app): State<App>,
    Device(caller): Device,
    Body(keyring): Body<Keyring>,
) -> Answer<StatusCode> {
    service::keyring::put(&app.services, caller.address.account, &keyring).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/accounts/by-name/{username}`.
///
/// # Errors
///
/// As [`service::accounts::by_name`].
pub async fn by_name(
    State(app): State<App>,
    Device(caller): Device,
    Id(username): Id<String>,
) -> Answer<Json<AccountName>> {
    Ok(Json(service::accounts::by_name(&app.services, caller, &username).await?))
}

/// `GET /v1/accounts/{account}/keys`; whoever only enrols sees its own.
///
/// # Errors
///
/// As [`service::accounts::keys`].
pub async fn keys(
    State(app): State<App>,
    AnyAccount(asking): AnyAccount,
    Id(account): Id<AccountId>,
    headers: axum::http::HeaderMap,
) -> Answer<Json<AccountKeys>> {
    let is_device =
        service::authenticate::enrolling(&app.services, bearer(&headers)?).await.is_err();
    if !is_device && asking != account {
        return Err(Reject::from(RejectCode::Forbidden).into());
    }
    Ok(Json(service::accounts::keys(&app.services, asking, account).await?))
}
