//! Where the caller's device is woken when it is not connected.

use chat_core::api::push::{PUSH_TOKEN_BYTES_MAX, PushTarget};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};

/// Makes `target` the place.
///
/// # Errors
///
/// [`RejectCode::TooLarge`], [`RejectCode::Malformed`]; [`RejectCode::Forbidden`] for a kind that the
/// operator has not set up, or a web hook that would lead into the relay's own network.
pub async fn set(services: &Services, caller: Caller, target: &PushTarget) -> Result<(), Reject> {
    let (text, fits) = match target {
        PushTarget::WebHook { url, secret } => (url, secret.len() == 32),
        PushTarget::Fcm { token } => (token, token.bytes().all(|c| c.is_ascii_graphic())),
        PushTarget::Apns { token } => (token, token.bytes().all(|c| c.is_ascii_hexdigit())),
    };
    if text.len() > PUSH_TOKEN_BYTES_MAX {
        return Err(RejectCode::TooLarge.into());
    }
    if text.is_empty() || !fits {
        return Err(Reject::from(RejectCode::Malformed).saying("This is no push target."));
    }
    if services.pushers.of(target).is_none() {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("This relay does not wake devices of this kind."));
    }
    let leads_inside = |url: &String| services.web_hooks.is_none_or(|reach| !reach.allows(url));
    if matches!(target, PushTarget::WebHook { url, .. } if leads_inside(url)) {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("A web hook of this relay must be an https:// URL with a public address."));
    }
    replace(services, caller, Some(target)).await
}

/// Wakes it no more.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn clear(services: &Services, caller: Caller) -> Result<(), Reject> {
    replace(services, caller, None).await
}

async fn replace(
    services: &Services,
    caller: Caller,
    target: Option<&PushTarget>,
) -> Result<(), Reject> {
    services.storage.set_push_target(caller.address, target).await?;
    let kind = match target {
        Some(PushTarget::WebHook { .. }) => "web_hook",
        Some(PushTarget::Fcm { .. }) => "fcm",
        Some(PushTarget::Apns { .. }) => "apns",
        None => "none",
    };
    let note = Note::done(AuditEvent::PushTargetSet).by(caller.address);
    services.audit.note(note.saying(kind));
    Ok(())
}
