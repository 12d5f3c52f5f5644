//! The way to a relay: one port for requests and for the connection that frames travel on.
//!
//! ```text
//!  api, relay ──Request──▶ Transport::request ──▶ REST       ──▶ Answer
//!  engine     ───────────▶ Transport::connect ──▶ WebSocket  ──▶ Link { sink, stream }
//! ```
//!
//! [`Network`] is the implementation: natively reqwest and tungstenite, both by the same TLS, and
//! whose certificates it trusts is in `Authority`; in a browser `fetch` and the browser's own
//! WebSocket, whose trust is the browser's. Everything that arrives has a limit before it has an
//! allocation, and every wait has an end. Absent: retries, tokens and what requests mean; see
//! [`crate::api`] and [`crate::relay`].

#[cfg(not(target_arch = "wasm32"))]
mod authority;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod http;
mod origin;
#[cfg(not(target_arch = "wasm32"))]
mod websocket;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::codec::{DecodeError, from_bytes, to_bytes};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::limits::FRAME_BYTES_MAX;
use zeroize::Zeroizing;

#[cfg(not(target_arch = "wasm32"))]
pub use self::authority::Authority;
#[cfg(target_arch = "wasm32")]
pub use self::browser::Network;
#[cfg(target_arch = "wasm32")]
pub(crate) use self::browser::Trusted;
#[cfg(not(target_arch = "wasm32"))]
pub use self::http::Network;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::http::Trusted;
pub use self::origin::Origin;
use crate::error::{Kind, Result};

/// Largest answer that is read: a page of a hundred messages of full size.
pub const ANSWER_BYTES_MAX: usize = 24 * 1024 * 1024;
/// How long a connection may take to be made.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a request may take, from its first byte to the answer's last.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a frame may take to be written before the connection counts as dead.
pub const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// An access token.
pub type AccessToken = Zeroizing<String>;

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Reads.
    Get,
    /// Adds, or asks with a body.
    Post,
    /// Replaces.
    Put,
    /// Replaces, with a body of bytes as they are instead of JSON.
    PutOctets,
    /// Reads a part of what there is.
    GetPart {
        /// The place of its first byte.
        first: u64,
        /// The place of its last byte.
        last: u64,
    },
    /// Takes away.
    Delete,
}

impl Method {
    /// What a body consists of.
    fn media_type(self) -> &'static str {
        match self {
            Self::PutOctets => "application/octet-stream",
            _ => "application/json",
        }
    }
}

/// A request to the relay's REST interface.
pub struct Request {
    /// What it does.
    pub method: Method,
    /// Path and query, beginning with a slash.
    pub path: String,
    /// A body: JSON, unless the method says otherwise.
    pub body: Option<Vec<u8>>,
    /// Who asks.
    pub token: Option<AccessToken>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths name people, bodies more; neither is for logs.
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What the relay answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most [`ANSWER_BYTES_MAX`].
    pub body: Bytes,
}

/// A way to a relay.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Which relay; device log-ins are signed over this.
    fn origin(&self) -> &Origin;

    /// Sends one request and reads the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`] if nothing answers in time,
    /// [`Kind::RelayNotTrusted`] for a certificate that proves nothing,
    /// [`Kind::RelayFault`] for an answer beyond the limit.
    async fn request(&self, request: Request) -> Result<Answer>;

    /// Opens the connection that frames travel on.
    ///
    /// # Errors
    ///
    /// As [`Self::request`]; the relay's refusal if it refuses.
    async fn connect(&self, token: &AccessToken) -> Result<Link>;
}

/// An open connection, in its two directions.
#[derive(Debug)]
pub struct Link {
    /// Towards the relay.
    pub sink: Box<dyn FrameSink>,
    /// From the relay.
    pub stream: Box<dyn FrameStream>,
}

/// Takes frames to the relay.
#[async_trait]
pub trait FrameSink: fmt::Debug + Send {
    /// Writes a frame and flushes it.
    ///
    /// # Errors
    ///
    /// [`Kind::Offline`] if the connection is gone or stalls,
    /// [`Kind::TooLarge`] for a frame beyond the limit.
    async fn send(&mut self, frame: &ClientFrame) -> Result<()>;

    /// Says goodbye; errors no longer matter.
    async fn close(&mut self);
}

/// Brings frames from the relay.
#[async_trait]
pub trait FrameStream: fmt::Debug + Send {
    /// The next frame; `None` when the relay has closed the connection. Frames of kinds that this
    /// version does not know are passed over. May be dropped and called again without losing one.
    ///
    /// # Errors
    ///
    /// [`Kind::Offline`] if the connection is gone,
    /// [`Kind::RelayFault`] for bytes that are no frame.
    async fn next(&mut self) -> Result<Option<RelayFrame>>;
}

/// A frame as it goes out.
///
/// # Errors
///
/// [`Kind::TooLarge`].
fn encoded(frame: &ClientFrame) -> Result<Vec<u8>> {
    let bytes = to_bytes(frame);
    if bytes.len() > FRAME_BYTES_MAX { Err(Kind::TooLarge.into()) } else { Ok(bytes) }
}

/// A frame as it came in; nothing for one that only a newer version knows.
///
/// # Errors
///
/// [`Kind::RelayFault`].
fn decoded(bytes: &[u8]) -> Result<Option<RelayFrame>> {
    match from_bytes(bytes) {
        Ok(frame) => Ok(Some(frame)),
        Err(DecodeError::UnknownKind) => {
            tracing::debug!(bytes = bytes.len(), "passed over an unknown frame");
            Ok(None)
        }
        Err(error) => Err(Kind::RelayFault.because(error)),
    }
}

#[cfg(test)]
mod tests;
