//! Recovery phrases: 24 words on paper that open the keyring when the password is gone.
//!
//! ```text
//!  32 random bytes ‖ 8 bits of their SHA-256  =  24 × 11 bits  =  24 words of BIP-39's English list
//! ```
//!
//! Only the encoding of BIP-39 is used: the entropy itself is the key material, and there is no
//! PBKDF2, because 256 random bits need no stretching. A word may be cut short after four letters,
//! which tell all words of the list apart: that is what people punch into steel.
//! Normative: `docs/protocol/keyring.md` §2.

mod login;

use std::fmt;

use bip0039::{English, Mnemonic};
use rand_core::CryptoRng;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

pub use self::login::RecoveryLogin;

/// How many words a phrase has.
pub const WORDS: usize = 24;

/// So many letters tell every word of the list from the others.
const LETTERS_THAT_TELL: usize = 4;

/// The longest word of the list has eight letters.
const LETTERS_MAX: usize = 8;

/// Why words are not a recovery phrase.
///
/// No variant repeats a word: what was typed is almost a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// Not [`WORDS`] words; carries how many there are.
    #[error("a recovery phrase has 24 words, this has {0}")]
    WordCount(usize),
    /// A word that is on no list; carries its place, counted from 1.
    #[error("word {0} is not in the word list; look for a typing error")]
    UnknownWord(usize),
    /// All words are known, but they do not belong together in this order.
    #[error("the words do not fit together; one is wrong or two are swapped")]
    Checksum,
}

/// A recovery phrase.
#[derive(Clone, ZeroizeOnDrop)]
pub struct RecoveryPhrase([u8; 32]);

impl RecoveryPhrase {
    /// Draws a new phrase.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut phrase = Self([0; 32]);
        rng.fill_bytes(&mut phrase.0);
        phrase
    }

    /// Reads 24 words: in either case and width, with any white space between them, each in full
    /// or cut short after at least four letters.
    ///
    /// # Errors
    ///
    /// [`RecoveryError`]: the number of words, the first unknown word, or the checksum.
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        // Full-width letters become plain ones. Compatibility forms can grow to 18 times the
        // length, and a buffer that grows leaves copies behind.
        let mut plain = Zeroizing::new(String::with_capacity(text.len() * 18));
        plain.extend(text.nfkc().flat_map(char::to_lowercase));
        let count = plain.split_whitespace().count();
        if count != WORDS {
            return Err(RecoveryError::WordCount(count));
        }
        let mut phrase = Zeroizing::new(String::with_capacity(WORDS * (LETTERS_MAX + 1)));
        for (place, typed) in (1..).zip(plain.split_whitespace()) {
            let word = whole_word(typed).ok_or(RecoveryError::UnknownWord(place))?;
            phrase.extend([word, " "]);
        }
        let mnemonic = Mnemonic::<English>::from_normalized_phrase(phrase.trim_end())
            .map_err(|_| RecoveryError::Checksum)?;
        // INVARIANT: 24 words carry 32 bytes.
        <[u8; 32]>::try_from(mnemonic.entropy()).map(Self).map_err(|_| RecoveryError::Checksum)
    }

    /// The phrase as lower-case words with single spaces: to be shown once, and written down.
    #[expect(clippy::expect_used, reason = "the length is right")]
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        // INVARIANT: BIP-39 has words for 32 bytes.
        let mnemonic = Mnemonic::<English>::from_entropy(self.0).expect("32 bytes have words");
        Zeroizing::new(mnemonic.into_phrase())
    }

    /// The 32 bytes behind the words.
    pub(crate) fn entropy(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase(..)")
    }
}

/// The word of the list that `typed` is, or begins with enough letters.
fn whole_word(typed: &str) -> Option<&'static str> {
    let words = English::words();
    let begins = |word: &&&str| typed.len() >= LETTERS_THAT_TELL && word.starts_with(typed);
    let exact = words.iter().find(|word| **word == typed);
    exact.or_else(|| words.iter().find(begins)).copied()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn words_written_down_are_read_again() {
        let phrase = phrase();

        let read = RecoveryPhrase::parse(&phrase.words()).unwrap();

        assert_eq!(read.entropy(), phrase.entropy());
        assert_eq!(phrase.words().split(' ').count(), WORDS);
    }

    #[test]
    fn case_and_white_space_do_not_matter() {
        let phrase = phrase();
        let shouted = format!("\n  {}\t", phrase.words().to_uppercase().replace(' ', " \r\n "));

        assert_eq!(RecoveryPhrase::parse(&shouted).unwrap().entropy(), phrase.entropy());
    }

    #[test]
    fn letters_of_full_width_are_letters() {
        let phrase = phrase();
        let wide = |c: char| match c {
            ' ' => '\u{3000}',
            letter => char::from_u32(letter as u32 + 0xfee0).unwrap(),
        };
        let typed: String = phrase.words().chars().map(wide).collect();

        assert_eq!(RecoveryPhrase::parse(&typed).unwrap().entropy(), phrase.entropy());
    }

    #[test]
    fn no_character_outgrows_the_buffer() {
        let plain = |c: char| c.nfkc().flat_map(char::to_lowercase).map(char::len_utf8);
        let grown = |c: &char| plain(*c).sum::<usize>() > 18 * c.len_utf8();

        assert_eq!(('\0'..=char::MAX).find(grown), None);
    }

    #[test]
    fn four_letters_of_a_word_are_enough() {
        let phrase = phrase();
        let short = |letters: usize| {
            let words = phrase.words();
            let cut = words.split(' ').map(|word| &word[..letters.min(word.len())]);
            RecoveryPhrase::parse(&cut.collect::<Vec<_>>().join(" "))
        };

        assert_eq!(short(4).unwrap().entropy(), phrase.entropy());
        assert_eq!(short(5).unwrap().entropy(), phrase.entropy());
        assert!(matches!(short(3), Err(RecoveryError::UnknownWord(_))));
    }

    #[test]
    fn four_letters_tell_all_words_apart_and_no_word_is_longer_than_thought() {
        let first_letters: std::collections::BTreeSet<_> = English::words()
            .iter()
            .map(|word| &word[..LETTERS_THAT_TELL.min(word.len())])
            .collect();

        assert_eq!(first_letters.len(), 2048);
        assert!(English::words().iter().all(|word| word.len() <= LETTERS_MAX));
    }

    #[test]
    fn a_whole_word_is_not_taken_for_the_beginning_of_another() {
        assert_eq!(whole_word("act"), Some("act"));
        assert_eq!(whole_word("acto"), Some("actor"));
        assert_eq!(whole_word("abandonx"), None);
        assert_eq!(whole_word(""), None);
    }

    #[test]
    fn the_words_are_those_of_bip39() {
        // Vectors of BIP-39's reference implementation.
        assert_eq!(*RecoveryPhrase([0; 32]).words(), format!("{}art", "abandon ".repeat(23)),);
        assert_eq!(*RecoveryPhrase([0xff; 32]).words(), format!("{}vote", "zoo ".repeat(23)));
    }

    #[test]
    fn a_typing_error_is_located() {
        let mut words: Vec<_> = phrase().words().split(' ').map(str::to_owned).collect();
        words[6] = "abandom".to_owned();

        let error = RecoveryPhrase::parse(&words.join(" ")).unwrap_err();

        assert_eq!(error, RecoveryError::UnknownWord(7));
        assert_eq!(error.to_string(), "word 7 is not in the word list; look for a typing error");
    }

    #[test]
    fn another_word_of_the_list_breaks_the_checksum() {
        let wrong = format!("{}vote", "abandon ".repeat(23));

        assert_eq!(RecoveryPhrase::parse(&wrong).unwrap_err(), RecoveryError::Checksum);
    }

    #[test]
    fn a_shorter_phrase_is_refused_although_bip39_knows_it() {
        let twelve = format!("{}about", "abandon ".repeat(11));

        assert_eq!(RecoveryPhrase::parse(&twelve).unwrap_err(), RecoveryError::WordCount(12));
        assert_eq!(RecoveryPhrase::parse("").unwrap_err(), RecoveryError::WordCount(0));
    }

    #[test]
    fn debug_output_shows_nothing() {
        assert_eq!(format!("{:?}", phrase()), "RecoveryPhrase(..)");
    }

    fn phrase() -> RecoveryPhrase {
        RecoveryPhrase::generate(&mut ChaCha20Rng::seed_from_u64(1))
    }
}
