//! Scenario `sustained`: messages on an open loop, from half of the connections to the other.
//!
//! ```text
//!  due ──┬─ late or not, sent ──▶ relay ──▶ accepted      latency: accepted − due
//!        └────────────────────────────────▶ delivered      latency: delivered − due
//! ```
//!
//! Every message has its moment; a relay that falls behind does not slow the senders down, so what
//! waits counts. A request's number says when it was due; the message's id says it to the receiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chat_core::codec::{Bytes, to_bytes};
use chat_core::envelope::{Envelope, Header};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::id::MessageId;
use chat_sdk::transport::{FrameSink, FrameStream, Link};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Outcome;
use crate::connections::open;
use crate::people::pairs;
use crate::relay::Relay;
use crate::report::{Latencies, distribution, latencies, memory, say};

/// How long after the last message is waited for what is still under way.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages of a receiver between two acknowledgements.
const ACKNOWLEDGE_EVERY: u64 = 8;

/// When each message of a run is due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    start: Instant,
    interval: Duration,
    senders: u32,
    /// Messages of each sender.
    each: u32,
}

impl Schedule {
    /// The moment of a sender's message; senders take turns.
    fn due(&self, sender: u32, number: u32) -> Instant {
        self.start + self.interval * (number * self.senders + sender)
    }
}

/// What is counted while it runs.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    rejected: AtomicU64,
}

pub(crate) async fn run(
    relay: &Relay,
    connections: usize,
    rate: u32,
    duration: Duration,
    payload: usize,
) -> Outcome<()> {
    let senders = u32::try_from(connections / 2)?.max(1);
    let pairs = pairs(&relay.url, usize::try_from(senders)?, payload).await?;
    let before = relay.resident_kib();
    let mut links = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        links.push((open(&pair.sender).await?, open(&pair.receiver).await?));
    }
    memory(before, relay.resident_kib(), links.len() * 2);
    let each = u32::try_from(u64::from(rate) * duration.as_secs() / u64::from(senders))?;
    let schedule = Schedule {
        start: Instant::now() + Duration::from_millis(200),
        interval: Duration::from_secs(1) / rate.max(1),
        senders,
        each,
    };
    let counts = Arc::new(Counts::default());
    let (end, ended) = watch::channel(false);
    let mut accepts = JoinSet::new();
    let mut deliveries = JoinSet::new();
    for (number, (pair, (sending, receiving))) in (0..).zip(pairs.iter().zip(links)) {
        let header = pair.envelope.read_header()?;
        let template = (pair.envelope.clone(), header);
        let Link { sink, stream } = sending;
        tokio::spawn(send(sink, number, schedule, template, counts.clone()));
        accepts.spawn(accepted(stream, number, schedule, counts.clone(), ended.clone()));
        deliveries.spawn(delivered(receiving, number, schedule, ended.clone()));
    }
    tokio::spawn(async move {
        sleep_until(schedule.due(0, each) + PATIENCE).await;
        end.send_replace(true);
    });
    let accepts = gather(accepts).await?;
    let deliveries = gather(deliveries).await?;
    say("offered", format!("{rate} messages/s for {} s, {payload} bytes", duration.as_secs()));
    say("sent", counts.sent.load(Ordering::Relaxed));
    say("accepted", accepts.len());
    say("rejected", counts.rejected.load(Ordering::Relaxed));
    say("delivered", deliveries.len());
    distribution("accept", &accepts);
    distribution("delivery", &deliveries);
    if deliveries.len() < accepts.len() {
        return Err("accepted messages were not delivered in time".into());
    }
    Ok(())
}

async fn gather(mut tasks: JoinSet<Outcome<Latencies>>) -> Outcome<Latencies> {
    let mut all = latencies()?;
    while let Some(one) = tasks.join_next().await {
        all.add(one??)?;
    }
    Ok(all)
}

/// Sends a sender's messages, each at its moment or as soon after as the link takes it.
async fn send(
    mut sink: Box<dyn FrameSink>,
    sender: u32,
    schedule: Schedule,
    (envelope, header): (Envelope, Header),
    counts: Arc<Counts>,
) -> Outcome<()> {
    // Frames are made ahead of their moment, so that making them is not measured.
    let (ready, mut frames) = mpsc::channel(32);
    tokio::spawn(async move {
        for number in 0..schedule.each {
            let Ok(frame) = frame(&envelope, &header, number) else { return };
            if ready.send((number, frame)).await.is_err() {
                return;
            }
        }
    });
    while let Some((number, frame)) = frames.recv().await {
        sleep_until(schedule.due(sender, number)).await;
        sink.send(&frame).await?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The sealed message under another id, whose last four bytes are its number.
fn frame(envelope: &Envelope, header: &Header, number: u32) -> Outcome<ClientFrame> {
    let mut id: [u8; 16] = rand::random();
    if let Some(tail) = id.last_chunk_mut::<4>() {
        *tail = number.to_be_bytes();
    }
    let header = Header { message: MessageId::from_bytes(id), ..header.clone() };
    let header = Bytes::new(to_bytes(&header))?;
    let envelope = Envelope { header, ..envelope.clone() };
    Ok(ClientFrame::Send { request: number, envelope, blobs: None })
}

async fn accepted(
    mut stream: Box<dyn FrameStream>,
    sender: u32,
    schedule: Schedule,
    counts: Arc<Counts>,
    mut ended: watch::Receiver<bool>,
) -> Outcome<Latencies> {
    let mut taken = latencies()?;
    let mut answers = 0;
    while answers < schedule.each {
        let frame = tokio::select! {
            frame = stream.next() => frame?.ok_or("the relay closed a sender's connection")?,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        match frame {
            RelayFrame::Accepted { request, .. } => {
                taken.saturating_record(micros(schedule.due(sender, request)));
                answers += 1;
            }
            RelayFrame::Reject { .. } => {
                counts.rejected.fetch_add(1, Ordering::Relaxed);
                answers += 1;
            }
            _ => {}
        }
    }
    Ok(taken)
}

async fn delivered(
    mut link: Link,
    sender: u32,
    schedule: Schedule,
    mut ended: watch::Receiver<bool>,
) -> Outcome<Latencies> {
    let mut taken = latencies()?;
    while taken.len() < u64::from(schedule.each) {
        let frame = tokio::select! {
            frame = link.stream.next() => frame?.ok_or("the relay closed a receiver's connection")?,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        let RelayFrame::Deliver { sequence, envelope, .. } = frame else { continue };
        let header = envelope.read_header()?;
        let tail = header.message.as_bytes().last_chunk::<4>().copied().unwrap_or_default();
        taken.saturating_record(micros(schedule.due(sender, u32::from_be_bytes(tail))));
        if taken.len() % ACKNOWLEDGE_EVERY == 0 {
            let conversation = header.conversation;
            let read = ClientFrame::Acknowledge { conversation, up_to: sequence };
            timeout(PATIENCE, link.sink.send(&read)).await??;
        }
    }
    Ok(taken)
}

fn micros(due: Instant) -> u64 {
    u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX)
}
