//! What waits to be written to one socket, in order and bounded.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, ready};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use chat_core::frame::RelayFrame;
use chat_core::limits::OUTBOUND_FRAMES_MAX;
use futures_util::Sink;
use futures_util::stream::SplitSink;
use std::pin::Pin;
use tokio::time::Instant;

use super::close_frame;
use crate::encoding::Encoding;

/// Bytes that may wait; one frame more may exceed it.
const OUTBOUND_BYTES_MAX: usize = 1024 * 1024;

/// The queue and the socket's writing half.
pub(super) struct Outbound {
    sink: SplitSink<WebSocket, Message>,
    encoding: Encoding,
    queue: VecDeque<Message>,
    bytes: usize,
    /// Messages were handed to the socket that it has not sent yet.
    flushing: Flushing,
    /// When something began to wait, or was last seen to move.
    moved_at: Instant,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Flushing {
    Yes,
    No,
}

impl Outbound {
    pub(super) fn new(sink: SplitSink<WebSocket, Message>, encoding: Encoding) -> Self {
        Self {
            sink,
            encoding,
            queue: VecDeque::new(),
            bytes: 0,
            flushing: Flushing::No,
            moved_at: Instant::now(),
        }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn push(&mut self, frame: &RelayFrame) {
        self.enqueue(self.encoding.write(frame));
    }

    pub(super) fn ping(&mut self) {
        self.enqueue(Message::Ping(Bytes::new()));
    }

    fn enqueue(&mut self, message: Message) {
        if self.is_empty() {
            self.moved_at = Instant::now();
        }
        self.bytes = self.bytes.saturating_add(weight(&message));
        self.queue.push_back(message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.flushing == Flushing::No
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < OUTBOUND_FRAMES_MAX && self.bytes < OUTBOUND_BYTES_MAX
    }

    /// Since when nothing has moved, while something waits.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        (!self.is_empty()).then_some(self.moved_at)
    }

    /// Writes and flushes everything that waits. May be dropped at any point: nothing is lost by
    /// that and nothing is written twice.
    pub(super) async fn write(&mut self) -> Result<(), axum::Error> {
        poll_fn(|context| {
            while !self.queue.is_empty() {
                ready!(Pin::new(&mut self.sink).poll_ready(context))?;
                let Some(message) = self.queue.pop_front() else { break };
                self.bytes = self.bytes.saturating_sub(weight(&message));
                self.flushing = Flushing::Yes;
                self.moved_at = Instant::now();
                Pin::new(&mut self.sink).start_send(message)?;
            }
            ready!(Pin::new(&mut self.sink).poll_flush(context))?;
            self.flushing = Flushing::No;
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Writes what waits, then closes.
    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        self.enqueue(close_frame(code, reason));
        if self.write().await.is_err() {
            // Who closed first is sent nothing more but the library's answer to that, which only
            // waits for a flush (RFC 6455 §5.5.1). Who is gone does not hear it.
            let _ = poll_fn(|context| Pin::new(&mut self.sink).poll_flush(context)).await;
        }
    }
}

fn weight(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.as_str().len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}
