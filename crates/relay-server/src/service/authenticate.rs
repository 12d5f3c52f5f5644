//! From a token to a device that may act.

use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};

use super::workspaces::check_active;
use super::{Caller, Services};
use crate::auth::tokens::Bearer;
use crate::storage::{Session, SessionState};

/// Checks an access token, and that its device was not removed and has not logged out meanwhile.
///
/// The store is asked each time, so that who was cut off is cut off on every node at once, whatever
/// their token says.
///
/// # Errors
///
/// [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`], [`RejectCode::DeviceRemoved`],
/// [`RejectCode::AccountSuspended`];
/// [`RejectCode::Forbidden`] for a token that only enrols.
pub async fn device(services: &Services, token: &str) -> Result<Caller, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Device { address, family } => {
            let caller = Caller { address, family };
            still_active(services, caller).await?;
            Ok(caller)
        }
        Bearer::Enrolling(_) => Err(Reject::from(RejectCode::Forbidden)
            .saying("This token only enrols a device; enrol one and use its token.")),
    }
}

/// Checks that a device which has shown who it is may still act.
///
/// # Errors
///
/// [`RejectCode::DeviceRemoved`], [`RejectCode::TokenInvalid`].
pub async fn still_active(services: &Services, caller: Caller) -> Result<(), Reject> {
    let session = Session { address: caller.address, family: caller.family };
    match services.storage.session_states(&[session]).await?.as_slice() {
        [SessionState::Active] => Ok(()),
        [SessionState::Suspended] => Err(RejectCode::AccountSuspended.into()),
        [SessionState::Removed] => Err(RejectCode::DeviceRemoved.into()),
        [SessionState::Ended] => Err(Reject::from(RejectCode::TokenInvalid)
            .saying("This device has logged out, or its tokens were revoked; log in again.")),
        _ => Err(RejectCode::TokenInvalid.into()),
    }
}

/// Checks an access token of either scope: who only enrols may read what it needs for that.
///
/// # Errors
///
/// As [`device`], without [`RejectCode::Forbidden`].
pub async fn account(services: &Services, token: &str) -> Result<AccountId, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Enrolling(account) => active(services, account).await,
        Bearer::Device { .. } => Ok(device(services, token).await?.address.account),
    }
}

/// Checks that a token is there to enrol a device.
///
/// # Errors
///
/// [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`]; [`RejectCode::Forbidden`] for the
/// token of a device.
pub async fn enrolling(services: &Services, token: &str) -> Result<AccountId, Reject> {
    match services.tokens.check(token, services.now())? {
        Bearer::Enrolling(account) => active(services, account).await,
        Bearer::Device { .. } => Err(RejectCode::Forbidden.into()),
    }
}

/// An account whose password was right a while ago may have been suspended since.
async fn active(services: &Services, account: AccountId) -> Result<AccountId, Reject> {
    check_active(services.standing(account).await?)?;
    Ok(account)
}
