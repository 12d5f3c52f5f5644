//! Tokens: begun at a log-in, exchanged when they run out, ended at a log-out.

use std::net::IpAddr;

use chat_core::api::auth::{Refresh, Tokens, refresh_input};
use chat_core::id::DeviceAddress;
use chat_core::key::Verifier as _;
use chat_core::label;
use chat_core::reject::{Reject, RejectCode};

use super::workspaces::check_active;
use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::auth::refresh::{FORGIVEN_FOR, REFRESH_LIFETIME, RefreshToken};
use crate::auth::tokens::Bearer;
use crate::bus::BusEvent;
use crate::registry::Ending;
use crate::storage::{FamilyId, RefreshOutcome, Session, StorageError};

/// Begins a family of refresh tokens for a device that has just shown who it is.
///
/// # Errors
///
/// [`RejectCode::DeviceRemoved`] if it was removed meanwhile, [`RejectCode::AccountSuspended`].
pub async fn begin(services: &Services, address: DeviceAddress) -> Result<Tokens, Reject> {
    let family = FamilyId::from_bytes(crate::random::bytes());
    let refresh = RefreshToken::generate();
    let now = services.now();
    let expires_at = now.after(REFRESH_LIFETIME);
    check_active(services.standing(address.account).await?)?;
    let begun = services.storage.insert_refresh(family, address, refresh.hash(), expires_at, now);
    match begun.await {
        Err(StorageError::NotFound) => Err(RejectCode::DeviceRemoved.into()),
        Err(error) => Err(error.into()),
        Ok(()) => issue(services, address, family, &refresh),
    }
}

/// Spends a refresh token for new tokens.
///
/// A device whose answer was lost may ask again for [`FORGIVEN_FOR`], and is given the same
/// successor; it shows by a signature that it is the device.
///
/// # Errors
///
/// [`RejectCode::TokenReplayed`] for one that was spent before: its family is ended by that, and
/// the device's connection with it. [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`].
pub async fn refresh(
    services: &Services,
    refresh: &Refresh,
    from: IpAddr,
) -> Result<Tokens, Reject> {
    let token = RefreshToken::read(&refresh.refresh).ok_or(RejectCode::TokenInvalid)?;
    let successor = token.successor(&services.refresh_secret);
    let (spent, next, now) = (token.hash(), successor.hash(), services.now());
    let expires_at = now.after(REFRESH_LIFETIME);
    match services.storage.spend_refresh(spent, next, expires_at, FORGIVEN_FOR, now).await? {
        RefreshOutcome::Spent { address, family } => {
            check_active(services.standing(address.account).await?)?;
            issue(services, address, family, &successor)
        }
        RefreshOutcome::Repeated { address, family } => {
            // SECURITY: a thief who is as quick as this has the token, but not the device's key.
            if is_signed(services, address, refresh).await? {
                return issue(services, address, family, &successor);
            }
            services.storage.revoke_family(family).await?;
            Err(replayed(services, Session { address, family }, from))
        }
        RefreshOutcome::Replayed { address, family } => {
            Err(replayed(services, Session { address, family }, from))
        }
        RefreshOutcome::Expired => Err(Reject::from(RejectCode::TokenExpired)
            .saying("The refresh token has run out or was revoked; log in again.")),
        RefreshOutcome::Unknown => Err(RejectCode::TokenInvalid.into()),
    }
}

fn replayed(services: &Services, session: Session, from: IpAddr) -> Reject {
    tracing::warn!(address = %session.address, "a refresh token was replayed; its family is revoked");
    let note = Note::refused(AuditEvent::TokenReplayed).to_device(session.address).from(from);
    services.audit.note(note);
    disconnect(services, session);
    RejectCode::TokenReplayed.into()
}

/// Whether the device itself asks.
async fn is_signed(
    services: &Services,
    address: DeviceAddress,
    refresh: &Refresh,
) -> Result<bool, Reject> {
    let Some(signature) = &refresh.signature else { return Ok(false) };
    let devices = services.devices_of(address.account).await?;
    let Some(certificate) = devices.active_device(address.device) else { return Ok(false) };
    Ok(services.origins.iter().any(|origin| {
        let input = refresh_input(origin, &refresh.refresh);
        certificate.key.verifies(label::REFRESH, &input, signature)
    }))
}

/// Ends the caller's refresh tokens, its access tokens and its connections, on every node.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn log_out(services: &Services, caller: Caller) -> Result<(), Reject> {
    services.storage.revoke_family(caller.family).await?;
    services.storage.set_push_target(caller.address, None).await?;
    services.audit.note(Note::done(AuditEvent::LoggedOut).by(caller.address));
    disconnect(services, Session { address: caller.address, family: caller.family });
    Ok(())
}

pub(super) fn disconnect(services: &Services, session: Session) {
    services.registry.end_session(session, Ending::LoggedOut);
    let Session { address, family } = session;
    services.bus.publish(&[address.account], BusEvent::SessionEnded { address, family });
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
