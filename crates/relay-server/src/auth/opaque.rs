//! The server's side of OPAQUE (RFC 9807): it checks a password without ever seeing it.
//!
//! ```text
//!  client                                    relay
//!    │ RegistrationRequest ───────────────▶ │
//!    │ ◀──────────────── RegistrationResponse│
//!    │ RegistrationRecord ────────────────▶ │ kept
//!
//!    │ KE1 ───────────────────────────────▶ │
//!    │ ◀─────────────────────────────── KE2 │ state kept for a minute, taken once
//!    │ KE3 ───────────────────────────────▶ │ the password was right, or it was not
//! ```
//!
//! A username nobody has gets an answer made of a record that does not exist, with the same steps,
//! so that it cannot be told from a wrong password. Argon2 runs on the client only.

use opaque_ke::{
    CipherSuite, CredentialFinalization, CredentialRequest, RegistrationRequest,
    RegistrationUpload, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use zeroize::Zeroizing;

use crate::random::OpaqueRng;

/// The suite both sides use: ristretto255 and SHA-512 for OPRF and 3DH, Argon2 on the client.
#[derive(Clone, Copy, Debug)]
pub struct Suite;

impl CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = opaque_ke::argon2::Argon2<'static>;
}

/// Why OPAQUE refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpaqueError {
    /// A message is not of the suite, or not a message at all.
    #[error("the OPAQUE message cannot be read")]
    Malformed,
    /// The password was not the one of the record, or there is no record.
    #[error("the password does not fit")]
    WrongPassword,
    /// What the relay had kept for itself cannot be read.
    #[error("the relay's own OPAQUE state cannot be read")]
    State,
}

/// The server's long-term keys.
pub struct Opaque(Box<ServerSetup<Suite>>);

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opaque(..)")
    }
}

/// The first half of a log-in.
pub struct LoginStarted {
    /// `KE2`, for the client.
    pub response: Vec<u8>,
    /// What the second half needs; good once.
    pub state: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for LoginStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginStarted(..)")
    }
}

impl Opaque {
    /// Draws new keys, serialised for the store.
    #[must_use]
    pub fn generate() -> Zeroizing<Vec<u8>> {
        Zeroizing::new(ServerSetup::<Suite>::new(&mut OpaqueRng).serialize().to_vec())
    }

    /// Takes the keys as [`Self::generate`] made them.
    ///
    /// # Errors
    ///
    /// [`OpaqueError::State`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let setup = ServerSetup::deserialize(bytes).map_err(|_| OpaqueError::State)?;
        Ok(Self(Box::new(setup)))
    }

    /// Answers a `RegistrationRequest` with a `RegistrationResponse`.
    ///
    /// # Errors
    ///
    /// [`OpaqueError::Malformed`].
    pub fn register(&self, username: &str, request: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let request =
            RegistrationRequest::deserialize(request).map_err(|_| OpaqueError::Malformed)?;
        let started = ServerRegistration::<Suite>::start(&self.0, request, username.as_bytes())
            .map_err(|_| OpaqueError::Malformed)?;
        Ok(started.message.serialize().to_vec())
    }

    /// Checks a `RegistrationRecord` and returns it as it is to be kept.
    ///
    /// # Errors
    ///
    /// [`OpaqueError::Malformed`].
    pub fn record(upload: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let upload =
            RegistrationUpload::<Suite>::deserialize(upload).map_err(|_| OpaqueError::Malformed)?;
        Ok(ServerRegistration::finish(upload).serialize().to_vec())
    }

    /// Answers `KE1`; without a record, with one that nobody's password opens.
    ///
    /// # Errors
    ///
    /// [`OpaqueError::Malformed`], or [`OpaqueError::State`] for a record that is none.
    pub fn login(
        &self,
        username: &str,
        record: Option<&[u8]>,
        request: &[u8],
    ) -> Result<LoginStarted, OpaqueError> {
        let request =
            CredentialRequest::deserialize(request).map_err(|_| OpaqueError::Malformed)?;
        let record = record
            .map(ServerRegistration::<Suite>::deserialize)
            .transpose()
            .map_err(|_| OpaqueError::State)?;
        let started = ServerLogin::start(
            &mut OpaqueRng,
            &self.0,
            record,
            request,
            username.as_bytes(),
            ServerLoginParameters::default(),
        )
        .map_err(|_| OpaqueError::Malformed)?;
        Ok(LoginStarted {
            response: started.message.serialize().to_vec(),
            state: Zeroizing::new(started.state.serialize().to_vec()),
        })
    }

    /// Checks `KE3` against the state of [`Self::login`].
    ///
    /// # Errors
    ///
    /// [`OpaqueError::WrongPassword`], also for a `KE3` that cannot be read.
    pub fn finish(state: &[u8], finalization: &[u8]) -> Result<(), OpaqueError> {
        let state = ServerLogin::<Suite>::deserialize(state).map_err(|_| OpaqueError::State)?;
        let finalization = CredentialFinalization::deserialize(finalization)
            .map_err(|_| OpaqueError::WrongPassword)?;
        state
            .finish(finalization, ServerLoginParameters::default())
            .map_err(|_| OpaqueError::WrongPassword)?;
        Ok(())
    }
}

#[cfg(test)]
mod official;

#[cfg(test)]
mod tests {
    use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};
    use opaque_ke::{
        ClientLogin, ClientLoginFinishParameters, ClientRegistration,
        ClientRegistrationFinishParameters, CredentialResponse, RegistrationResponse,
    };

    use super::*;

    fn cheap() -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap())
    }

    fn server() -> Opaque {
        Opaque::from_bytes(&Opaque::generate()).unwrap()
    }

    fn register(server: &Opaque, name: &str, password: &[u8]) -> Vec<u8> {
        let client = ClientRegistration::<Suite>::start(&mut OpaqueRng, password).unwrap();
        let response = server.register(name, &client.message.serialize()).unwrap();
        let response = RegistrationResponse::deserialize(&response).unwrap();
        let (ksf, rng) = (cheap(), &mut OpaqueRng);
        let parameters = ClientRegistrationFinishParameters {
            ksf: Some(&ksf),
            ..ClientRegistrationFinishParameters::default()
        };
        let finished = client.state.finish(rng, password, response, parameters).unwrap();
        Opaque::record(&finished.message.serialize()).unwrap()
    }

    /// The relay's verdict; `None` when the client noticed by itself that it cannot go on.
    fn log_in(
        server: &Opaque,
        name: &str,
        record: Option<&[u8]>,
        password: &[u8],
    ) -> Option<Result<(), OpaqueError>> {
        let client = ClientLogin::<Suite>::start(&mut OpaqueRng, password).unwrap();
        let started = server.login(name, record, &client.message.serialize()).unwrap();
        let response = CredentialResponse::deserialize(&started.response).unwrap();
        let ksf = cheap();
        let parameters = ClientLoginFinishParameters {
            ksf: Some(&ksf),
            ..ClientLoginFinishParameters::default()
        };
        let finished = client.state.finish(&mut OpaqueRng, password, response, parameters).ok()?;
        Some(Opaque::finish(&started.state, &finished.message.serialize()))
    }

    #[test]
    fn the_right_password_opens_and_a_wrong_one_does_not() {
        let server = server();
        let record = register(&server, "alice", b"correct horse");

        assert_eq!(log_in(&server, "alice", Some(&record), b"correct horse"), Some(Ok(())));
        assert_eq!(log_in(&server, "alice", Some(&record), b"battery staple"), None);
    }

    #[test]
    fn an_unknown_name_is_answered_like_a_wrong_password() {
        let server = server();
        let record = register(&server, "alice", b"correct horse");
        let request = |password: &[u8]| {
            ClientLogin::<Suite>::start(&mut OpaqueRng, password).unwrap().message.serialize()
        };

        let known = server.login("alice", Some(&record), &request(b"x")).unwrap();
        let unknown = server.login("nobody", None, &request(b"x")).unwrap();

        assert_eq!(known.response.len(), unknown.response.len());
        assert_eq!(log_in(&server, "nobody", None, b"correct horse"), None);
        assert_eq!(Opaque::finish(&unknown.state, &[7; 64]), Err(OpaqueError::WrongPassword));
        assert_eq!(Opaque::finish(&known.state, &[7; 64]), Err(OpaqueError::WrongPassword));
    }

    #[test]
    fn the_keys_survive_the_store() {
        let stored = Opaque::generate();
        let record = register(&Opaque::from_bytes(&stored).unwrap(), "alice", b"password");

        let restarted = Opaque::from_bytes(&stored).unwrap();

        assert_eq!(log_in(&restarted, "alice", Some(&record), b"password"), Some(Ok(())));
        assert!(matches!(Opaque::from_bytes(&stored[1..]), Err(OpaqueError::State)));
    }

    #[test]
    fn what_is_no_opaque_message_is_malformed() {
        assert_eq!(server().register("alice", b"hello"), Err(OpaqueError::Malformed));
        assert!(matches!(server().login("alice", None, b""), Err(OpaqueError::Malformed)));
        assert_eq!(Opaque::record(&[0; 10]), Err(OpaqueError::Malformed));
    }
}
