//! One connected device: one task that reads, decides and writes.
//!
//! ```text
//!               ┌──────────── select! ─────────────┐
//!  socket ────▶ │ frames      → services           │
//!  registry ──▶ │ happenings  → delivery ─▶ frames │ ──▶ outbound queue ──▶ socket
//!  store ─────▶ │ pages       → delivery           │
//!  writer ────▶ │ accepted                         │
//!  clock ─────▶ │ heartbeat, write stall           │
//!               └──────────────────────────────────┘
//! ```
//!
//! Writing never keeps the task from reading: what cannot be written yet waits in a bounded queue,
//! and while that is full nothing new is taken from the socket, the registry or the store. A client
//! that takes nothing for [`WRITE_STALL_MAX`] is cut off; what it had not acknowledged waits in the
//! store.

mod outbound;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use chat_core::device::DeviceCertificate;
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::limits::{AUTHENTICATE_WITHIN, DEAD_AFTER, HEARTBEAT_EVERY};
use chat_core::receipt::SignedReceipt;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, SplitStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use self::outbound::Outbound;
use self::reading::{Read, Reading};
use crate::admission::Admitted;
use crate::delivery::{Delivery, Outcome, Want};
use crate::encoding::Encoding;
use crate::failpoint::{Point, pass};
use crate::limits::{Class, Subject};
use crate::metrics::Metrics;
use crate::registry::{Ending, Happening, Listener};
use crate::service::{Caller, Services, authenticate, prekeys, presence, receipts, send, typing};
use crate::storage::Session;

/// A client that takes nothing off the wire for this long is cut off.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(10);
/// Messages of one connection that may wait for their commit.
const SENDS_WAITING_MAX: usize = 64;
/// How long a connection that ends may take to hear why.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// When to try again where there were too many connections.
const RETURN_WITHIN_MS: u64 = 30_000;

/// Serves a connection until it ends.
pub async fn run(
    services: Arc<Services>,
    socket: WebSocket,
    encoding: Encoding,
    caller: Option<Caller>,
    admitted: Option<Arc<Admitted>>,
) {
    let (sink, mut stream) = socket.split();
    let mut outbound = Outbound::new(sink, encoding);
    let caller = match caller {
        Some(caller) => Ok(caller),
        // On the heap: a connection does not hold the room for its greeting for ever.
        None => Box::pin(first_frame(&services, &mut stream, encoding)).await,
    };
    let listening = caller.and_then(|caller| {
        let session = Session { address: caller.address, family: caller.family };
        let listener = services.registry.insert(session).map_err(|_| too_many())?;
        Ok((caller, listener))
    });
    match listening {
        Ok((caller, listener)) => {
            if let Some(admitted) = &admitted {
                admitted.settle();
            }
            Box::pin(serve(services, stream, outbound, caller, listener)).await;
        }
        Err(reject) => {
            services.metrics.rejected(reject.code);
            services.metrics.connect_failed.add(1);
            outbound.push(&RelayFrame::Reject { request: None, reject });
            let _ = timeout(FAREWELL_MAX, outbound.close(close_code::POLICY, "")).await;
        }
    }
}

/// The account's other connections may take a while to end.
fn too_many() -> Reject {
    let mut reject = Reject::from(RejectCode::RateLimited)
        .saying("The account has as many connections as it may have.");
    reject.retry_after_ms = Some(RETURN_WITHIN_MS);
    reject
}

/// Waits for the client to say who it is.
async fn first_frame(
    services: &Services,
    stream: &mut SplitStream<WebSocket>,
    encoding: Encoding,
) -> Result<Caller, Reject> {
    let unauthenticated = || Reject::from(RejectCode::Unauthenticated);
    let message = timeout(AUTHENTICATE_WITHIN, async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    });
    let message = message.await.map_err(|_| unauthenticated())?;
    let message = message.and_then(Result::ok).ok_or_else(unauthenticated)?;
    match encoding.read(&message) {
        Ok(ClientFrame::Authenticate { token }) => {
            let caller = authenticate::device(services, &token).await?;
            services.take(Class::Connect, Subject::Device(caller.address)).await?;
            Ok(caller)
        }
        _ => Err(unauthenticated()),
    }
}

async fn serve(
    services: Arc<Services>,
    stream: SplitStream<WebSocket>,
    outbound: Outbound,
    caller: Caller,
    listener: Listener,
) {
    let metrics = services.metrics.clone();
    let _entered = metrics.connections.enter();
    metrics.connected.add(1);
    // The live route came first: what is written from now on is heard of.
    let number = listener.number;
    let account = [caller.address.account];
    services.bus.register(&account).await;
    services.presence.connected(caller.address, number, services.now());
    let displace = crate::bus::BusEvent::Displace {
        address: caller.address,
        connection: number,
        node: services.node,
    };
    services.bus.publish(&account, displace);
    let mut connection = Connection {
        delivery: Delivery::new(caller.address),
        services: services.clone(),
        caller,
        listener,
        stream,
        outbound,
        sends: FuturesUnordered::new(),
        reading: Reading::default(),
        certificate: None,
        heard_at: Instant::now(),
        pinged_at: Instant::now(),
        connected_at: services.now(),
    };
    connection.run().await;
    drop(connection);
    services.registry.remove(caller.address, number);
    services.presence.disconnected(caller.address, number, services.now());
    services.bus.unregister(&account).await;
}

/// Why the loop ends.
enum End {
    /// The client is gone, or cannot be reached.
    Gone,
    /// The client sent more than a frame may hold.
    TooLarge,
    /// The client broke the rules of WebSockets; the code says which (RFC 6455 §7.4.1).
    Broken(u16),
    /// The relay ends it.
    Told(Ending),
}

struct Connection {
    services: Arc<Services>,
    caller: Caller,
    listener: Listener,
    stream: SplitStream<WebSocket>,
    outbound: Outbound,
    delivery: Delivery,
    sends: FuturesUnordered<BoxFuture<'static, RelayFrame>>,
    reading: Reading,
    certificate: Option<Verified<DeviceCertificate>>,
    heard_at: Instant,
    pinged_at: Instant,
    connected_at: Timestamp,
}

impl Connection {
    async fn run(&mut self) {
        let end = match self.greet().await {
            Ok(()) => self.turn().await,
            Err(reject) => {
                self.refuse(None, reject);
                End::Gone
            }
        };
        let _ = timeout(FAREWELL_MAX, self.farewell(end)).await;
    }

    async fn greet(&mut self) -> Result<(), Reject> {
        // A device that was cut off just before it was registered here was not told to end.
        authenticate::still_active(&self.services, self.caller).await?;
        self.outbound.push(&RelayFrame::Connected {
            address: self.caller.address,
            epoch: self.services.epoch,
            now: self.services.now(),
        });
        let count = prekeys::count(&self.services, self.caller).await?;
        if prekeys::is_low(count) {
            self.outbound.push(&RelayFrame::PrekeysLow { remaining: count.remaining });
        }
        Ok(())
    }

    async fn turn(&mut self) -> End {
        loop {
            if self.listener.signals.take_lagging() {
                self.delivery.missed();
            }
            if self.reading.is_idle()
                && self.outbound.has_room()
                && let Some(want) = self.delivery.want()
            {
                self.reading.ask(self.services.clone(), self.caller.address, want);
            }
            let has_room = self.outbound.has_room();
            let takes_frames = has_room && self.sends.len() < SENDS_WAITING_MAX;
            let wake_at = self.wake_at();
            tokio::select! {
                written = self.outbound.write(), if !self.outbound.is_empty() => {
                    if written.is_err() { return End::Gone; }
                }
                ending = self.listener.signals.ended() => return End::Told(ending),
                Some(frame) = self.sends.next() => self.answer(&frame),
                read = self.reading.answer() => self.has_read(read),
                Some(happening) = self.listener.happenings.recv(), if has_room => {
                    self.happened(happening);
                }
                message = self.stream.next(), if takes_frames => {
                    if let Some(end) = self.hear(message).await { return end; }
                }
                () = sleep_until(wake_at) => {
                    if let Some(end) = self.beat() { return end; }
                }
            }
        }
    }

    /// When to look at the heartbeat or a stalled write again.
    fn wake_at(&self) -> Instant {
        let heartbeat = self.heard_at.max(self.pinged_at) + HEARTBEAT_EVERY;
        let dead = self.heard_at + DEAD_AFTER;
        let stalled = self.outbound.waiting_since().map(|since| since + WRITE_STALL_MAX);
        stalled.unwrap_or(heartbeat).min(heartbeat).min(dead)
    }

    fn beat(&mut self) -> Option<End> {
        let now = Instant::now();
        let stalled =
            self.outbound.waiting_since().is_some_and(|since| now >= since + WRITE_STALL_MAX);
        if stalled || now >= self.heard_at + DEAD_AFTER {
            tracing::debug!(address = %self.caller.address, stalled, "the client is gone");
            return Some(End::Gone);
        }
        if now >= self.heard_at.max(self.pinged_at) + HEARTBEAT_EVERY {
            self.pinged_at = now;
            self.outbound.ping();
        }
        None
    }

    /// Takes a WebSocket message in.
    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Option<End> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Some(end_of(&error)),
            None => return Some(End::Gone),
        };
        self.heard_at = Instant::now();
        match &message {
            Message::Close(_) => return Some(End::Gone),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => match self.outbound.encoding().read(&message) {
                // On the heap, so that a connection which hears nothing does not hold room for it.
                Ok(frame) => Box::pin(self.frame(frame)).await,
                Err(reject) => self.refuse(None, reject),
            },
        }
        None
    }

    async fn frame(&mut self, frame: ClientFrame) {
        let outcome = match frame {
            ClientFrame::Send { request, envelope, blobs } => {
                let blobs = blobs.unwrap_or_default().into_iter().collect();
                match send::send(&self.services, self.caller, envelope, blobs).await {
                    Ok(queued) => {
                        let metrics = self.services.metrics.clone();
                        self.sends.push(accepted(request, queued, metrics).boxed());
                    }
                    Err(reject) => {
                        self.services.metrics.send_failed.add(1);
                        self.refuse(Some(request), reject);
                    }
                }
                Ok(())
            }
            ClientFrame::Acknowledge { conversation, up_to } => {
                let outcome = self.delivery.acknowledge(conversation, up_to);
                self.follow(outcome);
                Ok(())
            }
            ClientFrame::Receipt { receipt } => self.receipt(receipt).await,
            ClientFrame::Typing { conversation, state } => {
                typing::tell(&self.services, self.caller, conversation, state).await
            }
            ClientFrame::Presence { workspace, availability } => {
                presence::say(&self.services, self.caller, workspace, availability).await
            }
            ClientFrame::FollowPresence { workspace, accounts } => {
                presence::follow(&self.services, self.caller, workspace, &accounts).await
            }
            ClientFrame::Ping { request } => {
                self.outbound.push(&RelayFrame::Pong { request });
                Ok(())
            }
            ClientFrame::Authenticate { .. } => Err(Reject::from(RejectCode::Malformed)
                .saying("This connection is authenticated already.")),
            _ => Err(RejectCode::UnknownFrame.into()),
        };
        if let Err(reject) = outcome {
            self.refuse(None, reject);
        }
    }

    async fn receipt(&mut self, receipt: SignedReceipt) -> Result<(), Reject> {
        if self.certificate.is_none() {
            let address = self.caller.address;
            let devices = self.services.devices_of(address.account).await?;
            self.certificate = devices.active_device(address.device).cloned();
        }
        let certificate = self.certificate.as_ref().ok_or(RejectCode::DeviceRemoved)?;
        receipts::put(&self.services, certificate, receipt).await
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Message(live) => {
                let outcome = self.delivery.live(&live);
                self.follow(outcome);
            }
            Happening::Heard { conversation, sequence } => {
                self.delivery.heard(conversation, sequence);
            }
            Happening::Heads(heads) => self.delivery.heads(&heads),
            Happening::Frame(frame) => self.outbound.push(&frame),
        }
    }

    fn has_read(&mut self, read: Read) {
        let outcome = match read {
            Read::Survey(Ok(backlog)) => self.delivery.surveyed(&backlog),
            Read::Page(Want::Page { conversation, .. }, Ok(page)) => {
                self.delivery.page(conversation, page)
            }
            Read::Page(want, _) => return self.delivery.failed(want),
            Read::Survey(Err(_)) => return self.delivery.failed(Want::Survey),
        };
        self.follow(outcome);
    }

    fn follow(&mut self, outcome: Outcome) {
        for (conversation, up_to) in outcome.cursors {
            self.services.acknowledgements.note(self.caller.address, conversation, up_to);
        }
        for frame in outcome.frames {
            if let RelayFrame::Deliver { at, .. } = frame {
                self.services.metrics.delivered.add(1);
                // What was accepted before waited for the device, not for the relay.
                if at >= self.connected_at {
                    let late = self.services.now().since(at);
                    self.services.metrics.deliver_seconds.observe_duration(late);
                }
            }
            let is_delivery = matches!(frame, RelayFrame::Deliver { .. });
            self.outbound.push(&frame);
            if is_delivery {
                pass(Point::Delivered);
            }
        }
    }

    fn answer(&mut self, frame: &RelayFrame) {
        if let RelayFrame::Reject { reject, .. } = frame {
            tracing::debug!(address = %self.caller.address, code = reject.code.code(), "refused");
            self.services.metrics.rejected(reject.code);
        }
        self.outbound.push(frame);
    }

    fn refuse(&mut self, request: Option<u32>, reject: Reject) {
        self.answer(&RelayFrame::Reject { request, reject });
    }

    /// Says why, answers what was accepted meanwhile, and closes.
    async fn farewell(&mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => (close_code::NORMAL, ""),
            End::TooLarge => {
                self.refuse(None, RejectCode::TooLarge.into());
                (close_code::SIZE, "too_large")
            }
            End::Broken(code) => (code, ""),
            End::Told(Ending::Draining { return_after_ms }) => {
                self.outbound.push(&RelayFrame::Draining { return_after_ms });
                (close_code::RESTART, "draining")
            }
            End::Told(ending) => {
                let code = match ending {
                    Ending::Removed | Ending::AccountDeleted => RejectCode::DeviceRemoved,
                    Ending::Suspended => RejectCode::AccountSuspended,
                    Ending::Displaced => RejectCode::Displaced,
                    _ => RejectCode::TokenInvalid,
                };
                self.refuse(None, code.into());
                (close_code::POLICY, code.code())
            }
        };
        while let Some(frame) = self.sends.next().await {
            self.answer(&frame);
        }
        self.outbound.close(code, reason).await;
    }
}

async fn accepted(request: u32, queued: send::Queued, metrics: Arc<Metrics>) -> RelayFrame {
    let began = Instant::now();
    let answer = queued.accepted().await;
    metrics.send_seconds.observe_duration(began.elapsed());
    match answer {
        Ok(appended) => {
            RelayFrame::Accepted { request, sequence: appended.sequence, at: appended.at }
        }
        Err(reject) => {
            metrics.send_failed.add(1);
            RelayFrame::Reject { request: Some(request), reject }
        }
    }
}

/// What it means that nothing more can be read.
fn end_of(error: &axum::Error) -> End {
    use std::error::Error as _;
    use tokio_tungstenite::tungstenite::Error as SocketError;
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    let source = error.source().and_then(|source| source.downcast_ref::<SocketError>());
    match source {
        Some(SocketError::Capacity(_)) => End::TooLarge,
        Some(SocketError::Utf8(_)) => End::Broken(close_code::INVALID),
        Some(SocketError::Protocol(ResetWithoutClosingHandshake)) => End::Gone,
        Some(SocketError::Protocol(_)) => End::Broken(close_code::PROTOCOL),
        _ => End::Gone,
    }
}

fn close_frame(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}
