//! Ratchet wraps: on a session between two devices, so they show who sent the message.
//!
//! ```text
//!  wrap  =  a session message over the 36 bytes carried; associated data: context ‖ binding
//! ```
//!
//! Forward secret and deniable; a wrap that begins a session carries the handshake with it.
//! Normative: `docs/protocol/envelope.md` §6.1.

use chat_core::codec::Digest;
use chat_core::envelope::{Recipient, WrapScheme};
use chat_core::id::DeviceAddress;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;

use super::{Carried, MessageSecret, context};
use crate::session::{SessionError, Sessions};

/// Encrypts `secret` for the device that `sessions` are with.
pub(crate) fn seal(
    sessions: &Sessions,
    secret: &MessageSecret,
    list: u32,
    binding: &Digest,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Sessions), SessionError> {
    let carried = Carried { secret: secret.clone(), list }.to_bytes();
    sessions.encrypt(&carried, &associated(sessions.theirs(), binding), now, rng)
}

/// What ties a wrap for the device at `recipient` to its envelope.
pub(crate) fn associated(recipient: DeviceAddress, binding: &Digest) -> Vec<u8> {
    let context = context(WrapScheme::Ratchet, Recipient::Device(recipient), 0);
    [&context[..], binding.as_bytes()].concat()
}
