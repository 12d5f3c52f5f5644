//! The sealed form that heads and segments share.
//!
//! ```text
//!  backup key ──HKDF-Expand, label ‖ salt ‖ place──▶ K (32) ‖ N (12) ‖ C (32)
//!
//!  sealed = { 0: version, 1: number of the backup key, 2: salt (32), 3: C,
//!             4: AES-256-GCM(K, N, pad(content)) }
//! ```
//!
//! The place says whose it is and, of a segment, which. It is in the derivation and in no field:
//! whoever opens knows what was asked for. C commits to all of it and is checked first.
//! Normative: `docs/protocol/backup.md` §3.

use chat_core::codec::{Bytes, DecodeError, Digest, from_bytes, to_bytes};
use chat_core::label::Label;
use chat_core::limits::BACKUP_SEGMENT_BYTES_MAX;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{BackupError, BackupKey};
use crate::aead::{self, Key, Nonce};
use crate::kdf;
use crate::keyring::Keyring;
use crate::padding::{pad_any, unpad};

const VERSION: u8 = 1;
/// The longest padded content and its tag.
const CIPHERTEXT_BYTES_MAX: usize = BACKUP_SEGMENT_BYTES_MAX + 1 + aead::TAG_BYTES;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Sealed {
    #[n(0)]
    version: u8,
    #[n(1)]
    key: u32,
    #[n(2)]
    salt: Digest,
    #[n(3)]
    commitment: Digest,
    #[n(4)]
    ciphertext: Bytes<CIPHERTEXT_BYTES_MAX>,
}

#[derive(ZeroizeOnDrop)]
struct Keys {
    key: Key,
    nonce: Nonce,
    commitment: [u8; 32],
}

impl Keys {
    fn derive(backup: &BackupKey, label: Label, salt: &[u8; 32], place: &[u8]) -> Self {
        let context = [salt, place].concat();
        let output: Zeroizing<[u8; 76]> = kdf::expand(backup.as_bytes(), label, &context);
        let mut keys = Self { key: [0; 32], nonce: [0; 12], commitment: [0; 32] };
        let fields = keys.key.iter_mut().chain(&mut keys.nonce).chain(&mut keys.commitment);
        fields.zip(output.iter()).for_each(|(to, from)| *to = *from);
        keys
    }
}

/// The number of the backup key that is in force.
pub(super) fn current_key(keyring: &Keyring) -> u32 {
    // INVARIANT: a keyring holds 100 backup keys at most.
    u32::try_from(keyring.backup_key_number()).unwrap_or(u32::MAX)
}

/// Seals `content`, at most [`BACKUP_SEGMENT_BYTES_MAX`] long, for `place` with the key in force.
#[expect(clippy::expect_used, reason = "contents have limits of their own")]
pub(super) fn seal(
    keyring: &Keyring,
    label: Label,
    place: &[u8],
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut salt = [0; 32];
    rng.fill_bytes(&mut salt);
    let keys = Keys::derive(keyring.backup_key(), label, &salt, place);
    let ciphertext = aead::seal(&keys.key, &keys.nonce, &pad_any(content), &[]);
    to_bytes(&Sealed {
        version: VERSION,
        key: current_key(keyring),
        salt: Digest::from_bytes(salt),
        commitment: Digest::from_bytes(keys.commitment),
        // INVARIANT: records are counted against the limit as they come; a head is short.
        ciphertext: Bytes::new(ciphertext).expect("the content is within its limit"),
    })
}

/// Opens what was sealed for `place`, and says with which backup key it was.
pub(super) fn open(
    keyring: &Keyring,
    label: Label,
    place: &[u8],
    sealed: &[u8],
) -> Result<(u32, Zeroizing<Vec<u8>>), BackupError> {
    let sealed: Sealed = from_bytes(sealed).map_err(BackupError::Unreadable)?;
    if sealed.version != VERSION {
        return Err(BackupError::Unreadable(DecodeError::UnknownKind));
    }
    let number = usize::try_from(sealed.key).unwrap_or(usize::MAX);
    let backup = keyring.backup_key_numbered(number).ok_or(BackupError::UnknownKey)?;
    let keys = Keys::derive(backup, label, sealed.salt.as_bytes(), place);
    let committed: bool = keys.commitment.ct_eq(sealed.commitment.as_bytes()).into();
    if !committed {
        return Err(BackupError::NotAuthentic);
    }
    let padded = aead::open(&keys.key, &keys.nonce, &sealed.ciphertext, &[])
        .map_err(|_| BackupError::NotAuthentic)?;
    let content = unpad(&padded).map_err(|_| BackupError::NotAuthentic)?;
    Ok((sealed.key, Zeroizing::new(content.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_is_half_a_mebibyte_and_a_tag_at_most() {
        assert_eq!(CIPHERTEXT_BYTES_MAX, 524_288 + 16);
    }
}
