//! The relay's REST interface without a log-in: typed requests, typed answers, refusals as errors.
//!
//! [`Api`] turns one typed call into one [`Request`] and back. What needs a token is in
//! [`crate::relay`].

use std::sync::Arc;

use chat_core::api::account::{AccountKeys, Keyring, OwnAccount};
use chat_core::api::auth::{
    DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, Enrol, Enrolment, LoginAnswer,
    LoginFinish, OpaqueStart, Refresh, RegistrationAnswer, RegistrationFinish, Tokens,
};
use chat_core::api::info::{Health, Limits};
use chat_core::api::linking::{LinkMessage, ReadLinkSlot, WriteLinkSlot};
use chat_core::api::recovery::{RecoveryChallenge, RecoveryFinish, RecoveryStart};
use chat_core::id::AccountId;
use chat_core::limits::BODY_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};
use crate::transport::{AccessToken, Answer, Method, Origin, Request, Transport};

/// The relay, to somebody it does not know; clones share the way there.
#[derive(Clone, Debug)]
pub struct Api {
    transport: Arc<dyn Transport>,
}

impl Api {
    /// Speaks over `transport`.
    #[must_use]
    pub fn over(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Which relay.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.transport.origin()
    }

    /// The way there.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// `GET /healthz`: whether a relay answers.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`], [`Kind::RelayFault`].
    pub async fn health(&self) -> Result<Health> {
        self.get("/healthz").await
    }

    /// `GET /v1/limits`: what the relay allows.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`], [`Kind::RelayFault`].
    pub async fn limits(&self) -> Result<Limits> {
        self.get("/v1/limits").await
    }

    /// First half of a registration.
    ///
    /// # Errors
    ///
    /// [`Kind::NameTaken`], [`Kind::NameInvalid`], or what befalls every request.
    pub async fn register_start(&self, start: &OpaqueStart) -> Result<RegistrationAnswer> {
        self.post("/v1/auth/register/start", start).await
    }

    /// Second half of a registration.
    ///
    /// # Errors
    ///
    /// [`Kind::NameTaken`], [`Kind::NotVerified`], or what befalls every request.
    pub async fn register_finish(&self, finish: &RegistrationFinish) -> Result<Tokens> {
        self.post("/v1/auth/register/finish", finish).await
    }

    /// First half of a log-in by password; an unknown name is answered like a known one.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn login_start(&self, start: &OpaqueStart) -> Result<LoginAnswer> {
        self.post("/v1/auth/login/start", start).await
    }

    /// Second half of a log-in by password.
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`], or what befalls every request.
    pub async fn login_finish(&self, finish: &LoginFinish) -> Result<Enrolment> {
        self.post("/v1/auth/login/finish", finish).await
    }

    /// Adds a device to the account that has just logged in by password.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if the list has grown meanwhile, [`Kind::NotVerified`], or what befalls
    /// every request.
    pub async fn enrol(&self, enrolment: &AccessToken, enrol: &Enrol) -> Result<Tokens> {
        self.post_as(Some(enrolment.clone()), "/v1/devices/enrol", enrol).await
    }

    /// `GET /v1/account/keyring`, for a device that enrols.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn own_keyring(&self, enrolment: &AccessToken) -> Result<Keyring> {
        self.get_as(Some(enrolment.clone()), "/v1/account/keyring").await
    }

    /// `GET /v1/account`, for a device that enrols.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn own_account(&self, enrolment: &AccessToken) -> Result<OwnAccount> {
        self.get_as(Some(enrolment.clone()), "/v1/account").await
    }

    /// `GET /v1/accounts/{account}/keys` of its own account, for a device that enrols.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn account_keys(
        &self,
        enrolment: &AccessToken,
        account: AccountId,
    ) -> Result<AccountKeys> {
        self.get_as(Some(enrolment.clone()), &format!("/v1/accounts/{account}/keys")).await
    }

    /// First half of a log-in by device key.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn device_start(&self, start: &DeviceLoginStart) -> Result<DeviceChallenge> {
        self.post("/v1/auth/device/start", start).await
    }

    /// Second half of a log-in by device key.
    ///
    /// # Errors
    ///
    /// [`Kind::DeviceRemoved`], [`Kind::WrongPassword`] for a signature that does not fit, or what
    /// befalls every request.
    pub async fn device_finish(&self, finish: &DeviceLoginFinish) -> Result<Tokens> {
        self.post("/v1/auth/device/finish", finish).await
    }

    /// Spends a refresh token for new tokens.
    ///
    /// # Errors
    ///
    /// [`Kind::LoggedOut`] if it is spent or revoked, or what befalls every request.
    pub async fn refresh(&self, refresh: &Refresh) -> Result<Tokens> {
        self.post("/v1/auth/refresh", refresh).await
    }

    /// First half of a log-in by recovery phrase; an unknown name is answered like a known one.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn recovery_start(&self, start: &RecoveryStart) -> Result<RecoveryChallenge> {
        self.post("/v1/auth/recovery/start", start).await
    }

    /// Second half of a log-in by recovery phrase.
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`], or what befalls every request.
    pub async fn recovery_finish(&self, finish: &RecoveryFinish) -> Result<Enrolment> {
        self.post("/v1/auth/recovery/finish", finish).await
    }

    /// Writes into a slot of a mailbox for linking; the same message again is accepted again.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if the slot holds another message, or what befalls every request.
    pub async fn link_write(&self, write: &WriteLinkSlot) -> Result<()> {
        let body = Some(self::write(write)?);
        let path = "/v1/linking/write".into();
        self.call(Request { method: Method::Post, path, body, token: None }).await.map(drop)
    }

    /// Reads a slot of a mailbox for linking, and waits for it to be filled.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn link_read(&self, read: &ReadLinkSlot) -> Result<LinkMessage> {
        self.post("/v1/linking/read", read).await
    }

    /// Sends a request and gives the answer to it, if it was not refused.
    ///
    /// # Errors
    ///
    /// The relay's refusal; those of [`Transport::request`].
    pub(crate) async fn call(&self, request: Request) -> Result<Answer> {
        accepted(self.transport.request(request).await?)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.get_as(None, path).await
    }

    async fn get_as<T: DeserializeOwned>(
        &self,
        token: Option<AccessToken>,
        path: &str,
    ) -> Result<T> {
        let request = Request { method: Method::Get, path: path.into(), body: None, token };
        read(&self.call(request).await?)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.post_as(None, path, body).await
    }

    async fn post_as<T: DeserializeOwned>(
        &self,
        token: Option<AccessToken>,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = Some(write(body)?);
        let request = Request { method: Method::Post, path: path.into(), body, token };
        read(&self.call(request).await?)
    }
}

/// A body as JSON.
pub(crate) fn write(body: &impl Serialize) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(body).map_err(|error| Kind::Internal.because(error))?;
    if body.len() > BODY_BYTES_MAX { Err(Kind::TooLarge.into()) } else { Ok(body) }
}

/// What an answer says.
pub(crate) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|error| Kind::RelayFault.because(error))
}

fn accepted(answer: Answer) -> Result<Answer> {
    if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refusal(&answer)) }
}

/// What a proxy in between answers has no reject in it, what a newer relay answers perhaps a code
/// that we do not know; then the status has to do.
fn refusal(answer: &Answer) -> Error {
    let reject = serde_json::from_slice::<Reject>(&answer.body).ok();
    let unknown = reject.as_ref().is_some_and(|reject| reject.code == RejectCode::Unknown);
    if let Some(reject) = reject.filter(|_| !unknown) {
        return reject.into();
    }
    match answer.status {
        413 => Reject::from(RejectCode::TooLarge).into(),
        429 => Reject::from(RejectCode::RateLimited).into(),
        500..=599 => Reject::from(RejectCode::Unavailable).into(),
        400..=499 if unknown => Reject::from(RejectCode::Unknown).into(),
        _ => Kind::RelayFault.into(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer { status, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_refusal_becomes_an_error_with_its_code() {
        let refused = answer(409, r#"{"code":"name_taken","message":"Taken."}"#);

        assert_eq!(accepted(refused).unwrap_err().kind(), Kind::NameTaken);
    }

    #[test]
    fn a_proxy_that_answers_for_the_relay_is_understood_by_its_status() {
        for (status, kind) in [
            (502, Kind::Unavailable),
            (429, Kind::RateLimited),
            (413, Kind::TooLarge),
            (302, Kind::RelayFault),
            (404, Kind::RelayFault),
        ] {
            let refused = accepted(answer(status, "<html>nginx</html>")).unwrap_err();
            assert_eq!(refused.kind(), kind, "{status}");
        }
    }

    #[test]
    fn a_code_of_a_newer_relay_is_understood_by_its_status() {
        let body = r#"{"code":"newer","message":"No."}"#;

        for (status, kind) in [(503, Kind::Unavailable), (409, Kind::Forbidden)] {
            assert_eq!(accepted(answer(status, body)).unwrap_err().kind(), kind, "{status}");
        }
    }

    #[test]
    fn an_answer_of_another_form_is_the_relays_fault() {
        let answered = read::<Health>(&answer(200, "[]"));

        assert_eq!(answered.unwrap_err().kind(), Kind::RelayFault);
    }
}
