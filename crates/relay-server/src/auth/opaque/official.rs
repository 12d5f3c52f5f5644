//! Official vectors for OPAQUE and Argon2id, through the crates and versions that both sides link.
//!
//! ```text
//!  RFC 9807 C.1   2    registration and log-in: every message, export key, session key
//!  RFC 9807 C.2   1    the answer to a name that nobody has
//!  RFC 9106       8    Argon2id: §5.3, and seven of the reference implementation
//! ```
//!
//! The relay runs its own [`Suite`] here, whose stretching it never uses. The client's suite differs
//! from ours in the stretching only: the vectors have none. So they cannot show what Argon2id gets,
//! nor where its result stands; that is computed here a second time, from RFC 9807 §4.1.2, §5.2.3
//! and §7 alone. Sources and licences: `crates/relay-server/tests/official/README.md`.

use std::cell::RefCell;
use std::marker::PhantomData;

use hkdf::Hkdf;
use opaque_ke::argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::{Identity, Ksf};
use opaque_ke::rand::{CryptoRng, Error as RandError, RngCore};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse,
};
use serde_json::Value;
use sha2::Sha512;

use super::*;

const OPAQUE: &str = include_str!("../../../tests/official/opaque.json");
const ARGON2ID: &str = include_str!("../../../tests/official/argon2id.json");

/// Our suite with a stretching that listens.
struct Client<K>(PhantomData<K>);

impl<K: Ksf> CipherSuite for Client<K> {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2_010::Sha512>;
    type Ksf = Listening<K>;
}

/// The suite of the vectors.
type Plain = Client<Identity>;

/// Stretches as `K` does, and remembers what it was given: the output of the OPRF.
#[derive(Default)]
struct Listening<K> {
    stretching: K,
    heard: RefCell<Vec<u8>>,
}

impl<K: Ksf> Ksf for Listening<K> {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        *self.heard.borrow_mut() = input.to_vec();
        self.stretching.hash(input)
    }
}

/// Plays the vector's randomness; each byte is drawn, and none beyond.
struct Tape(Vec<u8>);

impl Tape {
    fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl RngCore for Tape {
    fn next_u32(&mut self) -> u32 {
        panic!("OPAQUE draws bytes only")
    }

    fn next_u64(&mut self) -> u64 {
        panic!("OPAQUE draws bytes only")
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        assert!(bytes.len() <= self.0.len(), "{} more than the vector has", bytes.len());
        bytes.copy_from_slice(&self.0[..bytes.len()]);
        self.0.drain(..bytes.len());
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Tape {}

impl Drop for Tape {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.is_empty(), "not all randomness was drawn");
    }
}

/// One case of appendix C.
struct Case(Value);

impl Case {
    fn all(kind: &str) -> Vec<Self> {
        let mut cases: Value = serde_json::from_str(OPAQUE).unwrap();
        let Value::Array(cases) = cases[kind].take() else { panic!("no cases of {kind}") };
        cases.into_iter().map(Self).collect()
    }

    fn try_get(&self, name: &str) -> Option<Vec<u8>> {
        self.0[name].as_str().map(hex)
    }

    fn get(&self, name: &str) -> Vec<u8> {
        self.try_get(name).unwrap_or_else(|| panic!("{name} is missing"))
    }

    fn name(&self) -> String {
        String::from_utf8(self.get("credential_identifier")).unwrap()
    }

    /// The relay's keys as it stores them; the last is what unknown names are answered with.
    fn setup(&self) -> Vec<u8> {
        let unknown = Self::all("fake")[0].get("client_public_key");
        [self.get("oprf_seed"), self.get("server_private_key"), unknown].concat()
    }

    /// A blind of 32 bytes; the library draws 64 and reduces them.
    fn blind(&self, name: &str) -> Tape {
        Tape::new(&[&self.get(name), &[0; 32]])
    }

    fn register<K: Ksf>(&self, stretching: K) -> Registered {
        let (password, response) = (self.get("password"), self.get("registration_response"));
        let names = (self.try_get("client_identity"), self.try_get("server_identity"));
        let ksf = Listening { stretching, heard: RefCell::default() };
        let started = ClientRegistration::<Client<K>>::start(
            &mut self.blind("blind_registration"),
            &password,
        )
        .unwrap();
        let finished = started
            .state
            .finish(
                &mut Tape::new(&[&self.get("envelope_nonce")]),
                &password,
                RegistrationResponse::deserialize(&response).unwrap(),
                ClientRegistrationFinishParameters::new(identifiers(&names), Some(&ksf)),
            )
            .unwrap();
        Registered {
            request: started.message.serialize().to_vec(),
            upload: finished.message.serialize().to_vec(),
            export_key: finished.export_key.to_vec(),
            oprf_output: ksf.heard.into_inner(),
        }
    }
}

/// What a registration gives.
struct Registered {
    request: Vec<u8>,
    upload: Vec<u8>,
    export_key: Vec<u8>,
    oprf_output: Vec<u8>,
}

/// What RFC 9807 derives from a password's OPRF output and the same stretched.
struct Derived {
    randomized_password: Vec<u8>,
    masking_key: Vec<u8>,
    auth_key: Vec<u8>,
    export_key: Vec<u8>,
}

impl Derived {
    fn new(oprf_output: &[u8], stretched: &[u8], envelope_nonce: &[u8]) -> Self {
        let material = [oprf_output, stretched].concat();
        let (randomized_password, hkdf) = Hkdf::<Sha512>::extract(None, &material);
        let expand = |info: &[&[u8]]| {
            let mut key = vec![0; 64];
            hkdf.expand(&info.concat(), &mut key).unwrap();
            key
        };
        Self {
            randomized_password: randomized_password.to_vec(),
            masking_key: expand(&[b"MaskingKey"]),
            auth_key: expand(&[envelope_nonce, b"AuthKey"]),
            export_key: expand(&[envelope_nonce, b"ExportKey"]),
        }
    }
}

#[test]
fn a_registration_is_byte_for_byte_the_one_of_the_rfc() {
    let cases = Case::all("real");

    assert_eq!(cases.len(), 2);
    for case in cases {
        let relay = Opaque::from_bytes(&case.setup()).unwrap();

        let client = case.register(Identity);
        let response = relay.register(&case.name(), &client.request).unwrap();
        let record = Opaque::record(&client.upload).unwrap();

        assert_eq!(client.request, case.get("registration_request"));
        assert_eq!(response, case.get("registration_response"));
        assert_eq!(client.upload, case.get("registration_upload"));
        assert_eq!(client.export_key, case.get("export_key"));
        assert_eq!(record, client.upload);
    }
}

#[test]
fn a_log_in_is_byte_for_byte_the_one_of_the_rfc() {
    let cases = Case::all("real");

    assert_eq!(cases.len(), 2);
    for case in cases {
        let record = Opaque::record(&case.get("registration_upload")).unwrap();
        let (context, password) = (case.get("context"), case.get("password"));
        let names = (case.try_get("client_identity"), case.try_get("server_identity"));
        let mut client_draws = Tape::new(&[
            &case.get("blind_login"),
            &[0; 32],
            &case.get("client_keyshare_seed"),
            &case.get("client_nonce"),
        ]);

        let client = ClientLogin::<Plain>::start(&mut client_draws, &password).unwrap();
        let ke1 = client.message.serialize().to_vec();
        let (ke2, state) = answer(&case, Some(&record), &ke1, &[0x5a; 64]);
        let parameters =
            ClientLoginFinishParameters::new(Some(&context), identifiers(&names), None);
        let response = CredentialResponse::deserialize(&ke2).unwrap();
        let client =
            client.state.finish(&mut Tape::new(&[]), &password, response, parameters).unwrap();
        let ke3 = client.message.serialize().to_vec();

        assert_eq!(ke1, case.get("ke1"));
        assert_eq!(ke2, case.get("ke2"));
        assert_eq!(ke3, case.get("ke3"));
        assert_eq!(client.export_key.to_vec(), case.get("export_key"));
        assert_eq!(client.session_key.to_vec(), case.get("session_key"));
        assert_eq!(state, [case.get("session_key"), case.get("ke3")].concat());
        assert_eq!(Opaque::finish(&state, &ke3), Ok(()));
        for place in 0..ke3.len() {
            let mut other = ke3.clone();
            other[place] ^= 1;
            assert_eq!(Opaque::finish(&state, &other), Err(OpaqueError::WrongPassword));
        }
    }
}

#[test]
fn an_unknown_name_is_answered_byte_for_byte_as_in_the_rfc() {
    let cases = Case::all("fake");

    assert_eq!(cases.len(), 1);
    for case in cases {
        let (ke2, state) = answer(&case, None, &case.get("ke1"), &case.get("masking_key"));

        assert_eq!(ke2, case.get("ke2"));
        assert_eq!(Opaque::finish(&state, &[0; 64]), Err(OpaqueError::WrongPassword));
    }
}

#[test]
fn what_the_vectors_show_of_the_inside_is_derived_by_the_page_too() {
    for case in Case::all("real") {
        let client = case.register(Identity);
        let y = &client.oprf_output;

        let derived = Derived::new(y, y, &case.get("envelope_nonce"));

        assert_eq!(derived.randomized_password, case.get("randomized_password"));
        assert_eq!(derived.auth_key, case.get("auth_key"));
        assert_eq!(derived.masking_key, client.upload[32..96]);
        assert_eq!(derived.export_key, case.get("export_key"));
    }
}

/// Without stretching, `oprf_output ‖ stretched` is the same bytes twice and has no order.
#[test]
fn argon2id_stands_where_the_rfc_puts_it() {
    let params = ParamsBuilder::new().m_cost(64 * 1024).t_cost(3).p_cost(1).build().unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);

    for case in Case::all("real") {
        let plain = case.register(Identity);
        let ours = case.register(argon2.clone());
        let mut stretched = [0; 64];
        argon2.hash_password_into(&plain.oprf_output, &[0; 16], &mut stretched).unwrap();
        let nonce = case.get("envelope_nonce");

        let derived = Derived::new(&plain.oprf_output, &stretched, &nonce);
        let turned_round = Derived::new(&stretched, &plain.oprf_output, &nonce);

        assert_eq!(ours.request, plain.request);
        assert_eq!(ours.oprf_output, plain.oprf_output);
        assert_eq!(ours.upload[32..96], derived.masking_key);
        assert_eq!(ours.export_key, derived.export_key);
        assert_ne!(ours.export_key, plain.export_key);
        assert_ne!(ours.export_key, turned_round.export_key);
    }
}

#[test]
fn argon2id_gives_the_tags_of_its_rfc_and_of_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(ARGON2ID).unwrap();

    assert_eq!(cases.len(), 8);
    for case in cases {
        let number = |name: &str| u32::try_from(case[name].as_u64().unwrap()).unwrap();
        let field = |name: &str| hex(case[name].as_str().unwrap());
        let params = ParamsBuilder::new()
            .m_cost(number("memory_kib"))
            .t_cost(number("passes"))
            .p_cost(number("lanes"))
            .data(AssociatedData::new(&field("data")).unwrap())
            .build()
            .unwrap();
        let secret = field("secret");

        let argon2 =
            Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&field("password"), &field("salt"), &mut tag).unwrap();

        assert_eq!(tag.to_vec(), field("tag"));
    }
}

/// The relay's `KE2` and state, with the vector's randomness and context in place of our own.
/// The library always draws the masking key of an unknown name first, and may not use it.
fn answer(
    case: &Case,
    record: Option<&[u8]>,
    ke1: &[u8],
    unknown_masking_key: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let (context, name) = (case.get("context"), case.name());
    let names = (case.try_get("client_identity"), case.try_get("server_identity"));
    let started = ServerLogin::<Suite>::start(
        &mut Tape::new(&[
            unknown_masking_key,
            &case.get("masking_nonce"),
            &case.get("server_keyshare_seed"),
            &case.get("server_nonce"),
        ]),
        &Opaque::from_bytes(&case.setup()).unwrap().0,
        record.map(|record| ServerRegistration::deserialize(record).unwrap()),
        CredentialRequest::deserialize(ke1).unwrap(),
        name.as_bytes(),
        ServerLoginParameters { context: Some(&context), identifiers: identifiers(&names) },
    )
    .unwrap();
    (started.message.serialize().to_vec(), started.state.serialize().to_vec())
}

fn identifiers((client, server): &(Option<Vec<u8>>, Option<Vec<u8>>)) -> Identifiers<'_> {
    Identifiers { client: client.as_deref(), server: server.as_deref() }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
