//! Another password, and the way back with the recovery phrase.
//!
//! The phrase's key answers a challenge and gets what a password gets: a token that reads the
//! sealed keyring and enrols a device. Names that nobody has, and accounts without a key, take the
//! same steps. Normative: `docs/protocol/relay.md` §2.5.

use std::net::IpAddr;

use chat_core::api::auth::{Enrolment, OpaqueMessage, RegistrationAnswer};
use chat_core::api::recovery::{
    PasswordFinish, PasswordStart, RecoveryChallenge, RecoveryFinish, RecoveryStart,
    recovery_login_input,
};
use chat_core::codec::{Bytes, Digest};
use chat_core::id::AccountId;
use chat_core::key::{RecoveryKey, Verifier as _};
use chat_core::label;
use chat_core::limits::{LOGIN_WITHIN, is_username};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::auth::opaque::Opaque;
use crate::auth::tokens::Bearer;
use crate::limits::{Class, Subject};
use crate::storage::PendingKind;

/// What an answer is checked against where there is no key, so that it takes as long: the curve's
/// generator. Whoever signs by it is refused like everybody else.
const NOBODYS: [u8; 32] = [
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
];

/// Draws a challenge, also for a name that nobody has.
///
/// # Errors
///
/// [`RejectCode::RateLimited`].
pub async fn start(
    services: &Services,
    start: &RecoveryStart,
    from: IpAddr,
) -> Result<RecoveryChallenge, Reject> {
    let name = digest(&start.username);
    services.take(Class::Login, Subject::address(from)).await?;
    services.take(Class::Login, Subject::Name(name)).await?;
    let nonce: [u8; 32] = crate::random::bytes();
    let expires_at = services.now().after(LOGIN_WITHIN);
    services
        .storage
        .put_pending(PendingKind::Recovery, &nonce, name.as_bytes(), expires_at)
        .await?;
    Ok(RecoveryChallenge { nonce: Bytes::new(nonce.to_vec()).map_err(|_| RejectCode::Internal)? })
}

/// Checks the answer.
///
/// # Errors
///
/// [`RejectCode::InvalidCredentials`], whatever was wrong.
pub async fn finish(
    services: &Services,
    finish: &RecoveryFinish,
    from: IpAddr,
) -> Result<Enrolment, Reject> {
    let event = AuditEvent::RecoveryLogin;
    let Some(account) = check(services, finish).await? else {
        services.audit.note(Note::refused(event).from(from));
        return Err(RejectCode::InvalidCredentials.into());
    };
    services.audit.note(Note::done(event).by_account(account).from(from));
    let bearer = Bearer::Enrolling(account);
    let access = services.tokens.issue(bearer, services.now()).ok_or(RejectCode::Internal)?;
    Ok(Enrolment { account, token: access.token })
}

async fn check(services: &Services, finish: &RecoveryFinish) -> Result<Option<AccountId>, Reject> {
    let kind = PendingKind::Recovery;
    let pending = services.storage.take_pending(kind, &finish.nonce, services.now()).await?;
    let name = digest(&finish.username);
    if pending.is_none_or(|of| of.as_slice() != name.as_bytes()) {
        return Ok(None);
    }
    let known = match is_username(&finish.username) {
        true => services.storage.recovery_key(&finish.username).await?,
        false => None,
    };
    let key = known.map_or(RecoveryKey::from_bytes(NOBODYS), |(_, key)| key);
    // SECURITY: checked for unknown names too, so that both take the same steps.
    let answered = services.origins.iter().any(|origin| {
        let input = recovery_login_input(origin, &finish.nonce, &finish.username);
        key.verifies(label::RECOVERY_LOGIN, &input, &finish.signature)
    });
    Ok(known.filter(|_| answered).map(|(account, _)| account))
}

/// Keeps the public half of the recovery phrase's key, in place of the one before.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn put_key(services: &Services, caller: Caller, key: RecoveryKey) -> Result<(), Reject> {
    services.storage.put_recovery_key(caller.address.account, key).await?;
    services.audit.note(Note::done(AuditEvent::RecoveryKeyReplaced).by(caller.address));
    Ok(())
}

/// Answers the `RegistrationRequest` of a new password.
///
/// # Errors
///
/// [`RejectCode::Malformed`], [`RejectCode::RateLimited`].
pub async fn password_start(
    services: &Services,
    caller: Caller,
    start: &PasswordStart,
) -> Result<RegistrationAnswer, Reject> {
    let account = caller.address.account;
    services.take(Class::Login, Subject::Account(account)).await?;
    let own = services.storage.account(account).await?.ok_or(RejectCode::NotFound)?;
    let response = services
        .opaque
        .register(&own.username, &start.request)
        .map_err(|_| RejectCode::Malformed)?;
    let response = OpaqueMessage::new(response).map_err(|_| RejectCode::Internal)?;
    Ok(RegistrationAnswer { response })
}

/// Replaces what checks the password, together with the keyring that it opens.
///
/// # Errors
///
/// [`RejectCode::Conflict`] if the keyring is not the next; [`RejectCode::Malformed`].
pub async fn password_finish(
    services: &Services,
    caller: Caller,
    finish: &PasswordFinish,
) -> Result<(), Reject> {
    let record = Opaque::record(&finish.record).map_err(|_| RejectCode::Malformed)?;
    let account = caller.address.account;
    services.storage.put_password(account, &record, &finish.keyring).await?;
    services.audit.note(Note::done(AuditEvent::PasswordChanged).by(caller.address));
    Ok(())
}

/// A name, whatever its case.
fn digest(username: &str) -> Digest {
    Digest::of(username.to_lowercase().as_bytes())
}
