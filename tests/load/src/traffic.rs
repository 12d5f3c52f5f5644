//! Scenarios `sustained`, `ramp`, `spike` and `soak`: messages on an open loop, from half of the
//! connections to the other.
//!
//! ```text
//!  due ──┬─ late or not, sent ──▶ relay ──▶ accepted      latency: accepted − due
//!        └────────────────────────────────▶ delivered      latency: delivered − due
//! ```
//!
//! Every message has its moment; a relay that falls behind does not slow the senders down, so what
//! waits counts. A request's number says which message it was, and so does the message's id.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chat_core::frame::{ClientFrame, RelayFrame};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::Outcome;
use crate::nodes::Nodes;
use crate::people::{Pair, Sealed, number_of, pairs};
use crate::profile::Profile;
use crate::report::{Latencies, Report, Second, approximate, latencies};
use crate::wire::{Reading, Wire, Writing};

/// How long after the last message is waited for what is still under way.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages of a receiver between two acknowledgements.
const ACKNOWLEDGE_EVERY: u32 = 8;

/// When each message of a run is due, and what became of it.
#[derive(Debug)]
pub(crate) struct Run {
    start: Instant,
    profile: Profile,
    senders: u32,
    seen: Mutex<Seen>,
}

/// What was seen until now.
#[derive(Debug)]
struct Seen {
    sent: u32,
    accepted: u32,
    rejected: u32,
    delivered: u32,
    /// Per phase.
    accepts: Vec<Latencies>,
    deliveries: Vec<Latencies>,
    /// Deliveries by the second in which they were due.
    seconds: Vec<Latencies>,
}

impl Run {
    /// One that begins at once, or as good as.
    pub(crate) fn new(profile: &Profile, senders: u32) -> Outcome<Self> {
        Self::at(Instant::now() + Duration::from_millis(500), profile, senders)
    }

    /// One that begins at `start`.
    pub(crate) fn at(start: Instant, profile: &Profile, senders: u32) -> Outcome<Self> {
        let empty = |count: usize| (0..count).map(|_| latencies()).collect::<Outcome<Vec<_>>>();
        let phases = profile.phases().len();
        let seconds = usize::try_from(profile.length().as_secs() + 1)?;
        let seen = Seen {
            sent: 0,
            accepted: 0,
            rejected: 0,
            delivered: 0,
            accepts: empty(phases)?,
            deliveries: empty(phases)?,
            seconds: empty(seconds)?,
        };
        Ok(Self { start, profile: profile.clone(), senders, seen: Mutex::new(seen) })
    }

    /// The numbers of a sender's messages; senders take turns.
    fn numbers(&self, sender: u32) -> impl Iterator<Item = u32> + use<> {
        let step = usize::try_from(self.senders).unwrap_or(usize::MAX);
        (sender..self.profile.messages()).step_by(step)
    }

    fn due(&self, number: u32) -> Instant {
        self.start + self.profile.moment(number).after
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn note_accepted(&self, number: u32) {
        let (moment, late) = (self.profile.moment(number), micros(self.due(number)));
        self.note(|seen| {
            seen.accepted += 1;
            if let Some(accepts) = seen.accepts.get_mut(moment.phase) {
                accepts.saturating_record(late);
            }
        });
    }

    pub(crate) fn note_delivered(&self, number: u32) {
        let (moment, late) = (self.profile.moment(number), micros(self.due(number)));
        let second = usize::try_from(moment.after.as_secs()).unwrap_or(usize::MAX);
        self.note(|seen| {
            seen.delivered += 1;
            let of_phase = seen.deliveries.get_mut(moment.phase);
            for latencies in of_phase.into_iter().chain(seen.seconds.get_mut(second)) {
                latencies.saturating_record(late);
            }
        });
    }

    /// Ends a while after the last message was due.
    pub(crate) async fn over(&self) {
        sleep_until(self.start + self.profile.length() + PATIENCE).await;
    }

    /// How long everything took that was due in these seconds of the run.
    pub(crate) fn between(&self, seconds: std::ops::Range<u64>) -> Outcome<Latencies> {
        let mut all = latencies()?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, latencies) in (0..).zip(&seen.seconds).filter(|(at, _)| seconds.contains(at)) {
            all.add(latencies)?;
        }
        Ok(all)
    }

    /// Reports what was seen.
    ///
    /// # Errors
    ///
    /// If fewer were delivered than were accepted times `readers`.
    pub(crate) fn tell(&self, report: &mut Report, readers: u32) -> Outcome<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, count) in [
            ("offered", self.profile.messages()),
            ("sent", seen.sent),
            ("accepted", seen.accepted),
            ("rejected", seen.rejected),
            ("delivered", seen.delivered),
        ] {
            report.figure(what, f64::from(count), "messages");
        }
        let phases = self.profile.phases().iter().zip(&seen.accepts).zip(&seen.deliveries);
        for ((phase, accepts), deliveries) in phases {
            let rate = phase.rate;
            report.distribution(format!("{rate}/s accepted"), accepts);
            report.distribution(format!("{rate}/s delivered"), deliveries);
        }
        let seconds = (0..).zip(&seen.seconds).filter(|(_, latencies)| !latencies.is_empty());
        report.seconds(
            seconds
                .map(|(second, latencies)| Second {
                    second,
                    delivered: latencies.len(),
                    p50: latencies.value_at_quantile(0.5),
                    p99: latencies.value_at_quantile(0.99),
                })
                .collect(),
        );
        if seen.delivered < seen.accepted * readers {
            return Err("accepted messages were not delivered in time".into());
        }
        Ok(())
    }
}

/// Senders and receivers, each with an open connection.
pub(crate) struct Lines(Vec<(Sealed, Wire, Wire)>);

impl Lines {
    /// Registers and connects them.
    pub(crate) async fn open(
        nodes: &Nodes,
        report: &mut Report,
        senders: u32,
        payload: usize,
    ) -> Outcome<Self> {
        let pairs = pairs(nodes, senders, payload).await?;
        let before = nodes.resident_kib();
        let mut lines = Vec::with_capacity(pairs.len());
        for Pair { sender, receiver, sealed } in pairs {
            lines.push((sealed, sender.open(nodes).await?, receiver.open(nodes).await?));
        }
        report.memory(before, nodes.resident_kib(), lines.len() * 2);
        Ok(Self(lines))
    }

    /// Sends and receives what a run says, until everything is there or was waited for.
    pub(crate) async fn drive(self, run: &Arc<Run>) -> Outcome<()> {
        let (end, ended) = watch::channel(false);
        let mut ends = JoinSet::new();
        for (sender, (sealed, sending, receiving)) in (0..).zip(self.0) {
            tokio::spawn(send(sending.writing, sender, run.clone(), sealed));
            ends.spawn(accepted(sending.reading, sender, run.clone(), ended.clone()));
            ends.spawn(delivered(receiving, sender, run.clone(), ended.clone()));
        }
        until_over(run, end, ends).await
    }
}

/// Waits for what listens to a run, and tells it when the run is over.
pub(crate) async fn until_over(
    run: &Arc<Run>,
    end: watch::Sender<bool>,
    mut ends: JoinSet<Outcome<()>>,
) -> Outcome<()> {
    let last = run.clone();
    tokio::spawn(async move {
        last.over().await;
        end.send_replace(true);
    });
    while let Some(ended) = ends.join_next().await {
        ended??;
    }
    Ok(())
}

pub(crate) async fn run(
    nodes: &Nodes,
    report: &mut Report,
    connections: u32,
    profile: &Profile,
    payload: usize,
) -> Outcome<()> {
    let senders = (connections / 2).max(1);
    let lines = Lines::open(nodes, report, senders, payload).await?;
    let used = nodes.processor_micros();
    let run = Arc::new(Run::new(profile, senders)?);
    lines.drive(&run).await?;
    report.processor(used, nodes.processor_micros(), u64::from(profile.messages()));
    if let (Some(kib), seconds) = (nodes.resident_kib(), profile.length().as_secs()) {
        report.figure(format!("memory after {seconds} s"), approximate(kib), "KiB");
    }
    run.tell(report, 1)
}

/// Sends a sender's messages, each at its moment or as soon after as the wire takes it.
pub(crate) async fn send(
    mut writing: Writing,
    sender: u32,
    run: Arc<Run>,
    sealed: Sealed,
) -> Outcome<()> {
    // Frames are made ahead of their moment, so that making them is not measured.
    let (ready, mut frames) = mpsc::channel(32);
    let numbers = run.numbers(sender);
    tokio::spawn(async move {
        for number in numbers {
            let Ok(frame) = sealed.frame(number) else { return };
            if ready.send((number, frame)).await.is_err() {
                return;
            }
        }
    });
    while let Some((number, frame)) = frames.recv().await {
        sleep_until(run.due(number)).await;
        writing.send(&frame).await?;
        run.note(|seen| seen.sent += 1);
    }
    Ok(())
}

/// Reads a sender's answers until it has one to each message.
pub(crate) async fn accepted(
    mut reading: Reading,
    sender: u32,
    run: Arc<Run>,
    mut ended: watch::Receiver<bool>,
) -> Outcome<()> {
    let mut missing = run.numbers(sender).count();
    while missing > 0 {
        let frame = tokio::select! {
            frame = reading.next() => frame?,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        match frame {
            RelayFrame::Accepted { request, .. } => run.note_accepted(request),
            RelayFrame::Reject { .. } => run.note(|seen| seen.rejected += 1),
            _ => continue,
        }
        missing -= 1;
    }
    Ok(())
}

/// Reads a receiver's messages until it has all of one sender.
pub(crate) async fn delivered(
    mut wire: Wire,
    sender: u32,
    run: Arc<Run>,
    mut ended: watch::Receiver<bool>,
) -> Outcome<()> {
    let all = u32::try_from(run.numbers(sender).count())?;
    let mut taken = 0;
    while taken < all {
        let frame = tokio::select! {
            frame = wire.reading.next() => frame?,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        let RelayFrame::Deliver { sequence, envelope, .. } = frame else { continue };
        let header = envelope.read_header()?;
        run.note_delivered(number_of(header.message));
        taken += 1;
        if taken % ACKNOWLEDGE_EVERY == 0 || taken == all {
            let conversation = header.conversation;
            wire.writing.send(&ClientFrame::Acknowledge { conversation, up_to: sequence }).await?;
        }
    }
    Ok(())
}

fn micros(due: Instant) -> u64 {
    u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX)
}
