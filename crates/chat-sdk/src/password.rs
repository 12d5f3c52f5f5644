//! The client's side of OPAQUE (RFC 9807): the relay checks a password it never sees.
//!
//! ```text
//!  password ──blind──▶ relay ──▶ OPRF output ──Argon2id──▶ opens our keys for the log-in
//!                                                    └───▶ export key ──▶ opens the keyring
//! ```
//!
//! Argon2id runs here, on a thread of its own, with 64 MiB and three passes by default; whoever
//! steals the relay's records pays that for every guess. The export key leaves this module only to
//! [`crate::account`], which gives it to the keyring.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chat_core::api::auth::OpaqueMessage;
use chat_crypto::password::normalize;
use opaque_ke::errors::ProtocolError;
use opaque_ke::rand::{CryptoRng as OldCryptoRng, Error as OldError, RngCore as OldRngCore};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse,
};
use rand_core::Rng as _;
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};
use crate::random::{Randomness, Rng};
use crate::tasks;

/// The suite both sides use.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = Argon2<'static>;
}

/// What one guess at a password costs: the parameters of Argon2id.
///
/// They are not on the relay, so all devices of an account must use the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordHardening {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes, which may run side by side.
    pub lanes: u32,
}

impl Default for PasswordHardening {
    /// 64 MiB, three passes, one lane: about a fifth of a second.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl PasswordHardening {
    fn stretcher(self) -> Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .map_err(|error| Kind::ArgumentInvalid.because(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// A password and what is done to it.
pub(crate) struct Password {
    normal: Zeroizing<String>,
    hardening: PasswordHardening,
    randomness: Randomness,
}

/// The secret that only the right password gives; opens the keyring.
pub(crate) struct ExportKey(Zeroizing<Vec<u8>>);

impl ExportKey {
    /// The bytes.
    #[must_use]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Password {
    /// Takes a password as it was typed, and brings it into the form that is hashed.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for an empty password, and one with characters that cannot be
    /// typed everywhere.
    pub(crate) fn new(
        typed: &str,
        hardening: PasswordHardening,
        randomness: Randomness,
    ) -> Result<Self> {
        let normal = normalize(typed).map_err(|error| Kind::ArgumentInvalid.because(error))?;
        Ok(Self { normal, hardening, randomness })
    }

    /// Begins a registration.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for a password of 64 KiB or more.
    pub(crate) fn register(self) -> Result<(OpaqueMessage, Registering)> {
        let rng = &mut OldRng(self.randomness.rng());
        let started =
            ClientRegistration::start(rng, self.normal.as_bytes()).map_err(no_password)?;
        let request = OpaqueMessage::new(started.message.serialize().to_vec())?;
        Ok((request, Registering { password: self, state: started.state }))
    }

    /// Begins a log-in.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] for a password of 64 KiB or more.
    pub(crate) fn log_in(self) -> Result<(OpaqueMessage, LoggingIn)> {
        let rng = &mut OldRng(self.randomness.rng());
        let started = ClientLogin::start(rng, self.normal.as_bytes()).map_err(no_password)?;
        let request = OpaqueMessage::new(started.message.serialize().to_vec())?;
        Ok((request, LoggingIn { password: self, state: Box::new(started.state) }))
    }
}

/// A registration that waits for the relay's answer.
pub(crate) struct Registering {
    password: Password,
    state: ClientRegistration<Suite>,
}

impl Registering {
    /// Ends the registration: what the relay is to keep, and the export key.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayFault`] for an answer that is none.
    pub(crate) async fn finish(
        self,
        response: OpaqueMessage,
    ) -> Result<(OpaqueMessage, ExportKey)> {
        let Self { password, state } = self;
        aside(move || {
            let stretcher = password.hardening.stretcher()?;
            let response = RegistrationResponse::deserialize(&response).map_err(no_answer)?;
            let parameters =
                ClientRegistrationFinishParameters::new(Identifiers::default(), Some(&stretcher));
            let rng = &mut OldRng(password.randomness.rng());
            let finished = state
                .finish(rng, password.normal.as_bytes(), response, parameters)
                .map_err(no_answer)?;
            let record = OpaqueMessage::new(finished.message.serialize().to_vec())?;
            Ok((record, ExportKey(Zeroizing::new(finished.export_key.to_vec()))))
        })
        .await
    }
}

/// A log-in that waits for the relay's answer.
pub(crate) struct LoggingIn {
    password: Password,
    state: Box<ClientLogin<Suite>>,
}

impl LoggingIn {
    /// Ends the log-in: what convinces the relay, and the export key.
    ///
    /// # Errors
    ///
    /// [`Kind::WrongPassword`]: this side notices first; also if there is no such account.
    pub(crate) async fn finish(
        self,
        response: OpaqueMessage,
    ) -> Result<(OpaqueMessage, ExportKey)> {
        let Self { password, state } = self;
        aside(move || {
            let stretcher = password.hardening.stretcher()?;
            let response = CredentialResponse::deserialize(&response).map_err(no_answer)?;
            let parameters =
                ClientLoginFinishParameters::new(None, Identifiers::default(), Some(&stretcher));
            let rng = &mut OldRng(password.randomness.rng());
            let finished = state
                .finish(rng, password.normal.as_bytes(), response, parameters)
                .map_err(|_| Kind::WrongPassword)?;
            let finalization = OpaqueMessage::new(finished.message.serialize().to_vec())?;
            Ok((finalization, ExportKey(Zeroizing::new(finished.export_key.to_vec()))))
        })
        .await
    }
}

/// Runs what takes long where nobody else waits for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tasks::aside(work).await.map_err(|error| Kind::Internal.because(error))?
}

fn no_password(error: ProtocolError) -> Error {
    Kind::ArgumentInvalid.because(format!("{error:?}"))
}

fn no_answer(error: ProtocolError) -> Error {
    Kind::RelayFault.because(format!("{error:?}"))
}

/// Our generator, as the traits that opaque-ke goes by want it.
struct OldRng(Rng);

impl OldRngCore for OldRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), OldError> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl OldCryptoRng for OldRng {}

macro_rules! unprinted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

unprinted!(Password, ExportKey, Registering, LoggingIn);

#[cfg(test)]
mod tests {
    use opaque_ke::{
        CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
        ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
    };

    use super::*;

    const CHEAP: PasswordHardening = PasswordHardening { memory_kib: 8, passes: 1, lanes: 1 };

    /// The server's side of opaque-ke, with one record.
    struct Server {
        setup: ServerSetup<Suite>,
        record: Option<ServerRegistration<Suite>>,
    }

    fn randomness() -> Randomness {
        Randomness::system().unwrap()
    }

    fn password(text: &str, hardening: PasswordHardening) -> Password {
        Password::new(text, hardening, randomness()).unwrap()
    }

    async fn registered(text: &str) -> (Server, ExportKey) {
        let setup = ServerSetup::new(&mut OldRng(randomness().rng()));
        let (request, registering) = password(text, CHEAP).register().unwrap();
        let request = RegistrationRequest::deserialize(&request).unwrap();
        let response = ServerRegistration::start(&setup, request, b"alice").unwrap().message;
        let response = OpaqueMessage::new(response.serialize().to_vec()).unwrap();
        let (record, export_key) = registering.finish(response).await.unwrap();
        let upload = RegistrationUpload::deserialize(&record).unwrap();
        (Server { setup, record: Some(ServerRegistration::finish(upload)) }, export_key)
    }

    impl Server {
        async fn log_in(&self, password: Password) -> Result<ExportKey> {
            let rng = &mut OldRng(randomness().rng());
            let (request, logging_in) = password.log_in()?;
            let request = CredentialRequest::deserialize(&request).unwrap();
            let parameters = ServerLoginParameters::default;
            let started = ServerLogin::start(
                rng,
                &self.setup,
                self.record.clone(),
                request,
                b"alice",
                parameters(),
            )
            .unwrap();
            let response = started.message.serialize().to_vec();
            let (finalization, export_key) =
                logging_in.finish(OpaqueMessage::new(response).unwrap()).await?;
            let finalization = CredentialFinalization::deserialize(&finalization).unwrap();
            started.state.finish(finalization, parameters()).unwrap();
            Ok(export_key)
        }
    }

    #[tokio::test]
    async fn the_right_password_gives_the_same_export_key_again() {
        let (server, first) = registered("correct horse").await;

        let again = server.log_in(password("correct horse", CHEAP)).await.unwrap();

        assert_eq!(first.as_bytes(), again.as_bytes());
        assert_eq!(first.as_bytes().len(), 64);
    }

    #[tokio::test]
    async fn the_password_is_right_however_the_keyboard_composes_it() {
        let (server, first) = registered("Zürich 1").await;

        let decomposed = server.log_in(password("Zu\u{308}rich\u{a0}1", CHEAP)).await.unwrap();
        let other = server.log_in(password("Zurich 1", CHEAP)).await.unwrap_err();

        assert_eq!(first.as_bytes(), decomposed.as_bytes());
        assert_eq!(other.kind(), Kind::WrongPassword);
    }

    #[test]
    fn what_cannot_be_typed_again_is_no_password() {
        for typed in ["", "tab\tand", "\u{e000}"] {
            let refused = Password::new(typed, CHEAP, randomness()).unwrap_err();
            assert_eq!(refused.kind(), Kind::ArgumentInvalid);
        }
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_name_are_the_same_error() {
        let (mut server, _) = registered("correct horse").await;

        let wrong = server.log_in(password("battery staple", CHEAP)).await.unwrap_err();
        server.record = None;
        let unknown = server.log_in(password("correct horse", CHEAP)).await.unwrap_err();

        assert_eq!(wrong.kind(), Kind::WrongPassword);
        assert_eq!(wrong.to_string(), unknown.to_string());
        assert_eq!(format!("{wrong:?}"), format!("{unknown:?}"));
    }

    #[tokio::test]
    async fn other_hardening_is_another_password() {
        let (server, _) = registered("correct horse").await;
        let other = PasswordHardening { passes: 2, ..CHEAP };

        let error = server.log_in(password("correct horse", other)).await.unwrap_err();

        assert_eq!(error.kind(), Kind::WrongPassword);
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_the_relays_fault() {
        let (_, registering) = password("correct horse", CHEAP).register().unwrap();

        let nonsense = OpaqueMessage::new(vec![7; 64]).unwrap();

        assert_eq!(registering.finish(nonsense).await.unwrap_err().kind(), Kind::RelayFault);
    }

    #[test]
    fn hardening_beyond_what_argon2_knows_is_refused() {
        let none = PasswordHardening { memory_kib: 0, passes: 0, lanes: 0 };

        assert_eq!(none.stretcher().unwrap_err().kind(), Kind::ArgumentInvalid);
    }

    #[test]
    fn nothing_of_a_password_is_printed() {
        assert_eq!(format!("{:?}", password("correct horse", CHEAP)), "Password(..)");
    }
}
