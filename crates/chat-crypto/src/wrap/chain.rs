//! Shared wraps: on a sender chain, one for all who hold it.
//!
//! ```text
//!  wrap  =  sealed number 20 ‖ sealed (secret 32 ‖ signature 64) 112            132 bytes
//! ```
//!
//! It carries no list number: the hand-out of the chain did, in its own wrap.
//! Normative: `docs/protocol/sender-chains.md` §5.

use chat_core::codec::Digest;
use chat_core::envelope::{Recipient, WrapScheme};

use super::context;

/// What ties a shared wrap with this sealed number to its envelope.
pub(crate) fn associated(binding: &Digest, sealed_number: &[u8]) -> Vec<u8> {
    let context = context(WrapScheme::SenderChain, Recipient::Everyone, 0);
    [&context[..], binding.as_bytes(), sealed_number].concat()
}
