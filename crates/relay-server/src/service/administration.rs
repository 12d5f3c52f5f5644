//! What an operator does to accounts, on the machine itself: look, and end sessions.
//!
//! An operator is no account and has no role: whoever can read the database's password may do this,
//! and each act stands in the audit log. What people of a workspace do to each other, by their
//! roles, are other verbs. Neither can read a message, add a device or change a key: clients would
//! refuse that.

use chat_core::api::workspaces::{AccountState, WorkspaceRole};
use chat_core::device::AccountDevices;
use chat_core::id::{AccountId, DeviceId, WorkspaceId};
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use serde::Serialize;

use crate::audit::{AuditEvent, Note};
use crate::storage::Storage;

/// Who notes what was done here.
const NODE: &str = "command line";

/// An account, as an operator sees it.
#[derive(Clone, Debug, Serialize)]
pub struct AccountReport {
    /// Which.
    pub account: AccountId,
    /// Its username.
    pub username: String,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// What it is there.
    pub role: WorkspaceRole,
    /// Whether it may act.
    pub state: AccountState,
    /// The number of its device list.
    pub device_list: u32,
    /// Its devices, removed ones left out.
    pub devices: Vec<DeviceReport>,
}

/// A device, as an operator sees it.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceReport {
    /// Which.
    pub device: DeviceId,
    /// When it was certified, by its account's clock.
    pub created_at: Timestamp,
    /// One-time prekeys that it has left here.
    pub prekeys: u32,
    /// Its log-ins that last, the most recently used first.
    pub sessions: Vec<SessionReport>,
}

/// A log-in that lasts, as an operator sees it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SessionReport {
    /// Since when.
    pub begun_at: Timestamp,
    /// When its tokens were last renewed: at most 15 minutes before it was last used.
    pub used_at: Timestamp,
}

/// Finds an account by its name.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn find(storage: &dyn Storage, username: &str) -> Result<AccountId, Reject> {
    let found = storage.login_record(username).await?.ok_or(RejectCode::NotFound)?;
    Ok(found.account)
}

/// Tells what there is of an account.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn account(storage: &dyn Storage, account: AccountId) -> Result<AccountReport, Reject> {
    let own = storage.account(account).await?.ok_or(RejectCode::NotFound)?;
    let standing = storage.standing(account).await?.ok_or(RejectCode::NotFound)?;
    let listed = devices(storage, account).await?;
    let sessions = storage.sessions(account).await?;
    let mut devices = Vec::new();
    for certificate in listed.active() {
        let device = certificate.address.device;
        let of_device = sessions.iter().filter(|session| session.device == device);
        devices.push(DeviceReport {
            device,
            created_at: certificate.created_at,
            prekeys: storage.prekey_count(certificate.address).await?.remaining,
            sessions: of_device
                .map(|session| SessionReport {
                    begun_at: session.begun_at,
                    used_at: session.used_at,
                })
                .collect(),
        });
    }
    Ok(AccountReport {
        account: own.account,
        username: own.username,
        workspace: own.workspace,
        role: standing.role,
        state: standing.state,
        device_list: listed.number(),
        devices,
    })
}

/// Ends the sessions of an account, or of one of its devices; returns of how many devices.
///
/// Nodes refuse their tokens from this moment, and end their connections when they next look. The
/// devices may log in again with their keys: only their owner can remove one from the list.
///
/// # Errors
///
/// [`RejectCode::NotFound`] for an account or a device there is not.
pub async fn end_sessions(
    storage: &dyn Storage,
    account: AccountId,
    device: Option<DeviceId>,
    now: Timestamp,
) -> Result<usize, Reject> {
    let listed = devices(storage, account).await?;
    let ended: Vec<_> = listed
        .active()
        .map(|certificate| certificate.address)
        .filter(|address| device.is_none_or(|device| address.device == device))
        .collect();
    if ended.is_empty() {
        return Err(RejectCode::NotFound.into());
    }
    for address in &ended {
        storage.revoke_device(*address).await?;
        let note = Note::done(AuditEvent::Administration).to_device(*address);
        let note = note.saying("sessions ended by an operator");
        storage.append_audit(&[note.record(now, NODE)]).await?;
    }
    Ok(ended.len())
}

async fn devices(storage: &dyn Storage, account: AccountId) -> Result<AccountDevices, Reject> {
    let keys = storage.account_keys(account).await?.ok_or(RejectCode::NotFound)?;
    AccountDevices::verify(account, keys.devices).map_err(|_| RejectCode::Internal.into())
}
