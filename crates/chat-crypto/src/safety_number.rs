//! Safety numbers: what two people compare to know that nobody stands between them.
//!
//! ```text
//!  H₁ = SHA-512(label ‖ version ‖ account id ‖ identity key)
//!  Hᵢ = SHA-512(Hᵢ₋₁ ‖ identity key)                              i = 2 … 5200
//!  fingerprint = the first 32 bytes of H₅₂₀₀
//!
//!  digits  for each side: 6 × (5 bytes, big-endian, mod 100 000), the lower fingerprint first
//!  emoji   for each side: 18 × 6 bits, the lower fingerprint first                 6 rows of 6
//!  QR      version ‖ lower fingerprint ‖ higher fingerprint                         65 bytes
//! ```
//!
//! A safety number stands still, so an attacker has all the time to search for a key whose number
//! looks the same. Therefore none of its forms is short: thirty digits a side are about 100 bits,
//! eighteen emoji 108, and the repetition adds 12 to the work. Few emoji are safe only where both
//! people are there at the same time; see `linking.md` §4.
//! The shape is that of Signal's numeric fingerprints. Both fingerprints are sorted, so both
//! people see the same. Normative: `docs/protocol/keyring.md` §5.

use std::fmt;

use chat_core::id::AccountId;
use chat_core::key::IdentityKey;
use chat_core::label;
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

use crate::emoji::Emoji;

/// The version of digits, emoji and QR code.
pub const VERSION: u8 = 1;

const ITERATIONS: u32 = 5_200;
const FINGERPRINT_BYTES: usize = 32;
const DIGITS_A_GROUP: usize = 5;
const GROUPS_A_SIDE: usize = 6;
const EMOJI_A_SIDE: usize = 18;

/// How many emoji a safety number has: a square of six by six.
pub const EMOJI: usize = 2 * EMOJI_A_SIDE;

/// Why a scanned code does not confirm a safety number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The code is none of ours, or has another version: one of the two apps is to be updated.
    ///
    /// Never to be shown as a match, and never answered by comparing a shorter form instead.
    #[error("the code is of another version; update both apps")]
    OtherVersion,
    /// The code is of this version, and says something else: somebody may stand between.
    #[error("the safety numbers differ")]
    Differs,
}

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

    /// Compares a scanned code with this number, all of it and in constant time.
    ///
    /// # Errors
    ///
    /// [`CodeError::OtherVersion`], also for other lengths; [`CodeError::Differs`].
    pub fn check_qr(&self, scanned: &[u8]) -> Result<(), CodeError> {
        let ours = self.qr_payload();
        if scanned.len() != ours.len() || scanned.first() != Some(&VERSION) {
            return Err(CodeError::OtherVersion);
        }
        if ours.ct_eq(scanned).into() { Ok(()) } else { Err(CodeError::Differs) }
    }

    /// Tells, in constant time, whether a scanned code says the same.
    #[must_use]
    pub fn matches_qr(&self, scanned: &[u8]) -> bool {
        self.check_qr(scanned).is_ok()
    }

    /// The number as emoji, to be shown in six rows of six: half of them for either side.
    #[must_use]
    pub fn emoji(&self) -> [Emoji; EMOJI] {
        let [lower, higher] = [self.lower, self.higher].map(|side| Emoji::of(&side));
        let sides: [[Emoji; EMOJI_A_SIDE]; 2] = [lower, higher];
        let mut emoji = sides.into_iter().flatten();
        // INVARIANT: two sides have as many emoji as the array.
        std::array::from_fn(|_| emoji.next().unwrap_or(Emoji::FIRST))
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
    fn emoji_say_108_bits_of_each_side() {
        let number = SafetyNumber::between(alice(), bob());
        let bits = |side: &Fingerprint| Emoji::of::<EMOJI_A_SIDE, 32>(side);

        let emoji = number.emoji();

        assert_eq!(emoji[..18], bits(&number.lower));
        assert_eq!(emoji[18..], bits(&number.higher));
        assert_eq!(emoji, SafetyNumber::between(bob(), alice()).emoji());
    }

    #[test]
    fn a_changed_key_changes_the_emoji_of_its_side_only() {
        let before = SafetyNumber::between(alice(), bob()).emoji();
        let after = (bob().0, IdentityKey::from_bytes([9; 32]));
        let after = SafetyNumber::between(alice(), after).emoji();

        let same = |half: &[Emoji]| before.chunks(18).any(|side| side == half);
        assert_eq!(after.chunks(18).filter(|half| same(half)).count(), 1);
    }

    #[test]
    fn a_code_of_another_version_is_no_match_and_no_difference_either() {
        let number = SafetyNumber::between(alice(), bob());
        for version in [0, 2, 255] {
            let mut other = number.qr_payload();
            other[0] = version;
            assert_eq!(number.check_qr(&other), Err(CodeError::OtherVersion), "{version}");
        }
    }

    #[test]
    fn a_downgraded_code_of_fewer_bits_is_refused() {
        let number = SafetyNumber::between(alice(), bob());
        let whole = number.qr_payload();

        // Shorter fingerprints of an older app, one side only, nothing, or more than there is.
        let shortened = [&[VERSION], &number.lower[..16], &number.higher[..16]].concat();
        let longer = [&whole[..], &[0]].concat();
        for code in [&shortened, &whole[..33], &whole[..64], &whole[..1], &[], &longer] {
            assert_eq!(number.check_qr(code), Err(CodeError::OtherVersion));
            assert!(!number.matches_qr(code));
        }
    }

    #[test]
    fn no_bit_of_a_code_can_be_changed() {
        let number = SafetyNumber::between(alice(), bob());

        for bit in 8..65 * 8 {
            let mut changed = number.qr_payload();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(number.check_qr(&changed), Err(CodeError::Differs), "bit {bit}");
        }
        assert_eq!(number.check_qr(&number.qr_payload()), Ok(()));
    }

    fn alice() -> (AccountId, IdentityKey) {
        (AccountId::from_bytes([1; 16]), IdentityKey::from_bytes([2; 32]))
    }

    fn bob() -> (AccountId, IdentityKey) {
        (AccountId::from_bytes([3; 16]), IdentityKey::from_bytes([4; 32]))
    }
}
