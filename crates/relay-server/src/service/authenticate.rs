//! From a token to a device that may act.

use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::auth::tokens::Bearer;
use crate::storage::DeviceState;

/// Checks an access token, and that its device was not removed meanwhile.
///
/// # Errors
///
/// [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`], [`RejectCode::DeviceRemoved`];
/// [`RejectCode::Forbidden`] for a token that only enrols.
pub async fn device(services: &Services, token: &str) -> Result<Caller, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Device { address, family } => match services.storage.device_state(address).await? {
            DeviceState::Active => Ok(Caller { address, family }),
            DeviceState::Removed => Err(RejectCode::DeviceRemoved.into()),
            DeviceState::Unknown => Err(RejectCode::TokenInvalid.into()),
        },
        Bearer::Enrolling(_) => Err(Reject::from(RejectCode::Forbidden)
            .saying("This token only enrols a device; enrol one and use its token.")),
    }
}

/// Checks an access token of either scope: who only enrols may read what it needs for that.
///
/// # Errors
///
/// As [`device`], without [`RejectCode::Forbidden`].
pub async fn account(services: &Services, token: &str) -> Result<AccountId, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Enrolling(account) => Ok(account),
        Bearer::Device { .. } => Ok(device(services, token).await?.address.account),
    }
}

/// Checks that a token is there to enrol a device.
///
/// # Errors
///
/// [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`]; [`RejectCode::Forbidden`] for the
/// token of a device.
pub fn enrolling(services: &Services, token: &str) -> Result<AccountId, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Enrolling(account) => Ok(account),
        Bearer::Device { .. } => Err(RejectCode::Forbidden.into()),
    }
}
