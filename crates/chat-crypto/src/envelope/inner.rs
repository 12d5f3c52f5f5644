//! What is inside the padding, read and written in memory that erases itself.
//!
//! The same bytes as [`SealedContent`](chat_core::envelope::SealedContent), but borrowed: an owned
//! one would leave a copy of the content behind.
//! Normative: `docs/protocol/envelope.md` §2.

use chat_core::key::Signature;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::snapshot;

/// Encoded content, and a signature where the suite wants one.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(map)]
pub(super) struct Inner<'a> {
    #[b(0)]
    content: &'a ByteSlice,
    #[n(1)]
    pub(super) signature: Option<Signature>,
}

impl<'a> Inner<'a> {
    pub(super) fn new(content: &'a [u8], signature: Option<Signature>) -> Self {
        Self { content: content.into(), signature }
    }

    /// The encoded content.
    pub(super) fn content(&self) -> &'a [u8] {
        self.content
    }

    pub(super) fn to_bytes(self) -> Zeroizing<Vec<u8>> {
        snapshot::encode(&self)
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for every other encoding of it.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let inner: Self = chat_core::codec::from_bytes(bytes).ok()?;
        // SECURITY: a recipient knows the secret and could seal the same content and signature
        // again in another encoding. Its binding would differ, and look like a fork of the
        // sender's chain.
        (**inner.to_bytes() == *bytes).then_some(inner)
    }
}
