//! Padding: what is sealed says little about how long it was.
//!
//! ```text
//!  padded = content ‖ 0x80 ‖ 0x00 … 0x00
//!
//!  content + 1 ≤ 4 KiB    up to the next multiple of 256
//!  above                  up to the next Padmé length: at most 12 % more, O(log log n) bits shown
//! ```
//!
//! The mark makes the padding unambiguous, and a padding longer or shorter than the rule is
//! refused, so one content has one padded form. Padding is removed only after its authentication
//! held; nothing here is secret-dependent in a way a stranger could reach.
//! Normative: `docs/protocol/envelope.md` §4. Padmé: PURBs, PETS 2019, §4.

use chat_core::limits::PAYLOAD_BYTES_MAX;
use zeroize::Zeroizing;

const MARK: u8 = 0x80;
const STEP: usize = 256;
const STEPS_END: usize = 4096;

/// Longest content that fits its padding into [`PAYLOAD_BYTES_MAX`].
pub const CONTENT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 1;

/// Why bytes were not padded, or what was padded cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PaddingError {
    /// The content exceeds [`CONTENT_BYTES_MAX`].
    #[error("the content is too long to be padded")]
    TooLong,
    /// These bytes are not what padding makes of any content.
    #[error("the padding is not as it must be")]
    Malformed,
}

/// The length, in bytes, that content of `length` bytes is padded to.
#[must_use]
pub fn padded_length(length: usize) -> usize {
    let marked = length.saturating_add(1);
    if marked <= STEPS_END {
        return marked.next_multiple_of(STEP);
    }
    // Padmé: as many low bits are zero as the floor of the logarithm leaves room for.
    let exponent = marked.ilog2();
    let low_bits = exponent - (exponent.ilog2() + 1);
    marked.next_multiple_of(1 << low_bits)
}

/// Pads `content` to [`padded_length`].
///
/// # Errors
///
/// [`PaddingError::TooLong`] above [`CONTENT_BYTES_MAX`].
pub fn pad(content: &[u8]) -> Result<Zeroizing<Vec<u8>>, PaddingError> {
    if content.len() > CONTENT_BYTES_MAX {
        return Err(PaddingError::TooLong);
    }
    Ok(pad_any(content))
}

/// Pads `content` of any length to [`padded_length`].
pub(crate) fn pad_any(content: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = padded_length(content.len());
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(content);
    padded.push(MARK);
    padded.resize(length, 0);
    padded
}

/// Finds the content in what [`pad`] made.
///
/// # Errors
///
/// [`PaddingError::Malformed`] for anything that [`pad`] does not make.
pub fn unpad(padded: &[u8]) -> Result<&[u8], PaddingError> {
    let end = padded.iter().rposition(|byte| *byte != 0).ok_or(PaddingError::Malformed)?;
    let (content, rest) = padded.split_at(end);
    if rest.first() != Some(&MARK) || padded_length(content.len()) != padded.len() {
        return Err(PaddingError::Malformed);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_around_every_boundary_comes_back() {
        let steps = (0..=20).map(|step| step * STEP);
        let powers = (12..=17).map(|power| 1usize << power);
        let padme = [4607, 4608, 9215, 9216, 65_535, 126_976, 131_071];
        for boundary in steps.chain(powers).chain(padme) {
            for length in boundary.saturating_sub(2)..=(boundary + 2).min(CONTENT_BYTES_MAX) {
                let content = vec![MARK; length];

                let padded = pad(&content).unwrap();

                assert_eq!(unpad(&padded), Ok(&content[..]), "{length} bytes");
                assert!(padded.len() > length);
                assert!(padded.len() <= PAYLOAD_BYTES_MAX);
            }
        }
    }

    #[test]
    fn short_contents_share_the_length_of_a_step() {
        assert_eq!(padded_length(0), 256);
        assert_eq!(padded_length(255), 256);
        assert_eq!(padded_length(256), 512);
        assert_eq!(padded_length(4095), 4096);
    }

    #[test]
    fn long_contents_are_padded_as_padme_says() {
        // Computed by hand from the paper: E = ⌊log₂ L⌋, S = ⌊log₂ E⌋ + 1, E - S low bits zero.
        assert_eq!(padded_length(4096), 4352);
        assert_eq!(padded_length(9000), 9216);
        assert_eq!(padded_length(100_000), 100_352);
        assert_eq!(padded_length(131_071), 131_072);
    }

    #[test]
    fn no_content_grows_by_more_than_an_eighth_above_the_steps() {
        for length in (STEPS_END..CONTENT_BYTES_MAX).step_by(97) {
            assert!(padded_length(length) - length - 1 <= length / 8, "{length} bytes");
        }
    }

    #[test]
    fn one_byte_too_many_is_refused() {
        assert!(pad(&vec![0; CONTENT_BYTES_MAX]).is_ok());
        assert_eq!(pad(&vec![0; CONTENT_BYTES_MAX + 1]), Err(PaddingError::TooLong));
    }

    #[test]
    fn another_form_of_padding_is_malformed() {
        let longer_than_needed = {
            let mut padded = pad(b"hello").unwrap();
            padded.resize(512, 0);
            padded
        };
        let another_mark = {
            let mut padded = pad(b"hello").unwrap();
            padded[5] = 0x81;
            padded
        };

        assert_eq!(unpad(&longer_than_needed), Err(PaddingError::Malformed));
        assert_eq!(unpad(&another_mark), Err(PaddingError::Malformed));
        assert_eq!(unpad(&[0; 256]), Err(PaddingError::Malformed));
        assert_eq!(unpad(&[]), Err(PaddingError::Malformed));
        assert_eq!(unpad(&[MARK]), Err(PaddingError::Malformed));
    }

    #[test]
    fn content_that_looks_like_padding_is_content() {
        let content = [MARK, 0, 0, MARK, 0];

        assert_eq!(unpad(&pad(&content).unwrap()), Ok(&content[..]));
    }
}
