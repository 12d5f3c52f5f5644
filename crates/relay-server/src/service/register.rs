//! Registering: an account, its first device and all public keys, at once or not at all.

use std::net::IpAddr;

use chat_core::api::auth::{
    OpaqueMessage, OpaqueStart, RegistrationAnswer, RegistrationFinish, Tokens,
};
use chat_core::codec::Digest;
use chat_core::device::AccountDevices;
use chat_core::id::DeviceAddress;
use chat_core::limits::is_username;
use chat_core::reject::{Reject, RejectCode};

use super::{Services, invitations, not_verified, tokens};
use crate::audit::{AuditEvent, Note};
use crate::auth::opaque::Opaque;
use crate::config::Registration;
use crate::limits::{Class, Subject};
use crate::storage::{NewAccount, NewPrekeys};

/// Answers a `RegistrationRequest`, unless the name is taken.
///
/// # Errors
///
/// [`RejectCode::NameInvalid`], [`RejectCode::NameTaken`], [`RejectCode::Malformed`],
/// [`RejectCode::RegistrationClosed`], [`RejectCode::RateLimited`].
pub async fn start(
    services: &Services,
    start: &OpaqueStart,
    from: IpAddr,
) -> Result<RegistrationAnswer, Reject> {
    services.take(Class::Registration, Subject::address(from)).await?;
    if services.accounts.registration == Registration::Closed {
        return Err(RejectCode::RegistrationClosed.into());
    }
    if !is_username(&start.username) {
        return Err(RejectCode::NameInvalid.into());
    }
    if services.storage.login_record(&start.username).await?.is_some() {
        return Err(RejectCode::NameTaken.into());
    }
    let response = services
        .opaque
        .register(&start.username, &start.request)
        .map_err(|_| RejectCode::Malformed)?;
    let response = OpaqueMessage::new(response).map_err(|_| RejectCode::Internal)?;
    Ok(RegistrationAnswer { response })
}

/// Checks everything that is signed, stores the account, and logs its first device in.
///
/// # Errors
///
/// [`RejectCode::NameInvalid`], [`RejectCode::NameTaken`], [`RejectCode::AlreadyExists`],
/// [`RejectCode::Malformed`], [`RejectCode::NotVerified`], [`RejectCode::RegistrationClosed`],
/// [`RejectCode::InvitationInvalid`], [`RejectCode::RateLimited`].
pub async fn finish(
    services: &Services,
    finish: RegistrationFinish,
    from: IpAddr,
) -> Result<Tokens, Reject> {
    // Counted again, because nothing ties this half to the first.
    services.take(Class::RegistrationFinish, Subject::address(from)).await?;
    if !is_username(&finish.username) {
        return Err(RejectCode::NameInvalid.into());
    }
    let joins = invitations::admission(services, finish.invitation.as_deref())?;
    let opaque_record = Opaque::record(&finish.record).map_err(|_| RejectCode::Malformed)?;
    let devices = AccountDevices::verify(finish.account, finish.devices).map_err(not_verified)?;
    let address = first_device(&devices)?;
    let certificate = devices.active_device(address.device).ok_or(RejectCode::NotVerified)?;
    let envelope_keys =
        finish.envelope_keys.verify(&devices.identity_key()).map_err(not_verified)?;
    if envelope_keys.account != finish.account || envelope_keys.epoch != 1 {
        return Err(refused("The envelope keys must be the account's first epoch."));
    }
    if finish.keyring.number != 1 {
        return Err(refused("The first keyring must be number 1."));
    }
    let (set, one_time) = finish.prekeys.verify(certificate).map_err(not_verified)?;
    let new = NewAccount {
        username: finish.username,
        opaque_record,
        joins,
        devices,
        envelope_keys,
        prekeys: NewPrekeys { set, one_time },
        keyring: finish.keyring,
    };
    services.storage.create_account(&new, services.now()).await?;
    services.audit.note(Note::done(AuditEvent::AccountCreated).by(address).from(from));
    tokens::begin(services, address).await
}

fn first_device(devices: &AccountDevices) -> Result<DeviceAddress, Reject> {
    let list = devices.list();
    let mut active = devices.active();
    match (active.next(), active.next()) {
        (Some(only), None)
            if list.number == 1 && list.previous == Digest::ZERO && list.devices.len() == 1 =>
        {
            Ok(only.address)
        }
        _ => Err(refused("The first device list must name one device and be number 1.")),
    }
}

fn refused(sentence: &str) -> Reject {
    Reject::from(RejectCode::NotVerified).saying(sentence)
}
