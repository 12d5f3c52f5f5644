//! Whether a secret that somebody discloses is the one that a message's sender committed to.
//!
//! ```text
//!  K ‖ N ‖ C  =  HKDF-SHA-256(secret, info = label ‖ SHA-256(header))        only C is looked at
//! ```
//!
//! No other secret has this commitment, and the header is part of it: so the sender's message says
//! what this secret opens, and nothing else. The relay stops there. It has no code that decrypts.
//! Normative: `docs/protocol/envelope.md` §3, `docs/protocol/reports.md`.

use chat_core::codec::Digest;
use chat_core::envelope::{Envelope, Suite};
use chat_core::label;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Where the commitment begins, behind key and nonce.
const COMMITMENT_AT: usize = 32 + 12;

/// Tells whether `secret` opens the message `envelope`, and may be kept as what does.
///
/// What hands out a sender chain is nobody's message: it would open others.
#[must_use]
pub fn opens(envelope: &Envelope, secret: &[u8]) -> bool {
    let is_message = envelope.read_header().is_ok_and(|header| header.suite != Suite::HandOut);
    is_message && commitment(&envelope.header, secret) == Some(envelope.commitment)
}

fn commitment(header: &[u8], secret: &[u8]) -> Option<Digest> {
    let mut derived = Zeroizing::new([0; COMMITMENT_AT + Digest::BYTES]);
    let info = [label::ENVELOPE.as_bytes(), Digest::of(header).as_bytes()].concat();
    Hkdf::<Sha256>::new(None, secret).expand(&info, &mut *derived).ok()?;
    Digest::try_from(derived.get(COMMITMENT_AT..)?).ok()
}

#[cfg(test)]
mod tests {
    use chat_core::codec::{Bytes, List, from_bytes, to_bytes};
    use chat_core::envelope::Header;
    use serde_json::Value;

    use super::super::unhex;
    use super::*;

    #[test]
    fn the_secret_of_each_vector_opens_it_and_no_other_does() {
        for (envelope, secret) in vectors() {
            let mut other = secret.clone();
            other[0] ^= 1;

            assert!(opens(&envelope, &secret));
            assert!(!opens(&envelope, &other));
            assert!(!opens(&envelope, &[]));
        }
    }

    #[test]
    fn under_another_header_a_secret_opens_nothing() {
        for (envelope, secret) in vectors() {
            let mut header: Header = from_bytes(&envelope.header).unwrap();
            header.sent_at = header.sent_at.after(std::time::Duration::from_millis(1));
            let header = Bytes::new(to_bytes(&header)).unwrap();

            assert!(!opens(&Envelope { header, ..envelope }, &secret));
        }
    }

    #[test]
    fn what_hands_out_a_chain_is_not_taken() {
        let (envelope, secret) = vectors().remove(0);
        let mut header: Header = from_bytes(&envelope.header).unwrap();
        header.suite = Suite::HandOut;
        let header = to_bytes(&header);
        let commitment = commitment(&header, &secret).unwrap();
        let header = Bytes::new(header).unwrap();

        assert!(!opens(&Envelope { header, commitment, ..envelope }, &secret));
    }

    fn vectors() -> Vec<(Envelope, Vec<u8>)> {
        let text = include_str!("../../../../docs/protocol/vectors/envelope.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        let read = |case: &Value| {
            let field = |name: &str| unhex(case[name].as_str().unwrap());
            let envelope = Envelope {
                header: Bytes::new(field("header_cbor")).unwrap(),
                commitment: Digest::try_from(field("commitment").as_slice()).unwrap(),
                payload: Bytes::new(field("payload")).unwrap(),
                wraps: List::default(),
            };
            (envelope, field("secret"))
        };
        cases.iter().map(read).collect()
    }
}
