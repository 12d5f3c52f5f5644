//! Frames over the browser's WebSocket: one binary message a frame, as natively.
//!
//! ```text
//!  open ─▶ authenticate ─▶ the relay's first frame ─▶ Link      a refusal, and the connection is none
//!
//!  message event ─▶ queue ─▶ FrameStream        fuller than its limits: closed, the relay resends
//! ```
//!
//! A page cannot set a header on the upgrade, and a token has no place in a URL, so it goes into the
//! first frame (relay.md §6). A browser has a message in its memory before anybody is asked; what is
//! longer than a frame may be never gets into ours.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::codec::to_bytes;
use chat_core::frame::{ClientFrame, RelayFrame, SOCKET_PATH, SUBPROTOCOL_CBOR};
use chat_core::limits::FRAME_BYTES_MAX;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use tokio::sync::mpsc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};
use zeroize::Zeroizing;

use super::refused;
use crate::error::{Kind, Result};
use crate::tasks::{sleep, timeout};
use crate::transport::{
    AccessToken, CONNECT_WITHIN, FrameSink, FrameStream, Link, Origin, WRITE_WITHIN, decoded,
    encoded,
};

/// Most events that wait to be read, and most bytes in them: some windows of the relay's.
const EVENTS_MAX: usize = 512;
const WAITING_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;
/// Most bytes that wait in the browser to be written; as natively.
const UNWRITTEN_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// How often to look whether they are fewer: a browser does not say.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Opens a connection and says who this is; ends when the relay has answered.
pub(super) async fn connect(origin: &Origin, token: &AccessToken) -> Result<Link> {
    let opening = async {
        let (socket, mut stream) = open(&origin.websocket(SOCKET_PATH))?;
        stream.opened().await?;
        if socket.0.protocol() != SUBPROTOCOL_CBOR {
            return Err(Kind::RelayFault.into());
        }
        let mut sink = Sink(SendWrapper::new(socket));
        sink.introduce(token)?;
        // Natively a refusal is the answer to the upgrade; here it is the first frame.
        match stream.next().await? {
            Some(RelayFrame::Reject { request: None, reject }) => return Err(reject.into()),
            Some(frame) => stream.first = Some(frame),
            None => return Err(Kind::RelayUnreachable.into()),
        }
        Ok(Link { sink: Box::new(sink), stream: Box::new(stream) })
    };
    timeout(CONNECT_WITHIN, opening)
        .await
        .map_err(|elapsed| Kind::RelayUnreachable.because(elapsed))?
}

/// What the browser reports.
#[derive(Debug)]
enum Happening {
    Opened,
    Message(Vec<u8>),
    Closed,
    /// Something that no relay sends.
    Fault,
}

/// A socket that is closed with the last who uses it.
#[derive(Clone, Debug)]
struct Socket(Rc<Closing>);

/// Closes a socket when it is dropped.
#[derive(Debug)]
struct Closing(WebSocket);

impl std::ops::Deref for Closing {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        &self.0
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.close();
    }
}

fn open(url: &str) -> Result<(Socket, Stream)> {
    let socket = WebSocket::new_with_str(url, SUBPROTOCOL_CBOR)
        .map_err(|error| refused(Kind::RelayUnreachable, &error))?;
    socket.set_binary_type(BinaryType::Arraybuffer);
    let (events, queue) = mpsc::channel(EVENTS_MAX);
    let waiting = Rc::new(Cell::new(0));
    let listeners = Listeners::on(&socket, events, &waiting);
    let socket = Socket(Rc::new(Closing(socket)));
    let parts = SendWrapper::new(Parts { waiting, socket: socket.clone(), _listeners: listeners });
    Ok((socket, Stream { queue, first: None, parts }))
}

/// What the browser calls, as long as it may.
struct Listeners {
    _open: Closure<dyn FnMut(Event)>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

impl Listeners {
    fn on(socket: &WebSocket, events: mpsc::Sender<Happening>, waiting: &Rc<Cell<usize>>) -> Self {
        // A queue that is full loses its sender, which the reader takes for the end.
        let events = Rc::new(RefCell::new(Some(events)));
        let report = move |happening| {
            let mut sender = events.borrow_mut();
            let is_taken = sender.as_ref().is_some_and(|queue| queue.try_send(happening).is_ok());
            if !is_taken {
                *sender = None;
            }
        };
        let (opened, closed, waiting) = (report.clone(), report.clone(), Rc::clone(waiting));
        let open = Closure::new(move |_: Event| opened(Happening::Opened));
        let close = Closure::new(move |_: CloseEvent| closed(Happening::Closed));
        let message = Closure::new(move |event: MessageEvent| {
            let happening = match event.data().dyn_into::<ArrayBuffer>() {
                Ok(buffer) => take(&buffer, &waiting),
                Err(_) => Happening::Fault,
            };
            report(happening);
        });
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        // An error is always followed by this, and says no more.
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        Self { _open: open, _message: message, _close: close }
    }
}

/// Copies a message out of the browser's memory, within the limits of one and of all that wait.
fn take(buffer: &ArrayBuffer, waiting: &Cell<usize>) -> Happening {
    let length = usize::try_from(buffer.byte_length()).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Happening::Fault;
    }
    let waits = waiting.get() + length;
    if waits > WAITING_BYTES_MAX {
        return Happening::Closed;
    }
    waiting.set(waits);
    Happening::Message(Uint8Array::new(buffer).to_vec())
}

#[derive(Debug)]
struct Sink(SendWrapper<Socket>);

impl Sink {
    /// Says who this is.
    fn introduce(&mut self, token: &AccessToken) -> Result<()> {
        let token = ClientFrame::Authenticate { token: token.as_str().to_owned() };
        let bytes = Zeroizing::new(to_bytes(&token));
        let ClientFrame::Authenticate { token } = token else { return Ok(()) };
        drop(Zeroizing::new(token));
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let socket = &self.0.0;
        if socket.ready_state() != WebSocket::OPEN {
            return Err(Kind::Offline.into());
        }
        socket.send_with_u8_array(bytes).map_err(|error| refused(Kind::Offline, &error))
    }

    fn is_full(&self) -> bool {
        let waits = usize::try_from(self.0.0.buffered_amount()).unwrap_or(usize::MAX);
        waits > UNWRITTEN_BYTES_MAX
    }
}

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        let bytes = encoded(frame)?;
        let room = async {
            while self.is_full() {
                sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        timeout(WRITE_WITHIN, room).await.map_err(|elapsed| Kind::Offline.because(elapsed))?;
        self.write(&bytes)
    }

    async fn close(&mut self) {
        // What waits is written first.
        let _ = self.0.0.close();
    }
}

/// What a stream owns of JavaScript's.
struct Parts {
    waiting: Rc<Cell<usize>>,
    socket: Socket,
    _listeners: Listeners,
}

impl Drop for Parts {
    fn drop(&mut self) {
        // The writer may still have the socket, which must not call what is gone.
        let socket = &self.socket.0;
        socket.set_onopen(None);
        socket.set_onmessage(None);
        socket.set_onclose(None);
    }
}

struct Stream {
    queue: mpsc::Receiver<Happening>,
    /// What was read to learn whether there is a connection.
    first: Option<RelayFrame>,
    parts: SendWrapper<Parts>,
}

impl Stream {
    async fn opened(&mut self) -> Result<()> {
        match self.queue.recv().await {
            Some(Happening::Opened) => Ok(()),
            // Whether nobody is there or nobody who is trusted, a page is not told.
            _ => Err(Kind::RelayUnreachable.into()),
        }
    }
}

#[async_trait]
impl FrameStream for Stream {
    async fn next(&mut self) -> Result<Option<RelayFrame>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        while let Some(happening) = self.queue.recv().await {
            let bytes = match happening {
                Happening::Opened => continue,
                Happening::Message(bytes) => bytes,
                Happening::Closed => return Ok(None),
                Happening::Fault => return Err(Kind::RelayFault.into()),
            };
            self.parts.waiting.set(self.parts.waiting.get().saturating_sub(bytes.len()));
            if let Some(frame) = decoded(&bytes)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}
