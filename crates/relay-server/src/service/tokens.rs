//! Tokens: begun at a log-in, exchanged when they run out, ended at a log-out.

use chat_core::api::auth::{Refresh, Tokens};
use chat_core::id::DeviceAddress;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::auth::refresh::{REFRESH_LIFETIME, RefreshToken};
use crate::auth::tokens::Bearer;
use crate::bus::BusEvent;
use crate::registry::Ending;
use crate::storage::{FamilyId, RefreshOutcome, StorageError};

/// Begins a family of refresh tokens for a device that has just shown who it is.
///
/// # Errors
///
/// [`RejectCode::DeviceRemoved`] if it was removed meanwhile.
pub async fn begin(services: &Services, address: DeviceAddress) -> Result<Tokens, Reject> {
    let family = FamilyId::from_bytes(crate::random::bytes());
    let refresh = RefreshToken::generate();
    let expires_at = services.now().after(REFRESH_LIFETIME);
    match services.storage.insert_refresh(family, address, refresh.hash(), expires_at).await {
        Err(StorageError::NotFound) => Err(RejectCode::DeviceRemoved.into()),
        Err(error) => Err(error.into()),
        Ok(()) => issue(services, address, family, &refresh),
    }
}

/// Spends a refresh token for new tokens.
///
/// # Errors
///
/// [`RejectCode::TokenReplayed`] for one that was spent before: its family is ended by that, and
/// the device's connection with it. [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`].
pub async fn refresh(services: &Services, refresh: &Refresh) -> Result<Tokens, Reject> {
    let spent = RefreshToken::read(&refresh.refresh).ok_or(RejectCode::TokenInvalid)?;
    let successor = RefreshToken::generate();
    let now = services.now();
    let (spent, next) = (spent.hash(), successor.hash());
    match services.storage.spend_refresh(spent, next, now.after(REFRESH_LIFETIME), now).await? {
        RefreshOutcome::Spent { address, family } => issue(services, address, family, &successor),
        RefreshOutcome::Replayed { address, .. } => {
            tracing::warn!(%address, "a refresh token was replayed; its family is revoked");
            disconnect(services, address);
            Err(RejectCode::TokenReplayed.into())
        }
        RefreshOutcome::Expired => Err(Reject::from(RejectCode::TokenExpired)
            .saying("The refresh token has run out or was revoked; log in again.")),
        RefreshOutcome::Unknown => Err(RejectCode::TokenInvalid.into()),
    }
}

/// Ends the caller's refresh tokens and its connections.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn log_out(services: &Services, caller: Caller) -> Result<(), Reject> {
    services.storage.revoke_family(caller.family).await?;
    disconnect(services, caller.address);
    Ok(())
}

fn disconnect(services: &Services, address: DeviceAddress) {
    services.registry.end(address, Ending::LoggedOut);
    // To other nodes a connection that nobody has takes the place of all the device has.
    let event = BusEvent::Displace { address, connection: 0, node: services.node };
    services.bus.publish(&[address.account], event);
}

fn issue(
    services: &Services,
    address: DeviceAddress,
    family: FamilyId,
    refresh: &RefreshToken,
) -> Result<Tokens, Reject> {
    let bearer = Bearer::Device { address, family };
    let access = services.tokens.issue(bearer, services.now()).ok_or(RejectCode::Internal)?;
    Ok(Tokens {
        address,
        access: access.token,
        expires_at: access.expires_at,
        refresh: refresh.text(),
    })
}
