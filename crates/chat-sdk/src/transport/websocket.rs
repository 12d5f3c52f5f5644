//! Frames over a WebSocket: one binary message a frame, sub-protocol `sealwire.v1.cbor`.
//!
//! The access token goes into a header of the upgrade, never into the URL. Pings of the WebSocket
//! itself are answered by tungstenite as the stream is read.

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};

use super::authority::unreachable_or_not_trusted;
use super::{
    AccessToken, CONNECT_WITHIN, FrameSink, FrameStream, Link, Origin, WRITE_WITHIN, decoded,
    encoded,
};
use crate::error::{Error, Kind, Result};
use crate::tasks::timeout;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Tungstenite's own 128 KiB would be most of what an idle client weighs.
const BUFFER_BYTES: usize = 4 * 1024;

pub(super) async fn connect(
    origin: &Origin,
    token: &AccessToken,
    tls: &Arc<ClientConfig>,
) -> Result<Link> {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(2 * FRAME_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    // For an address without TLS, a connector that speaks it does not.
    let connector = Some(Connector::Rustls(Arc::clone(tls)));
    let upgrade = upgrade(origin, token)?;
    let connecting = connect_async_tls_with_config(upgrade, Some(config), true, connector);
    let (socket, response) = timeout(CONNECT_WITHIN, connecting)
        .await
        .map_err(|elapsed| Kind::RelayUnreachable.because(elapsed))?
        .map_err(refused)?;
    let spoken = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    if spoken.is_none_or(|protocol| protocol != SUBPROTOCOL_CBOR) {
        return Err(Kind::RelayFault.into());
    }
    let (sink, stream) = socket.split();
    Ok(Link { sink: Box::new(Sink(sink)), stream: Box::new(Stream(stream)) })
}

fn upgrade(origin: &Origin, token: &AccessToken) -> Result<Request<()>> {
    let mut request = origin
        .websocket(SOCKET_PATH)
        .into_client_request()
        .map_err(|error| Kind::AddressInvalid.because(error))?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
        .map_err(|error| Kind::LoggedOut.because(error))?;
    bearer.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL_CBOR));
    Ok(request)
}

fn refused(error: SocketError) -> Error {
    match error {
        SocketError::Http(response) => refusal(&response).into(),
        SocketError::Protocol(_) | SocketError::Utf8(_) => Kind::RelayFault.because(error),
        error => unreachable_or_not_trusted(error),
    }
}

/// The refusal in an answer to the upgrade; by its status where the body did not come along.
fn refusal(response: &Response<Option<Vec<u8>>>) -> Reject {
    let body = response.body().as_deref().unwrap_or_default();
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let status = response.status().as_u16();
        let code = match status {
            401 => RejectCode::TokenExpired,
            403 => RejectCode::Forbidden,
            404 => RejectCode::NotFound,
            429 => RejectCode::RateLimited,
            _ => RejectCode::Unavailable,
        };
        Reject::from(code)
    })
}

#[derive(Debug)]
struct Sink(SplitSink<Socket, Message>);

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        let bytes = encoded(frame)?;
        timeout(WRITE_WITHIN, self.0.send(Message::Binary(bytes.into())))
            .await
            .map_err(|elapsed| Kind::Offline.because(elapsed))?
            .map_err(|error| Kind::Offline.because(error))
    }

    async fn close(&mut self) {
        let _ = timeout(WRITE_WITHIN, self.0.close()).await;
    }
}

#[derive(Debug)]
struct Stream(SplitStream<Socket>);

#[async_trait]
impl FrameStream for Stream {
    async fn next(&mut self) -> Result<Option<RelayFrame>> {
        while let Some(message) = self.0.next().await {
            match message.map_err(|error| Kind::Offline.because(error))? {
                Message::Binary(bytes) => {
                    if let Some(frame) = decoded(&bytes)? {
                        return Ok(Some(frame));
                    }
                }
                Message::Text(_) => return Err(Kind::RelayFault.into()),
                Message::Close(_) => return Ok(None),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        Ok(None)
    }
}
