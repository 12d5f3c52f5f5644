//! The connection: how it is come by, what it consists of, and how long to wait for the next.
//!
//! ```text
//!  offline ──go online──▶ connecting ──linked──▶ up ──connected──▶ resumed, caught up
//!     ▲                       │ failed            │ lost, stalled, refused
//!     │                       ▼                   ▼
//!     └──go offline──────── waiting ◀─────────────┘   0 … 0.5 s, 1 s, 2 s, … 30 s, at random
//! ```
//!
//! Two tasks serve a link, one a direction, so that a stalled write holds up no read and neither
//! holds up the engine. What they report carries the number of the link, since a late report of a
//! former one must not end its successor.

use std::time::Duration;

use chat_core::frame::{ClientFrame, RelayFrame};
use rand::RngExt as _;
use tokio::sync::mpsc;

use crate::error::{Error, Kind};
use crate::random::Rng;
use crate::tasks::{Task, spawn};
use crate::transport::Link;

/// Most frames that wait to be written.
const OUTBOUND_MAX: usize = 256;

/// How long to wait between attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The pause after this many failures: anything up to a limit that doubles, so that ten
    /// thousand clients that lost one relay do not come back as one.
    pub(crate) fn pause(&self, failures: u32, rng: &mut Rng) -> Duration {
        let limit = self.first.saturating_mul(2_u32.saturating_pow(failures.min(16)));
        let limit = u64::try_from(limit.min(self.longest).as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rng.random_range(0..=limit))
    }
}

/// What a link reports.
#[derive(Debug)]
pub(crate) enum Report {
    /// A frame has come.
    Frame(RelayFrame),
    /// The link is gone; the relay closed it if there is no error.
    Lost(Option<Error>),
}

/// A link that is being served.
#[derive(Debug)]
pub(crate) struct Wire {
    outbound: mpsc::Sender<ClientFrame>,
    reader: Task,
}

impl Wire {
    /// Serves `link`; what it brings goes to `reports` under `number`.
    pub(crate) fn serve(link: Link, number: u64, reports: &mpsc::Sender<(u64, Report)>) -> Self {
        let (outbound, frames) = mpsc::channel(OUTBOUND_MAX);
        let Link { sink, stream } = link;
        spawn(write(sink, frames, number, reports.clone()));
        let reader = spawn(read(stream, number, reports.clone()));
        Self { outbound, reader }
    }

    /// Gives a frame to be written.
    ///
    /// # Errors
    ///
    /// [`Kind::Offline`] if so many wait already that the relay must have stopped reading.
    pub(crate) fn send(&self, frame: ClientFrame) -> Result<(), Error> {
        self.outbound.try_send(frame).map_err(|_| Kind::Offline.into())
    }
}

impl Drop for Wire {
    /// The writer ends by itself: it writes what waits, says goodbye, and is done.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(
    mut stream: Box<dyn crate::transport::FrameStream>,
    number: u64,
    reports: mpsc::Sender<(u64, Report)>,
) {
    loop {
        let report = match stream.next().await {
            Ok(Some(frame)) => Report::Frame(frame),
            Ok(None) => Report::Lost(None),
            Err(error) => Report::Lost(Some(error)),
        };
        let is_over = matches!(report, Report::Lost(_));
        if reports.send((number, report)).await.is_err() || is_over {
            return;
        }
    }
}

async fn write(
    mut sink: Box<dyn crate::transport::FrameSink>,
    mut frames: mpsc::Receiver<ClientFrame>,
    number: u64,
    reports: mpsc::Sender<(u64, Report)>,
) {
    while let Some(frame) = frames.recv().await {
        if let Err(error) = sink.send(&frame).await {
            let _ = reports.send((number, Report::Lost(Some(error)))).await;
            return;
        }
    }
    sink.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Randomness;

    #[test]
    fn pauses_grow_up_to_half_a_minute_and_are_spread() {
        let backoff = Backoff::default();
        let mut rng = Randomness::seeded(1).rng();
        let mut longest = |failures| {
            (0..200).map(|_| backoff.pause(failures, &mut rng)).max().unwrap_or_default()
        };

        assert!(longest(0) <= Duration::from_millis(500));
        assert!(longest(2) > Duration::from_secs(1));
        assert!(longest(2) <= Duration::from_secs(2));
        assert!(longest(40) > Duration::from_secs(25));
        assert!(longest(40) <= Duration::from_secs(30));
    }
}
