//! Passwords as they are hashed: the same whatever keyboard, system or language typed them.
//!
//! ```text
//!  typed ─▶ every space is U+0020 ─▶ NFC ─▶ UTF-8 ─▶ OPAQUE
//! ```
//!
//! These are the mapping steps of OpaqueString (RFC 8265 §4.2.2). Its choice of code points is
//! not followed: it refuses many emoji, and refusing them protects nobody here. What is refused is
//! what could not be typed again or could come out differently tomorrow: control characters, and
//! code points that mean nothing yet. Normative: `docs/protocol/keyring.md` §6.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_public_assigned;
use zeroize::Zeroizing;

/// Why text cannot be a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Nothing was typed.
    #[error("a password is not empty")]
    Empty,
    /// A control character, a private one, or one that this version of Unicode does not know.
    #[error("the password has a character that cannot be typed everywhere")]
    Untypable,
}

/// Brings a password into the one form that is hashed.
///
/// # Errors
///
/// [`PasswordError`].
pub fn normalize(typed: &str) -> Result<Zeroizing<String>, PasswordError> {
    if typed.is_empty() {
        return Err(PasswordError::Empty);
    }
    if typed.chars().any(|c| c.is_control() || !is_public_assigned(c)) {
        return Err(PasswordError::Untypable);
    }
    // NFC never has more than three times the bytes (UAX #15), so the buffer does not grow and
    // leaves no copy behind.
    let mut normal = Zeroizing::new(String::with_capacity(typed.len() * 3));
    normal.extend(typed.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc());
    Ok(normal)
}

/// The code points of Unicode's category Zs.
fn is_space(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_one_password() {
        let composed = "Zürich übermåne 한국";
        let decomposed =
            "Zu\u{308}rich u\u{308}berma\u{30a}ne \u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}";

        assert_ne!(composed, decomposed);
        assert_eq!(normalize(decomposed), normalize(composed));
        assert_eq!(*normalize(composed).unwrap(), composed);
    }

    #[test]
    fn marks_in_any_order_are_one_password() {
        assert_eq!(normalize("q\u{307}\u{323}"), normalize("q\u{323}\u{307}"));
    }

    #[test]
    fn one_code_point_for_another_is_one_password() {
        // The sign for ångström is the letter, the sign for ohm the Greek one.
        assert_eq!(*normalize("\u{212b}\u{2126}").unwrap(), "\u{c5}\u{3a9}");
    }

    #[test]
    fn every_space_is_the_same_and_none_is_dropped() {
        for space in ['\u{a0}', '\u{1680}', '\u{2000}', '\u{200a}', '\u{202f}', '\u{205f}', '　'] {
            let typed = format!("{space}correct{space}{space}horse{space}");
            assert_eq!(*normalize(&typed).unwrap(), " correct  horse ", "{space:?}");
        }
    }

    #[test]
    fn case_width_and_look_alikes_stay_apart() {
        let forms = ["secret", "Secret", "ｓｅｃｒｅｔ", "s\u{435}cret", "secret ", "ﬁ", "fi"];

        let normal: std::collections::BTreeSet<_> =
            forms.iter().map(|form| normalize(form).unwrap().to_string()).collect();

        assert_eq!(normal.len(), forms.len());
    }

    #[test]
    fn emoji_may_be_passwords() {
        for typed in ["🐘🔑", "❤\u{fe0f}", "👩\u{200d}🔬"] {
            assert_eq!(*normalize(typed).unwrap(), typed);
        }
    }

    #[test]
    fn what_cannot_be_typed_again_is_refused() {
        assert_eq!(normalize(""), Err(PasswordError::Empty));
        for typed in ["a\tb", "a\nb", "a\0", "\u{7f}", "\u{85}", "\u{e000}", "\u{ffff}", "\u{378}"]
        {
            assert_eq!(normalize(typed), Err(PasswordError::Untypable), "{typed:?}");
        }
    }

    #[test]
    fn no_character_outgrows_the_buffer() {
        // Composing makes text shorter, so what single characters become is the most there is.
        let grown = |c: &char| c.nfc().map(char::len_utf8).sum::<usize>() > 3 * c.len_utf8();

        assert_eq!(('\0'..=char::MAX).find(grown), None);
    }

    #[test]
    fn the_examples_of_the_rfc_come_out_as_it_says() {
        // RFC 8265 §4.3.
        let same = [
            "correct horse battery staple",
            "Correct Horse Battery Staple",
            "\u{3c0}\u{df}\u{e5}",
            "Jack of \u{2666}s",
        ];

        for typed in same {
            assert_eq!(*normalize(typed).unwrap(), typed);
        }
        assert_eq!(*normalize("foo\u{1680}bar").unwrap(), "foo bar");
        assert_eq!(normalize(""), Err(PasswordError::Empty));
        assert_eq!(normalize("my cat is a \u{9}by"), Err(PasswordError::Untypable));
    }

    #[test]
    fn what_is_normal_stays_as_it_is() {
        let normal = normalize("u\u{308}　\u{1d160}").unwrap();

        assert_eq!(normalize(&normal), Ok(normal));
    }
}
