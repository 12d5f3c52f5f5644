//! What went over the wire, and whether a key was used for two messages.
//!
//! ```text
//!  ratchet wrap    kind 1 ‖ [opening 1606, if kind is 2] ‖ sealed header 57 ‖ …
//!  chain wrap      sealed number 20 ‖ …
//! ```

use std::collections::HashMap;

use chat_core::codec::to_bytes;
use chat_core::envelope::{Envelope, Recipient, WrapScheme};

const FIRST_MESSAGE: u8 = 2;
const OPENING_BYTES: usize = 1606;
const SEALED_HEADER_BYTES: usize = 57;
const SEALED_NUMBER_BYTES: usize = 20;

/// Everything that was given to the network.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The wrap in which each sealed header was seen first.
    headers: HashMap<(Recipient, Vec<u8>), Vec<u8>>,
    messages: HashMap<Vec<u8>, usize>,
    again: Option<String>,
}

impl Wire {
    pub(super) fn take(&mut self, envelope: &Envelope) {
        *self.messages.entry(to_bytes(envelope)).or_default() += 1;
        for wrap in envelope.wraps.iter() {
            let start = match wrap.scheme {
                WrapScheme::SenderChain => 0,
                _ if wrap.bytes[0] == FIRST_MESSAGE => 1 + OPENING_BYTES,
                _ => 1,
            };
            let length = match wrap.scheme {
                WrapScheme::SenderChain => SEALED_NUMBER_BYTES,
                _ => SEALED_HEADER_BYTES,
            };
            let sealed = wrap.bytes[start..start + length].to_vec();
            let first = self.headers.entry((wrap.to, sealed));
            if *first.or_insert_with(|| wrap.bytes.to_vec()) != *wrap.bytes {
                self.again = Some(format!("a message key for {:?} was used twice", wrap.to));
            }
        }
    }

    /// Whether every message has a key of its own.
    pub(super) fn check(&self) -> Result<(), String> {
        self.again.clone().map_or(Ok(()), Err)
    }

    /// How many messages there were, and how many of them were sent again.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.messages.len(), self.messages.values().filter(|times| **times > 1).count())
    }
}
