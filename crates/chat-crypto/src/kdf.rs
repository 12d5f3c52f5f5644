//! Key derivation: HKDF-SHA-256 (RFC 5869), always under a label.
//!
//! ```text
//!  derive    HKDF(salt = 32 zero bytes, ikm = secret, info = label ‖ context)   secret of any kind
//!  mix       HKDF(salt = key, ikm = secret, info = label ‖ context)             key, then new secret
//!  expand    HKDF-Expand(prk = key, info = label ‖ context)                     key, already uniform
//! ```
//!
//! No label begins another (a test in chat-core holds that), so label and context cannot be taken
//! for another pair.
//!
//! HMAC copies its key to the stack, pads it, and leaves it there. So every derivation runs below
//! [`swept`], which overwrites the room it had; a test looks for what is left.

use std::hint::black_box;

use chat_core::label::Label;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::SecretBytes;

/// How deep below [`swept`] the stack is overwritten, in words: more than a derivation needs.
const SWEPT_WORDS: usize = 256;

/// Derives `N` bytes from a secret of any length and shape.
pub(crate) fn derive<const N: usize>(
    secret: &[u8],
    label: Label,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    swept(|| fill(&Hkdf::new(None, secret), label, context))
}

/// Derives `N` bytes from a uniform key and a new secret.
pub(crate) fn mix<const N: usize>(
    key: &[u8; 32],
    secret: &[u8],
    label: Label,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    swept(|| fill(&Hkdf::new(Some(key), secret), label, context))
}

/// Derives `N` bytes from a uniform key.
pub(crate) fn expand<const N: usize>(
    key: &[u8; 32],
    label: Label,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    swept(|| fill(&from_uniform(key), label, context))
}

/// A uniform key from which several things are derived.
pub(crate) struct Expander(Hkdf<Sha256>);

impl Expander {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        swept(|| Self(from_uniform(key)))
    }

    pub(crate) fn secret<const N: usize>(&self, label: Label) -> SecretBytes<N> {
        SecretBytes::filled(|output| swept(|| fill_into(output, &self.0, label, &[])))
    }
}

#[expect(clippy::expect_used, reason = "the length is right")]
fn from_uniform(key: &[u8; 32]) -> Hkdf<Sha256> {
    // INVARIANT: a pseudorandom key needs the 32 bytes that the type has.
    Hkdf::from_prk(key).expect("32 bytes are enough")
}

/// Runs a derivation and overwrites the room it had on the stack.
fn swept<T>(derivation: impl FnOnce() -> T) -> T {
    let result = below(derivation);
    sweep();
    result
}

/// Has a frame of its own, which begins where that of [`sweep`] does.
#[inline(never)]
fn below<T>(derivation: impl FnOnce() -> T) -> T {
    derivation()
}

#[inline(never)]
fn sweep() {
    black_box(&mut [0_u64; SWEPT_WORDS]);
}

fn fill<const N: usize>(hkdf: &Hkdf<Sha256>, label: Label, context: &[u8]) -> Zeroizing<[u8; N]> {
    let mut output = Zeroizing::new([0; N]);
    fill_into(&mut output, hkdf, label, context);
    output
}

#[expect(clippy::expect_used, reason = "the length is checked while compiling")]
fn fill_into<const N: usize>(
    output: &mut [u8; N],
    hkdf: &Hkdf<Sha256>,
    label: Label,
    context: &[u8],
) {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives at most 8 160 bytes") };
    // INVARIANT: see the assertion above.
    hkdf.expand_multi_info(&[label.as_bytes(), context], output).expect("N is small enough");
}

/// Takes three keys apart that were derived together.
pub(crate) fn split(bytes: &[u8; 96]) -> [SecretBytes<32>; 3] {
    let part = |at: usize| {
        let mut key = Zeroizing::new([0; 32]);
        key.iter_mut().zip(bytes.iter().skip(at)).for_each(|(to, from)| *to = *from);
        SecretBytes::from(key)
    };
    [part(0), part(32), part(64)]
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the tests of erasure need all of it")]
#[path = "../tests/all/memory.rs"]
mod memory;

#[cfg(test)]
mod tests {
    use chat_core::label;

    use super::*;

    /// RFC 5869 appendix A.1, whose info is not a label: checks the function underneath.
    #[test]
    fn the_first_vector_of_the_rfc_holds() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let mut output = [0; 42];

        Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22]).expand(&info, &mut output).unwrap();

        assert_eq!(
            output,
            [
                0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
                0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
                0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65,
            ]
        );
    }

    #[test]
    fn label_context_and_length_in_front_all_matter() {
        let key = [7; 32];

        let derived = *derive::<32>(&key, label::WRAP, b"context");

        assert_ne!(derived, *derive::<32>(&key, label::ENVELOPE, b"context"));
        assert_ne!(derived, *derive::<32>(&key, label::WRAP, b"other"));
        assert_ne!(derived, *expand::<32>(&key, label::WRAP, b"context"));
        let mixed = |byte, context| *mix::<32>(&key, &[byte; 32], label::WRAP, context);
        assert_ne!(mixed(1, b"context"), mixed(2, b"context"));
        assert_ne!(mixed(1, b"context"), mixed(1, b"other"));
    }

    /// Without the sweep it is still there, as it was or padded, which shows that the search works.
    /// The keys follow no simple pattern: `80 81 82 …` stands in vectors that other tests read now.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_key_is_left_on_the_stack() {
        let left_by = |derives: fn(&[u8; 32]), mut state: u8| {
            let mut key = Zeroizing::new([0; 32]);
            key.iter_mut().for_each(|byte| {
                state = state.wrapping_mul(181).wrapping_add(91);
                *byte = state;
            });
            far_below(derives, &key);
            let mut needles = memory::Needles::default();
            for padding in [0, 0x36, 0x36 ^ 0x5c] {
                key.iter_mut().for_each(|byte| *byte ^= padding);
                needles.one(&key[..]);
            }
            key.fill(0);
            memory::search(&needles, &(0..0)).alive
        };

        let without = left_by(|key| drop(far_below(|key| below(|| from_uniform(key)), key)), 0xa7);
        let with = left_by(|key| drop(far_below(|key| swept(|| from_uniform(key)), key)), 0xb6);

        assert!(without > 0);
        assert_eq!(with, 0);
    }

    /// Runs `work` far down the stack, where nothing that follows gets to.
    #[cfg(target_os = "linux")]
    #[inline(never)]
    fn far_below<T>(work: fn(&[u8; 32]) -> T, key: &[u8; 32]) -> T {
        let room = [0_u8; 256 << 10];
        black_box(&room);
        let result = work(key);
        black_box(&room);
        result
    }

    #[test]
    fn three_keys_come_apart_where_they_were_joined() {
        let mut bytes = [1; 96];
        bytes[32..64].fill(2);
        bytes[64..].fill(3);

        let [a, b, c] = split(&bytes);

        assert_eq!([a.as_bytes(), b.as_bytes(), c.as_bytes()], [&[1; 32], &[2; 32], &[3; 32]]);
    }
}
