//! Looking accounts up, and what belongs to the caller's own.

use chat_core::api::account::{AccountKeys, AccountName, OwnAccount};
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::AccountId;
use chat_core::limits::is_username;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::Unverified;

use super::{Caller, Services, not_verified};
use crate::audit::{AuditEvent, Note};

/// Who has a username, as far as the caller may know of them.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn by_name(
    services: &Services,
    caller: Caller,
    username: &str,
) -> Result<AccountName, Reject> {
    if !is_username(username) {
        return Err(RejectCode::NotFound.into());
    }
    let record = services.storage.login_record(username).await?.ok_or(RejectCode::NotFound)?;
    services.check_knows(caller.address.account, record.account).await?;
    Ok(AccountName { account: record.account, username: record.username })
}

/// Everything public of an account, as far as `asking` may know of it.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn keys(
    services: &Services,
    asking: AccountId,
    account: AccountId,
) -> Result<AccountKeys, Reject> {
    services.check_knows(asking, account).await?;
    Ok(services.storage.account_keys(account).await?.ok_or(RejectCode::NotFound)?)
}

/// The caller's own account.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn own(services: &Services, account: AccountId) -> Result<OwnAccount, Reject> {
    Ok(services.storage.account(account).await?.ok_or(RejectCode::NotFound)?)
}

/// Replaces the caller's envelope keys by the next epoch's.
///
/// # Errors
///
/// [`RejectCode::NotVerified`], [`RejectCode::Conflict`].
pub async fn put_envelope_keys(
    services: &Services,
    account: AccountId,
    keys: Unverified<EnvelopeKeys>,
) -> Result<(), Reject> {
    let identity_key = services.devices_of(account).await?.identity_key();
    let keys = keys.verify(&identity_key).map_err(not_verified)?;
    if keys.account != account {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The envelope keys are another account's."));
    }
    services.storage.put_envelope_keys(&keys).await?;
    let note = Note::done(AuditEvent::EnvelopeKeysRotated).by_account(account);
    services.audit.note(note.saying(format_args!("epoch {}", keys.epoch)));
    Ok(())
}
