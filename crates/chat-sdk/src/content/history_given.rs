//! Somebody can read now what was said before they came: `{ 0: account }`, for whom it was wrapped.
//!
//! Said to all, heard by the one. It grants nothing: whoever hears it asks the relay again for what
//! they could not read.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::AccountId;
use minicbor::{Decode, Encode};

pub(super) const KIND: &str = "history-given";

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    to: AccountId,
}

pub(super) fn encode(to: AccountId) -> Vec<u8> {
    to_bytes(&Body { to })
}

pub(super) fn decode(body: &[u8]) -> Option<AccountId> {
    from_bytes::<Body>(body).ok().map(|body| body.to)
}
