//! The sealed keyring, which the relay keeps without being able to open it.

use chat_core::api::account::Keyring;
use chat_core::id::AccountId;
use chat_core::reject::{Reject, RejectCode};

use super::Services;
use crate::audit::{AuditEvent, Note};

/// The caller's sealed keyring.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn get(services: &Services, account: AccountId) -> Result<Keyring, Reject> {
    Ok(services.storage.keyring(account).await?.ok_or(RejectCode::NotFound)?)
}

/// Replaces it by the one numbered next.
///
/// # Errors
///
/// [`RejectCode::Conflict`].
pub async fn put(services: &Services, account: AccountId, keyring: &Keyring) -> Result<(), Reject> {
    services.storage.put_keyring(account, keyring).await?;
    let note = Note::done(AuditEvent::KeyringReplaced).by_account(account);
    services.audit.note(note.saying(format_args!("number {}", keyring.number)));
    Ok(())
}
