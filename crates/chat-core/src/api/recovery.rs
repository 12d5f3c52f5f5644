//! Another password, and the way back with the recovery phrase.
//!
//! ```text
//!  recovery/start ─▶ recovery/finish ─▶ Enrolment ─▶ devices/enrol      a challenge, signed by the
//!                                                                       key of the phrase's words
//!  password/start ─▶ password/finish   { record, keyring }              both change, or neither
//! ```

use serde::{Deserialize, Serialize};

use crate::api::account::Keyring;
use crate::api::auth::OpaqueMessage;
use crate::codec::{Bytes, to_bytes};
use crate::key::{RecoveryKey, Signature};

/// `POST /v1/auth/recovery/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoveryStart {
    /// The username.
    pub username: String,
}

/// The answer to `POST /v1/auth/recovery/start`, also for a name that nobody has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoveryChallenge {
    /// Thirty-two random bytes; good once, for a minute.
    pub nonce: Bytes<32>,
}

/// `POST /v1/auth/recovery/finish`; the answer is an [`Enrolment`](crate::api::auth::Enrolment).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoveryFinish {
    /// The username.
    pub username: String,
    /// From [`RecoveryChallenge`].
    pub nonce: Bytes<32>,
    /// By the key of the phrase's words, with [`crate::label::RECOVERY_LOGIN`], over
    /// [`recovery_login_input`].
    pub signature: Signature,
}

/// What answers the challenge: the relay's origin as the client knows it, the nonce, the username.
#[must_use]
pub fn recovery_login_input(origin: &str, nonce: &[u8], username: &str) -> Vec<u8> {
    #[derive(minicbor::Encode)]
    #[cbor(map)]
    struct Input<'a> {
        #[n(0)]
        origin: &'a str,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        nonce: &'a [u8],
        #[n(2)]
        username: &'a str,
    }
    to_bytes(&Input { origin, nonce, username })
}

/// `PUT /v1/account/recovery-key`: the public half of the phrase's key; the one before is forgotten.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PutRecoveryKey {
    /// The key.
    pub key: RecoveryKey,
}

/// `POST /v1/account/password/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PasswordStart {
    /// `RegistrationRequest` of the new password.
    pub request: OpaqueMessage,
}

/// `POST /v1/account/password/finish`: a `PUT` of the keyring and of what checks the password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PasswordFinish {
    /// `RegistrationRecord` of the new password.
    pub record: OpaqueMessage,
    /// The keyring, which the new password opens, under the next number.
    pub keyring: Keyring,
}
