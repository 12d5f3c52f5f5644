//! Blobs: opaque bytes, uploaded in pieces, fetched whole or in part.
//!
//! ```text
//!  POST /v1/blobs {bytes} ─▶ {blob, …}            room is reserved, or the whole thing is refused
//!  PUT  /v1/blobs/{blob}?offset=0       octets ─▶ {offset, bytes}
//!  PUT  /v1/blobs/{blob}?offset=4194304 octets ─▶ {offset, bytes}    offset = bytes: complete
//!  GET  /v1/blobs/{blob}                       ─▶ octets, also with `Range`
//! ```
//!
//! The octets themselves are bodies as they are, `application/octet-stream`. Normative:
//! `docs/protocol/blobs.md`.

use serde::{Deserialize, Serialize};

use crate::codec::List;
use crate::id::BlobId;
use crate::limits::BLOBS_AN_ACCOUNT_KEEPS_MAX;

/// `POST /v1/blobs`: asks for room.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewBlob {
    /// How many bytes there will be, exactly; at least one.
    pub bytes: u64,
}

/// What `POST /v1/blobs` answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlobCreated {
    /// Which blob this is. It is secret among those who may read it: to know it is to have access.
    pub blob: BlobId,
    /// Most bytes that one `PUT` may carry.
    pub piece_bytes_max: u64,
    /// Fewest bytes that one `PUT` must carry, unless they are the last.
    pub piece_bytes_min: u64,
    /// How long the relay keeps it while nothing comes and nothing names it, in milliseconds.
    pub kept_ms: u64,
}

/// `GET /v1/blobs/{blob}/upload`, and what each `PUT` answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlobUpload {
    /// How many bytes from the beginning the relay has.
    pub offset: u64,
    /// How many there will be; when `offset` is equal, the blob is complete and never changes.
    pub bytes: u64,
}

/// The query of `PUT /v1/blobs/{blob}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PieceQuery {
    /// Where the piece begins: at most where the upload stands. What was there from here on is
    /// replaced.
    pub offset: u64,
}

/// `GET` and `PUT /v1/account/kept-blobs`: what an account keeps by itself, such as its picture.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptBlobs {
    /// Complete blobs of the account's own. What falls off the list is let go.
    pub blobs: List<BlobId, BLOBS_AN_ACCOUNT_KEEPS_MAX>,
}
