//! A device's connection, bare: frames and nothing that reconnects, seals or stores.
//!
//! Each comes from a loopback address of its own choice, so that more of them fit than one address
//! has ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Envelope;
use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::receipt::Sequence;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::Outcome;

/// As small as a connection that mostly waits can do with.
const BUFFER_BYTES: usize = 4 * 1024;
/// How long a connection may take to be made.
const OPEN_WITHIN: Duration = Duration::from_secs(20);
/// Messages of one sender that wait for their answer.
const WINDOW: u32 = 32;
/// Over how many addresses connections are spread.
const ADDRESSES: u32 = 64;

/// Where a node listens, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// What trusts its certificate, where it has one.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Towards the relay.
pub(crate) struct Writing(SplitSink<Socket, Message>);

/// From the relay.
pub(crate) struct Reading(SplitStream<Socket>);

/// An open connection.
pub(crate) struct Wire {
    pub(crate) writing: Writing,
    pub(crate) reading: Reading,
}

impl Wire {
    /// Opens the connection of device number `number`, and waits until the relay has nothing more
    /// for it.
    pub(crate) async fn open(endpoint: &Endpoint, token: &str, number: u32) -> Outcome<Self> {
        let mut wire = Self::connect(endpoint, token, number).await?;
        timeout(OPEN_WITHIN, wire.catch_up()).await??;
        Ok(wire)
    }

    /// Opens the connection.
    pub(crate) async fn connect(endpoint: &Endpoint, token: &str, number: u32) -> Outcome<Self> {
        let Endpoint { address, tls } = endpoint;
        let mut request = format!("ws://{address}{SOCKET_PATH}").into_client_request()?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        let protocol = HeaderValue::from_static(SUBPROTOCOL_CBOR);
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(2 * FRAME_BYTES_MAX)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let opening = async {
            let socket = TcpSocket::new_v4()?;
            // Only Linux has the whole network without further ado.
            if cfg!(target_os = "linux") && address.ip().is_loopback() {
                let host = u8::try_from(2 + number % ADDRESSES)?;
                socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0))?;
            }
            let stream = socket.connect(*address).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                Some(tls) => {
                    let name = ServerName::from(address.ip());
                    Box::new(TlsConnector::from(tls.clone()).connect(name, stream).await?)
                }
            };
            Outcome::Ok(client_async_with_config(request, stream, Some(config)).await?.0)
        };
        let (sink, stream) = timeout(OPEN_WITHIN, opening).await??.split();
        Ok(Self { writing: Writing(sink), reading: Reading(stream) })
    }

    /// Sends so many messages, as fast as the relay takes them: few are on their way at a time.
    pub(crate) async fn send_all(
        &mut self,
        count: u32,
        frame: impl Fn(u32) -> Outcome<ClientFrame>,
    ) -> Outcome<()> {
        let (mut sent, mut answered) = (0, 0);
        while answered < count {
            if sent < count && sent - answered < WINDOW {
                self.writing.send(&frame(sent)?).await?;
                sent += 1;
                continue;
            }
            match self.reading.next().await? {
                RelayFrame::Accepted { .. } => answered += 1,
                RelayFrame::Reject { reject, .. } => return Err(reject.message.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Tells the relay that a message is here, and all before it.
    pub(crate) async fn acknowledge(&mut self, message: &Envelope, up_to: Sequence) -> Outcome<()> {
        let conversation = message.read_header()?.conversation;
        self.writing.send(&ClientFrame::Acknowledge { conversation, up_to }).await
    }

    /// Takes and acknowledges what the relay has; gives how many messages that were.
    pub(crate) async fn catch_up(&mut self) -> Outcome<u32> {
        let mut messages = 0;
        loop {
            match self.reading.next().await? {
                RelayFrame::CaughtUp => return Ok(messages),
                RelayFrame::Deliver { sequence, envelope, .. } => {
                    messages += 1;
                    self.acknowledge(&envelope, sequence).await?;
                }
                _ => {}
            }
        }
    }
}

impl Writing {
    pub(crate) async fn send(&mut self, frame: &ClientFrame) -> Outcome<()> {
        Ok(self.0.send(Message::Binary(to_bytes(frame).into())).await?)
    }
}

impl Reading {
    /// The next frame. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Outcome<RelayFrame> {
        while let Some(message) = self.0.next().await {
            if let Message::Binary(bytes) = message? {
                return Ok(from_bytes(&bytes)?);
            }
        }
        Err("the relay closed a connection".into())
    }
}
