//! Safety numbers: sixty digits that two people compare to know that nobody stands between them.
//!
//! ```text
//!  H₁ = SHA-512(label ‖ version ‖ account id ‖ identity key)
//!  Hᵢ = SHA-512(Hᵢ₋₁ ‖ identity key)                              i = 2 … 5200
//!  fingerprint = the first 32 bytes of H₅₂₀₀
//!
//!  digits  for each side: 6 × (5 bytes, big-endian, mod 100 000), the lower fingerprint first
//!  QR      version ‖ lower fingerprint ‖ higher fingerprint                         65 bytes
//! ```
//!
//! The repetition makes it dear to search for a key whose digits collide: thirty digits a side
//! are about 100 bits. The shape is that of Signal's numeric fingerprints. Both fingerprints are
//! sorted, so both people see the same. Normative: `docs/protocol/keyring.md` §5.

use std::fmt;

use chat_core::id::AccountId;
use chat_core::key::IdentityKey;
use chat_core::label;
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

/// The version of digits and QR code.
pub const VERSION: u8 = 1;

const ITERATIONS: u32 = 5_200;
const FINGERPRINT_BYTES: usize = 32;
const DIGITS_A_GROUP: usize = 5;
const GROUPS_A_SIDE: usize = 6;

type Fingerprint = [u8; FINGERPRINT_BYTES];

/// What two people compare; the same on both sides.
///
/// Making one takes two times 5 200 hashes, a few milliseconds: keep it while it is on screen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SafetyNumber {
    lower: Fingerprint,
    higher: Fingerprint,
}

impl SafetyNumber {
    /// Computes the number of two accounts; which is first does not matter.
    #[must_use]
    pub fn between(a: (AccountId, IdentityKey), b: (AccountId, IdentityKey)) -> Self {
        let (a, b) = (fingerprint(a), fingerprint(b));
        Self { lower: a.min(b), higher: a.max(b) }
    }

    /// What the QR code carries: 65 bytes.
    #[must_use]
    pub fn qr_payload(&self) -> Vec<u8> {
        [&[VERSION], &self.lower[..], &self.higher[..]].concat()
    }

    /// Tells, in constant time, whether a scanned code says the same.
    #[must_use]
    pub fn matches_qr(&self, scanned: &[u8]) -> bool {
        self.qr_payload().ct_eq(scanned).into()
    }
}

impl fmt::Display for SafetyNumber {
    /// Writes twelve groups of five digits with spaces between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = digit_groups(&self.lower).chain(digit_groups(&self.higher));
        for (place, group) in groups.enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{group:05}")?;
        }
        Ok(())
    }
}

fn digit_groups(fingerprint: &Fingerprint) -> impl Iterator<Item = u64> + '_ {
    fingerprint.chunks_exact(DIGITS_A_GROUP).take(GROUPS_A_SIDE).map(|bytes| {
        bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)) % 100_000
    })
}

fn fingerprint((account, key): (AccountId, IdentityKey)) -> Fingerprint {
    let mut hash = Sha512::new()
        .chain_update(label::SAFETY_NUMBER.as_bytes())
        .chain_update([VERSION])
        .chain_update(account.as_bytes())
        .chain_update(key.as_bytes())
        .finalize();
    for _ in 1..ITERATIONS {
        hash = Sha512::new().chain_update(hash).chain_update(key.as_bytes()).finalize();
    }
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    fingerprint.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same() {
        let ours = SafetyNumber::between(alice(), bob());
        let theirs = SafetyNumber::between(bob(), alice());

        assert_eq!(ours.to_string(), theirs.to_string());
        assert!(ours.matches_qr(&theirs.qr_payload()));
    }

    #[test]
    fn a_changed_key_changes_the_number() {
        let before = SafetyNumber::between(alice(), bob());
        let after = SafetyNumber::between(alice(), (bob().0, IdentityKey::from_bytes([9; 32])));

        assert_ne!(before.to_string(), after.to_string());
        assert!(!before.matches_qr(&after.qr_payload()));
    }

    #[test]
    fn the_same_key_of_another_account_has_another_number() {
        let mallory = (AccountId::from_bytes([7; 16]), bob().1);

        assert_ne!(SafetyNumber::between(alice(), bob()), SafetyNumber::between(alice(), mallory));
    }

    #[test]
    fn it_is_sixty_digits_in_twelve_groups() {
        let number = SafetyNumber::between(alice(), bob()).to_string();

        let groups: Vec<_> = number.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|g| g.len() == 5 && g.bytes().all(|c| c.is_ascii_digit())));
    }

    #[test]
    fn a_code_of_another_version_or_length_does_not_match() {
        let number = SafetyNumber::between(alice(), bob());
        let mut newer = number.qr_payload();
        newer[0] += 1;

        assert!(!number.matches_qr(&newer));
        assert!(!number.matches_qr(&number.qr_payload()[..64]));
        assert!(!number.matches_qr(&[]));
    }

    fn alice() -> (AccountId, IdentityKey) {
        (AccountId::from_bytes([1; 16]), IdentityKey::from_bytes([2; 32]))
    }

    fn bob() -> (AccountId, IdentityKey) {
        (AccountId::from_bytes([3; 16]), IdentityKey::from_bytes([4; 32]))
    }
}
