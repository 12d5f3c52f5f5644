//! Logging in by device key: a signed answer to a challenge that is good once, for a minute.

use std::net::IpAddr;

use chat_core::api::auth::{
    DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, Tokens, device_login_input,
};
use chat_core::codec::{Bytes, to_bytes};
use chat_core::key::Verifier as _;
use chat_core::label;
use chat_core::limits::LOGIN_WITHIN;
use chat_core::reject::{Reject, RejectCode};

use super::{Services, tokens};
use crate::audit::{AuditEvent, Note};
use crate::limits::{Class, Subject};
use crate::storage::{DeviceState, PendingKind};

/// Draws a challenge; whether there is such a device shows only in the second half.
///
/// # Errors
///
/// [`RejectCode::RateLimited`].
pub async fn start(
    services: &Services,
    start: DeviceLoginStart,
    from: IpAddr,
) -> Result<DeviceChallenge, Reject> {
    let now = services.now();
    services.take(Class::Challenge, Subject::address(from)).await?;
    services.take(Class::Challenge, Subject::Device(start.address)).await?;
    let nonce: [u8; 32] = crate::random::bytes();
    let expires_at = now.after(LOGIN_WITHIN);
    services
        .storage
        .put_pending(PendingKind::Challenge, &nonce, &to_bytes(&start.address), expires_at)
        .await?;
    Ok(DeviceChallenge { nonce: Bytes::new(nonce.to_vec()).map_err(|_| RejectCode::Internal)? })
}

/// Checks the signed answer.
///
/// # Errors
///
/// [`RejectCode::InvalidCredentials`]; [`RejectCode::DeviceRemoved`] to a device whose answer is
/// right but which was removed.
pub async fn finish(
    services: &Services,
    finish: &DeviceLoginFinish,
    from: IpAddr,
) -> Result<Tokens, Reject> {
    let event = AuditEvent::DeviceLogin;
    match check(services, finish).await {
        Ok(()) => {
            services.audit.note(Note::done(event).by(finish.address).from(from));
            tokens::begin(services, finish.address).await
        }
        Err(refusal) => {
            let note = Note::refused(event).to_device(finish.address).from(from);
            services.audit.note(note.saying(refusal.code.code()));
            Err(refusal)
        }
    }
}

async fn check(services: &Services, finish: &DeviceLoginFinish) -> Result<(), Reject> {
    let wrong = Reject::from(RejectCode::InvalidCredentials)
        .saying("The answer to the challenge is wrong, late, or meant for another relay.");
    let kind = PendingKind::Challenge;
    let pending = services.storage.take_pending(kind, &finish.nonce, services.now()).await?;
    if pending.is_none_or(|address| *address != to_bytes(&finish.address)) {
        return Err(wrong);
    }
    let address = finish.address;
    if services.storage.device_state(address).await? == DeviceState::Unknown {
        return Err(wrong);
    }
    let devices = services.devices_of(address.account).await?;
    // The zero moment finds removed devices too: they are told so, once they have shown the key.
    let listed = devices.device_at(address.device, chat_core::time::Timestamp::default());
    let certificate = listed.ok_or_else(|| wrong.clone())?;
    let answered = services.origins.iter().any(|origin| {
        let input = device_login_input(origin, &finish.nonce, address);
        certificate.key.verifies(label::DEVICE_LOGIN, &input, &finish.signature)
    });
    if !answered {
        return Err(wrong);
    }
    if devices.active_device(address.device).is_none() {
        return Err(RejectCode::DeviceRemoved.into());
    }
    Ok(())
}
