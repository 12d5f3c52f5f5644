//! The way back with the recovery phrase: no password, and no other device.

use chat_core::api::recovery::{RecoveryFinish, RecoveryStart, recovery_login_input};
use chat_core::limits::is_username;
use chat_crypto::keyring::Keyring;
use chat_crypto::recovery::RecoveryPhrase;

use super::enrol::join;
use super::{Setup, check_is_empty};
use crate::context::Context;
use crate::error::{Kind, Result};

/// Adds this device to the account whose recovery phrase was typed.
///
/// # Errors
///
/// [`Kind::WrongPassword`] if the phrase is another account's, an old one, or nobody has the name;
/// [`Kind::StoreInUse`], [`Kind::TooManyDevices`], [`Kind::KeyringInvalid`],
/// [`Kind::RelayUnreachable`].
pub async fn recover(setup: Setup, username: &str, phrase: &RecoveryPhrase) -> Result<Context> {
    check_is_empty(&setup.store).await?;
    if !is_username(username) {
        return Err(Kind::WrongPassword.into());
    }
    let start = RecoveryStart { username: username.to_owned() };
    let challenge = setup.api.recovery_start(&start).await?;
    let input = recovery_login_input(setup.api.origin().as_str(), &challenge.nonce, username);
    let finish = RecoveryFinish {
        username: username.to_owned(),
        nonce: challenge.nonce,
        signature: phrase.login().answer(&input),
    };
    let enrolment = setup.api.recovery_finish(&finish).await?;
    join(setup, username, enrolment, |sealed, account| {
        Keyring::open_with_phrase(&sealed.sealed, account, sealed.number, phrase)
    })
    .await
}
