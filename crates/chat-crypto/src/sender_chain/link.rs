//! The links of a sender chain: one key a message, each erased as it is used.
//!
//! ```text
//!  Link(0) ──step──▶ Link(1) ──step──▶ Link(2) ─ ─ ▶ Link(2 000): the end
//!     │                 │
//!     ▼                 ▼
//!  message key 0     message key 1
//! ```
//!
//! Both keys are HKDF-Expand (SHA-256) of the link's under labels of their own.
//! Normative: `docs/protocol/sender-chains.md` §3.

use std::fmt;

use chat_core::label;
use minicbor::{Decode, Encode};

use super::CHAIN_LENGTH_MAX;
use crate::kdf::Expander;
use crate::secret::SecretBytes;

/// The key of one message.
pub(super) type MessageKey = SecretBytes<32>;

/// Where the keys of the messages from [`Self::index`] on come from.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(super) struct Link {
    #[n(0)]
    key: SecretBytes<32>,
    #[n(1)]
    index: u32,
}

impl Link {
    pub(super) const fn new(key: SecretBytes<32>, index: u32) -> Self {
        Self { key, index }
    }

    pub(super) const fn key(&self) -> &SecretBytes<32> {
        &self.key
    }

    /// The number of the message whose key comes next.
    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    /// Consumes this link: the next one, and the key of message [`Self::index`]; `None` at the end.
    pub(super) fn step(self) -> Option<(Self, MessageKey)> {
        if self.index >= CHAIN_LENGTH_MAX {
            return None;
        }
        let expander = Expander::new(self.key.as_bytes());
        let next = Self { key: expander.secret(label::SENDER_CHAIN_KEY), index: self.index + 1 };
        Some((next, expander.secret(label::SENDER_MESSAGE_KEY)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}, ..)", self.index)
    }
}
