//! What both devices share once they have agreed: emoji to compare, and a key for each message.
//!
//! ```text
//!  secret      HPKE export, X-Wing                                    32 bytes
//!  transcript  SHA-256(label ‖ code ‖ hello ‖ answer ‖ nonce), each but the last by its digest
//!
//!  emoji       HKDF-Expand(secret, label ‖ transcript)                 6 bytes, 7 × 6 bits
//!  message     HKDF-Expand(secret, label ‖ transcript ‖ sender ‖ step) key 32 ‖ nonce 12
//! ```
//!
//! Each key seals one message. The sender's role is in its derivation, so no message can be
//! reflected. Normative: `docs/protocol/linking.md` §5.

use std::marker::PhantomData;

use chat_core::codec::Digest;
use chat_core::label;
use chat_core::time::Timestamp;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{EMOJI, LinkError, MESSAGE_BYTES_MAX, Role, Side};
use crate::aead::{self, Key, Nonce};
use crate::emoji::Emoji;
use crate::erasure::erased;
use crate::kdf;
use crate::secret::SecretBytes;

/// Which message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Introduction = 1,
    Admission = 2,
    Receipt = 3,
    Cancel = 255,
}

/// The agreement of two devices, seen from the side `S`.
pub(super) struct Channel<S> {
    secret: SecretBytes<32>,
    transcript: Digest,
    deadline: Timestamp,
    side: PhantomData<S>,
}

impl<S> ZeroizeOnDrop for Channel<S> {}
const _: fn(&Channel<()>) = |Channel { secret, transcript: _, deadline: _, side: _ }| {
    erased(secret);
};

impl<S: Side> Channel<S> {
    pub(super) fn new(secret: SecretBytes<32>, transcript: Digest, deadline: Timestamp) -> Self {
        Self { secret, transcript, deadline, side: PhantomData }
    }

    pub(super) fn transcript(&self) -> &Digest {
        &self.transcript
    }

    pub(super) fn emoji(&self) -> [Emoji; EMOJI] {
        let context = self.transcript.as_bytes();
        Emoji::of::<EMOJI, 6>(&kdf::expand(self.secret.as_bytes(), label::LINK_EMOJI, context))
    }

    /// Mixes in a secret that only the holder of another key has.
    pub(super) fn mix(self, secret: &[u8; 32]) -> Self {
        let mixed = kdf::mix(self.secret.as_bytes(), secret, label::LINK_RECEIPT, &[]);
        Self { secret: mixed.into(), ..self }
    }

    pub(super) fn seal(&self, step: Step, plaintext: &[u8]) -> Vec<u8> {
        let (key, nonce) = self.key(S::ROLE, step);
        aead::seal(&key, &nonce, plaintext, &[])
    }

    /// Opens the message of `step` from the other side.
    pub(super) fn open(
        &self,
        step: Step,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        self.check_time(now)?;
        if sealed.len() > MESSAGE_BYTES_MAX {
            return Err(LinkError::Unreadable);
        }
        let open = |step| {
            let (key, nonce) = self.key(S::OTHER, step);
            aead::open(&key, &nonce, sealed, &[])
        };
        open(step).map_err(|_| match open(Step::Cancel) {
            Ok(_) => LinkError::Cancelled,
            Err(_) => LinkError::NotAuthentic,
        })
    }

    /// Nothing happens after the deadline.
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), LinkError> {
        if now > self.deadline { Err(LinkError::Stale) } else { Ok(()) }
    }

    fn key(&self, sender: Role, step: Step) -> (Zeroizing<Key>, Nonce) {
        let context = [self.transcript.as_bytes(), &[sender as u8, step as u8][..]].concat();
        let both: Zeroizing<[u8; 44]> =
            kdf::expand(self.secret.as_bytes(), label::LINK_MESSAGE, &context);
        let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; 12]);
        key.iter_mut().chain(&mut nonce).zip(both.iter()).for_each(|(to, from)| *to = *from);
        (key, nonce)
    }
}
