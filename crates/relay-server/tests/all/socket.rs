//! A WebSocket client that speaks frames, in CBOR or JSON.

use std::time::Duration;

use chat_core::codec::List;
use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Envelope;
use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use chat_core::id::BlobId;
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::receipt::Sequence;
use chat_core::reject::{Reject, RejectCode};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    subprotocol: &'static str,
}

impl Socket {
    pub async fn open(url: &str, token: Option<&str>) -> Result<Self, Reject> {
        Self::open_as(url, token, SUBPROTOCOL_CBOR, &[]).await
    }

    pub async fn open_as(
        url: &str,
        token: Option<&str>,
        subprotocol: &'static str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Reject> {
        let url = format!("{}{SOCKET_PATH}", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocol = HeaderValue::from_static(subprotocol);
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
        }
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            request.headers_mut().insert("authorization", value);
        }
        match connect_async(request).await {
            Ok((stream, _)) => Ok(Self { stream, subprotocol }),
            Err(Error::Http(response)) => {
                let body = response.into_body().expect("a refused upgrade has a body");
                Err(serde_json::from_slice(&body).expect("every refusal is a reject"))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send(&mut self, frame: &ClientFrame) {
        let message = match self.subprotocol {
            SUBPROTOCOL_JSON => Message::text(serde_json::to_string(frame).unwrap()),
            _ => Message::binary(to_bytes(frame)),
        };
        self.send_raw(message).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        // The relay may have closed already; what it said before is what the test asks for.
        let _ = self.stream.send(message).await;
    }

    /// The next frame; `None` when the relay has closed the connection.
    pub async fn next(&mut self) -> Option<RelayFrame> {
        loop {
            match self.next_raw().await? {
                Message::Binary(bytes) => return Some(from_bytes(&bytes).unwrap()),
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Ping(_) | Message::Pong(_) => {}
                _ => return None,
            }
        }
    }

    pub async fn next_raw(&mut self) -> Option<Message> {
        let next = timeout(PATIENCE, self.stream.next()).await;
        next.expect("the relay says nothing").and_then(Result::ok)
    }

    /// The code with which the relay closes; frames before it are passed over.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let message = self.next_raw().await.expect("the connection broke off");
            if let Message::Close(frame) = message {
                return frame.unwrap().code.into();
            }
        }
    }

    pub async fn connected(&mut self) -> DeviceAddress {
        match self.next().await {
            Some(RelayFrame::Connected { address, .. }) => address,
            other => panic!("{other:?} instead of connected"),
        }
    }

    /// The sequences that are delivered before `caught_up`.
    pub async fn until_caught_up(&mut self) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        loop {
            match self.next().await {
                Some(RelayFrame::Deliver { sequence, .. }) => sequences.push(sequence),
                Some(RelayFrame::CaughtUp) => return sequences,
                Some(_) => {}
                None => panic!("the connection broke off"),
            }
        }
    }

    pub async fn delivery(&mut self) -> (Sequence, Envelope) {
        self.wait_for(|frame| match frame {
            RelayFrame::Deliver { sequence, envelope, .. } => Some((sequence, envelope)),
            _ => None,
        })
        .await
    }

    /// The next frame that `wanted` takes; others are passed over.
    pub async fn wait_for<T>(&mut self, mut wanted: impl FnMut(RelayFrame) -> Option<T>) -> T {
        loop {
            let frame = self.next().await.expect("the connection broke off");
            if let Some(found) = wanted(frame) {
                return found;
            }
        }
    }

    pub async fn send_message(&mut self, envelope: &Envelope) -> Result<Sequence, Reject> {
        self.send_naming(envelope, &[]).await
    }

    pub async fn send_naming(
        &mut self,
        envelope: &Envelope,
        blobs: &[BlobId],
    ) -> Result<Sequence, Reject> {
        let blobs = (!blobs.is_empty()).then(|| List::new(blobs.to_vec()).unwrap());
        self.send(&ClientFrame::Send { request: 7, envelope: envelope.clone(), blobs }).await;
        self.wait_for(|frame| match frame {
            RelayFrame::Accepted { request: 7, sequence, .. } => Some(Ok(sequence)),
            RelayFrame::Reject { request: Some(7), reject } => Some(Err(reject)),
            _ => None,
        })
        .await
    }

    pub async fn acknowledge(&mut self, conversation: ConversationId, up_to: Sequence) {
        self.send(&ClientFrame::Acknowledge { conversation, up_to }).await;
    }

    /// Returns when the relay has handled everything that was sent before, and has said what it had
    /// to say: what it said meanwhile is returned.
    pub async fn settle(&mut self) -> Vec<RelayFrame> {
        self.send(&ClientFrame::Ping { request: 4242 }).await;
        let mut frames = Vec::new();
        loop {
            match self.next().await.expect("the connection broke off") {
                RelayFrame::Pong { request: 4242 } => return frames,
                frame => frames.push(frame),
            }
        }
    }

    pub async fn refusal(&mut self) -> RejectCode {
        self.wait_for(|frame| match frame {
            RelayFrame::Reject { reject, .. } => Some(reject.code),
            _ => None,
        })
        .await
    }

    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}
