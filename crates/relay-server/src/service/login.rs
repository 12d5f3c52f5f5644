//! Logging in by password, which leads to a token that enrols a device.
//!
//! The state between the two halves is in the store, so each half may meet another node; it is
//! taken once and gone after a minute.

use std::net::IpAddr;

use chat_core::api::auth::{Enrolment, LoginAnswer, LoginFinish, OpaqueMessage, OpaqueStart};
use chat_core::codec::{Bytes, Digest, from_bytes, to_bytes};
use chat_core::id::AccountId;
use chat_core::limits::{LOGIN_WITHIN, is_username};
use chat_core::reject::{Reject, RejectCode};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::Services;
use crate::audit::{AuditEvent, Note};
use crate::auth::opaque::{LoginStarted, Opaque};
use crate::auth::tokens::Bearer;
use crate::limits::{Class, Subject};
use crate::storage::PendingKind;

/// What waits for the second half; without an account when nobody has the name.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Pending {
    #[n(0)]
    account: Option<AccountId>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    state: Vec<u8>,
}

/// Answers `KE1`, in the same way whether the name is known or not.
///
/// # Errors
///
/// [`RejectCode::Malformed`], [`RejectCode::RateLimited`].
pub async fn start(
    services: &Services,
    start: &OpaqueStart,
    from: IpAddr,
) -> Result<LoginAnswer, Reject> {
    let now = services.now();
    let name = Subject::Name(Digest::of(start.username.as_bytes()));
    services.take(Class::Login, Subject::address(from)).await?;
    services.take(Class::Login, name).await?;
    // A name that cannot exist is answered like one that does not.
    let record = match is_username(&start.username) {
        true => services.storage.login_record(&start.username).await?,
        false => None,
    };
    let known = record.as_ref().map(|record| record.opaque_record.as_slice());
    let LoginStarted { response, state } = services
        .opaque
        .login(&start.username, known, &start.request)
        .map_err(|_| RejectCode::Malformed)?;
    let pending = Pending { account: record.map(|record| record.account), state: state.to_vec() };
    let login: [u8; 32] = crate::random::bytes();
    services
        .storage
        .put_pending(
            PendingKind::Login,
            &login,
            &Zeroizing::new(to_bytes(&pending)),
            now.after(LOGIN_WITHIN),
        )
        .await?;
    Ok(LoginAnswer {
        login: Bytes::new(login.to_vec()).map_err(|_| RejectCode::Internal)?,
        response: OpaqueMessage::new(response).map_err(|_| RejectCode::Internal)?,
    })
}

/// Checks `KE3`.
///
/// # Errors
///
/// [`RejectCode::InvalidCredentials`], whatever was wrong.
pub async fn finish(
    services: &Services,
    finish: &LoginFinish,
    from: IpAddr,
) -> Result<Enrolment, Reject> {
    let wrong = RejectCode::InvalidCredentials;
    let (now, event) = (services.now(), AuditEvent::PasswordLogin);
    let pending = services.storage.take_pending(PendingKind::Login, &finish.login, now).await?;
    let Some(pending) = pending else {
        services.audit.note(Note::refused(event).from(from).saying("late"));
        return Err(wrong.into());
    };
    let pending: Pending = from_bytes(&pending).map_err(|_| RejectCode::Internal)?;
    let state = Zeroizing::new(pending.state);
    // SECURITY: checked for unknown names too, so that both take the same steps.
    let checked = Opaque::finish(&state, &finish.finalization);
    let (Ok(()), Some(account)) = (checked, pending.account) else {
        let note = Note::refused(event).from(from);
        services.audit.note(match pending.account {
            Some(account) => note.to_subject(account).saying("wrong password"),
            None => note.saying("unknown name"),
        });
        return Err(wrong.into());
    };
    services.audit.note(Note::done(event).by_account(account).from(from));
    let access =
        services.tokens.issue(Bearer::Enrolling(account), now).ok_or(RejectCode::Internal)?;
    Ok(Enrolment { account, token: access.token })
}
