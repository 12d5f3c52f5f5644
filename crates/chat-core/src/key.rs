//! Public keys, and checking what they signed. Their secret halves live in chat-crypto.
//!
//! A signature is made over `length of label (1 byte) ‖ label ‖ message` with Ed25519
//! (RFC 8032) and checked strictly: small-order keys, small-order commitments and non-canonical
//! encodings are refused.

use crate::codec::fixed_bytes;
use crate::label::Label;

fixed_bytes!(
    /// An account's identity key (Ed25519): signs its device list and its devices' certificates.
    IdentityKey,
    32
);
fixed_bytes!(
    /// A device's signing key (Ed25519).
    DeviceKey,
    32
);
fixed_bytes!(
    /// The key (Ed25519) that answers for a recovery phrase.
    RecoveryKey,
    32
);

fixed_bytes!(
    /// The signing key of one sender chain (Ed25519).
    SenderKey,
    32
);
fixed_bytes!(
    /// A public key for X25519 (RFC 7748): a device's agreement key, a prekey, a ratchet key.
    AgreementKey,
    32
);
fixed_bytes!(
    /// An encapsulation key of ML-KEM-1024 (FIPS 203).
    KemKey,
    1568
);
fixed_bytes!(
    /// A public key for X-Wing (X25519 + ML-KEM-768).
    XWingKey,
    1216
);
fixed_bytes!(
    /// An Ed25519 signature.
    Signature,
    64
);

/// A key that can tell its own signatures from others.
pub trait Verifier {
    /// Tells whether `signature` was made by this key, for this purpose, over this message.
    fn verifies(&self, label: Label, message: &[u8], signature: &Signature) -> bool;
}

impl Verifier for IdentityKey {
    fn verifies(&self, label: Label, message: &[u8], signature: &Signature) -> bool {
        verify(self.as_bytes(), label, message, signature)
    }
}

impl Verifier for DeviceKey {
    fn verifies(&self, label: Label, message: &[u8], signature: &Signature) -> bool {
        verify(self.as_bytes(), label, message, signature)
    }
}

impl Verifier for RecoveryKey {
    fn verifies(&self, label: Label, message: &[u8], signature: &Signature) -> bool {
        verify(self.as_bytes(), label, message, signature)
    }
}

impl Verifier for SenderKey {
    fn verifies(&self, label: Label, message: &[u8], signature: &Signature) -> bool {
        verify(self.as_bytes(), label, message, signature)
    }
}

/// The bytes that are signed in place of `message`.
#[must_use]
pub fn signature_input(label: Label, message: &[u8]) -> Vec<u8> {
    let label = label.as_bytes();
    let mut input = Vec::with_capacity(1 + label.len() + message.len());
    // INVARIANT: a test holds every label below 256 bytes.
    input.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
    input.extend_from_slice(label);
    input.extend_from_slice(message);
    input
}

fn verify(key: &[u8; 32], label: Label, message: &[u8], signature: &Signature) -> bool {
    verify_strictly(key, &signature_input(label, message), signature)
}

/// Checks a signature over `input` itself, which for all our signatures begins with a label.
fn verify_strictly(key: &[u8; 32], input: &[u8], signature: &Signature) -> bool {
    if !is_reduced(key) {
        return false;
    }
    let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.verify_strict(input, &signature).is_ok()
}

/// Tells whether the key's coordinate is below 2²⁵⁵ − 19, so that there is one encoding of it.
///
/// The library reduces instead. Of the other way to write a point twice, a sign for `x = 0`, only
/// points of small order are capable.
fn is_reduced(key: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = key;
    *lowest < 0xed || middle.iter().any(|byte| *byte != 0xff) || highest & 0x7f != 0x7f
}

#[cfg(test)]
mod official;

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::label;

    #[test]
    fn a_signature_counts_for_its_own_label_only() {
        let secret = SigningKey::from_bytes(&[7; 32]);
        let key = secret.verifying_key().to_bytes();
        let keys: [&dyn Verifier; 3] = [
            &IdentityKey::from_bytes(key),
            &DeviceKey::from_bytes(key),
            &SenderKey::from_bytes(key),
        ];
        let signature = secret.sign(&signature_input(label::RECEIPT, b"seen"));
        let signature = Signature::from_bytes(signature.to_bytes());

        for key in keys {
            assert!(key.verifies(label::RECEIPT, b"seen", &signature));
            assert!(!key.verifies(label::DEVICE_LOGIN, b"seen", &signature));
            assert!(!key.verifies(label::RECEIPT, b"unseen", &signature));
        }
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // The identity point: with it, R = identity and s = 0 satisfy the loose equation.
        let mut one = [0; 32];
        one[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;

        let key = DeviceKey::from_bytes(one);

        assert!(!key.verifies(label::RECEIPT, b"anything", &Signature::from_bytes(signature)));
    }

    #[test]
    fn a_point_has_one_encoding() {
        let mut prime = [0xff; 32];
        (prime[0], prime[31]) = (0xed, 0x7f);
        let mut below = prime;
        below[0] -= 1;

        assert!(is_reduced(&below));
        assert!(!is_reduced(&prime));
        for sign in [0x7f, 0xff] {
            let mut above = [0xff; 32];
            above[31] = sign;
            assert!(!is_reduced(&above));
        }
    }

    #[test]
    fn a_second_encoding_of_a_key_is_no_key() {
        // y = 3 is on the curve, and p + 3 says the same with other bytes. dalek reads both.
        let mut three = [0; 32];
        three[0] = 3;
        let mut again = [0xff; 32];
        (again[0], again[31]) = (0xf0, 0x7f);
        let read =
            |bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).map(|key| key.to_edwards());

        assert_eq!(read(&three).unwrap(), read(&again).unwrap());
        assert!(is_reduced(&three) && !is_reduced(&again));
    }
}
