//! A device lacks the sender chain of another: `{ 0: device-address }`, the one whose chain it is.
//!
//! Said to all, heard by the one: that device hands its chain to the sender once more, if the sender
//! may have it.

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::DeviceAddress;
use minicbor::{Decode, Encode};

pub(super) const KIND: &str = "chain-request";

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    of: DeviceAddress,
}

pub(super) fn encode(of: DeviceAddress) -> Vec<u8> {
    to_bytes(&Body { of })
}

pub(super) fn decode(body: &[u8]) -> Option<DeviceAddress> {
    from_bytes::<Body>(body).ok().map(|body| body.of)
}
