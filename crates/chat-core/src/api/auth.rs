//! Registration, log-in and tokens.
//!
//! ```text
//!  register/start ─▶ register/finish ─▶ Tokens                    OPAQUE (RFC 9807)
//!  login/start    ─▶ login/finish    ─▶ Enrolment ─▶ devices/enrol ─▶ Tokens
//!  device/start   ─▶ device/finish   ─▶ Tokens                    a signed challenge
//!  refresh        ─▶ Tokens          (the old refresh token is spent)
//! ```

use serde::{Deserialize, Serialize};

use crate::api::account::Keyring;
use crate::codec::{Bytes, to_bytes};
use crate::device::{DeviceCertificate, PublishedDevices};
use crate::envelope::EnvelopeKeys;
use crate::id::{AccountId, DeviceAddress};
use crate::prekey::PrekeyUpload;
use crate::signed::Unverified;
use crate::time::Timestamp;

/// An OPAQUE message.
pub type OpaqueMessage = Bytes<1024>;

/// `POST /v1/auth/register/start`, `POST /v1/auth/login/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpaqueStart {
    /// The username.
    pub username: String,
    /// `RegistrationRequest` or `KE1`.
    pub request: OpaqueMessage,
}

/// The answer to `POST /v1/auth/register/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegistrationAnswer {
    /// `RegistrationResponse`.
    pub response: OpaqueMessage,
}

/// `POST /v1/auth/register/finish`: the account, its first device and all public keys at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegistrationFinish {
    /// The username.
    pub username: String,
    /// `RegistrationRecord`.
    pub record: OpaqueMessage,
    /// The account's id, chosen by the client, since its keys are signed with it.
    pub account: AccountId,
    /// Identity key, first device list, first certificate.
    pub devices: PublishedDevices,
    /// The first epoch of envelope keys.
    pub envelope_keys: Unverified<EnvelopeKeys>,
    /// The first device's prekeys.
    pub prekeys: PrekeyUpload,
    /// The sealed keyring.
    pub keyring: Keyring,
    /// The token of an invitation: which workspace is joined, with which role. Without one it is
    /// the relay's default workspace, where the relay lets anybody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
}

/// The answer to `POST /v1/auth/login/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginAnswer {
    /// Names this log-in in its second half; good once, for a minute.
    pub login: Bytes<32>,
    /// `KE2`.
    pub response: OpaqueMessage,
}

/// `POST /v1/auth/login/finish`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginFinish {
    /// From [`LoginAnswer`].
    pub login: Bytes<32>,
    /// `KE3`.
    pub finalization: OpaqueMessage,
}

/// The answer to `POST /v1/auth/login/finish`: the account is known, a device is still to be named.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolment {
    /// The account.
    pub account: AccountId,
    /// An access token that only reads the keyring and enrols a device.
    pub token: String,
}

/// `POST /v1/devices/enrol`: a new device, in a new list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrol {
    /// The device that enrols.
    pub certificate: Unverified<DeviceCertificate>,
    /// The new list and all its certificates.
    pub devices: PublishedDevices,
    /// The new device's prekeys.
    pub prekeys: PrekeyUpload,
}

/// `POST /v1/auth/device/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceLoginStart {
    /// Who wants to log in.
    pub address: DeviceAddress,
}

/// The answer to `POST /v1/auth/device/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceChallenge {
    /// Thirty-two random bytes; good once, for a minute.
    pub nonce: Bytes<32>,
}

/// `POST /v1/auth/device/finish`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceLoginFinish {
    /// Who logs in.
    pub address: DeviceAddress,
    /// From [`DeviceChallenge`].
    pub nonce: Bytes<32>,
    /// By the device key, with [`crate::label::DEVICE_LOGIN`], over [`device_login_input`].
    pub signature: crate::key::Signature,
}

/// What a device signs to log in.
///
/// `origin` is the relay's, as the client knows it (`https://relay.example`), so that one relay
/// cannot use an answer that was meant for another.
#[must_use]
pub fn device_login_input(origin: &str, nonce: &[u8], address: DeviceAddress) -> Vec<u8> {
    #[derive(minicbor::Encode)]
    #[cbor(map)]
    struct Input<'a> {
        #[n(0)]
        origin: &'a str,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        nonce: &'a [u8],
        #[n(2)]
        address: DeviceAddress,
    }
    to_bytes(&Input { origin, nonce, address })
}

/// `POST /v1/auth/refresh`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refresh {
    /// The refresh token; spent by this.
    pub refresh: String,
    /// By the device key, with [`crate::label::REFRESH`], over [`refresh_input`]: who sends it may
    /// ask again for ten seconds, should the answer be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<crate::key::Signature>,
}

/// What a device signs beside a refresh token: the relay's origin, and the token as it is sent.
#[must_use]
pub fn refresh_input(origin: &str, refresh: &str) -> Vec<u8> {
    #[derive(minicbor::Encode)]
    #[cbor(map)]
    struct Input<'a> {
        #[n(0)]
        origin: &'a str,
        #[n(1)]
        refresh: &'a str,
    }
    to_bytes(&Input { origin, refresh })
}

/// A logged-in device's tokens.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tokens {
    /// Whose they are.
    pub address: DeviceAddress,
    /// The access token: an EdDSA JWT.
    pub access: String,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// The refresh token: good once.
    pub refresh: String,
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refresh(..)")
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("address", &self.address).finish_non_exhaustive()
    }
}
