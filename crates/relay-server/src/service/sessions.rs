//! An account's log-ins: which there are, when they were last used, and ending them.

use chat_core::api::workspaces::{SessionInfo, Sessions};
use chat_core::id::{DeviceAddress, DeviceId};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, tokens};
use crate::audit::{AuditEvent, Note};
use crate::storage::{Session, SessionRecord};

/// The sessions of the caller's account.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn list(services: &Services, caller: Caller) -> Result<Sessions, Reject> {
    let records = services.storage.sessions(caller.address.account).await?;
    let info = |record: SessionRecord| SessionInfo {
        device: record.device,
        begun_at: record.begun_at,
        used_at: record.used_at,
        is_current: record.family == caller.family,
    };
    Ok(Sessions { sessions: records.into_iter().map(info).collect() })
}

/// Ends the sessions of one of the caller's devices. It may log in again with its key, unless it is
/// removed from the account's list.
///
/// # Errors
///
/// [`RejectCode::NotFound`] for a device that has none.
pub async fn end_device(
    services: &Services,
    caller: Caller,
    device: DeviceId,
) -> Result<(), Reject> {
    let ended = end(services, caller, |record| record.device == device).await?;
    if ended == 0 { Err(RejectCode::NotFound.into()) } else { Ok(()) }
}

/// Ends all sessions but the caller's.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn end_others(services: &Services, caller: Caller) -> Result<(), Reject> {
    end(services, caller, |record| record.family != caller.family).await.map(drop)
}

async fn end(
    services: &Services,
    caller: Caller,
    which: impl Fn(&SessionRecord) -> bool,
) -> Result<usize, Reject> {
    let account = caller.address.account;
    let records = services.storage.sessions(account).await?;
    let ended: Vec<_> = records.into_iter().filter(|record| which(record)).collect();
    for SessionRecord { device, family, .. } in &ended {
        services.storage.revoke_family(*family).await?;
        let address = DeviceAddress { account, device: *device };
        let note = Note::done(AuditEvent::LoggedOut).by(caller.address).to_device(address);
        services.audit.note(note);
        tokens::disconnect(services, Session { address, family: *family });
    }
    Ok(ended.len())
}
