//! The code, as it is drawn, read, and typed where there is no camera.

use std::fmt;
use std::str::FromStr;

use chat_core::codec::{from_base64url, to_base64url};

use crate::error::{Error, Kind};

/// What a code begins with as text, so that an app that is handed one knows what it is.
const PREFIX: &str = "sealwire-link:";
/// A code has about seventy bytes; nothing near this is one.
const BYTES_MAX: usize = 256;

/// A code for linking, to be shown on one device and scanned by the other.
///
/// It is a secret for ten minutes: whoever reads it can answer it, and shows other emoji.
#[derive(Clone, Eq, PartialEq)]
pub struct LinkCode(Vec<u8>);

impl LinkCode {
    /// Takes what a QR code holds in its byte mode. Whether it is a code at all shows when it is
    /// used.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkCodeInvalid`] for far more bytes than a code has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        // Some scanners give bytes that happen to be text as text.
        if let Some(text) = std::str::from_utf8(bytes).ok().filter(|t| t.starts_with(PREFIX)) {
            return text.parse();
        }
        if bytes.is_empty() || bytes.len() > BYTES_MAX {
            return Err(Kind::LinkCodeInvalid.into());
        }
        Ok(Self(bytes.to_vec()))
    }

    /// What to draw, as a QR code in byte mode.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As text, to be copied where there is no camera.
impl fmt::Display for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", to_base64url(&self.0))
    }
}

impl FromStr for LinkCode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > PREFIX.len() + BYTES_MAX * 2 {
            return Err(Kind::LinkCodeInvalid.into());
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(Kind::LinkCodeInvalid)?;
        let bytes = from_base64url(encoded).map_err(|e| Kind::LinkCodeInvalid.because(e))?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_being_copied_as_text_and_being_scanned() {
        let code = LinkCode::from_bytes(&[0xa5, 0, 1, 2]).unwrap();

        let copied: LinkCode = format!("  {code}\n").parse().unwrap();
        let scanned = LinkCode::from_bytes(code.to_string().as_bytes()).unwrap();

        assert_eq!(copied, code);
        assert_eq!(scanned, code);
        assert_eq!(format!("{code:?}"), "LinkCode(..)");
    }

    #[test]
    fn what_is_no_code_is_refused_before_it_is_used() {
        let long = format!("{PREFIX}{}", "A".repeat(100_000));
        for text in ["", "https://example.org", "sealwire-link:", "sealwire-link:%%%", &long] {
            let refused = text.parse::<LinkCode>();

            assert_eq!(refused.unwrap_err().code(), "link_code_invalid");
        }
        assert!(LinkCode::from_bytes(&[0; BYTES_MAX + 1]).is_err());
    }
}
