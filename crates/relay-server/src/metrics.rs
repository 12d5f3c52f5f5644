//! Counters for operators, written in Prometheus' text format. No label names a user.

mod blobs;
mod push;
pub mod vitals;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use chat_core::reject::RejectCode;

pub use self::blobs::BlobMetrics;
pub use self::push::PushMetrics;
use crate::bus::{BusHealth, Connected};
use crate::limits::{Class, LimitsHealth};

/// Upper bounds of what people wait for, in seconds.
const LATENCIES: [f64; 12] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// WebSocket connections that are authenticated now.
    pub connections: Gauge,
    /// WebSocket connections that were authenticated.
    pub connected: Counter,
    /// WebSocket connections that ended before they were authenticated.
    pub connect_failed: Counter,
    /// Seconds from a `message:send` frame to its answer.
    pub send_seconds: Histogram<12>,
    /// Messages that were refused or could not be written.
    pub send_failed: Counter,
    /// Seconds from the acceptance of a message to its way to a connected device.
    pub deliver_seconds: Histogram<12>,
    /// Messages that became durable.
    pub accepted: Counter,
    /// Resends that were recognised.
    pub duplicates: Counter,
    /// Messages handed to devices.
    pub delivered: Counter,
    /// Reads of a conversation's log for a connected device.
    pub log_reads: Counter,
    /// Messages whose timer ended.
    pub expired: Counter,
    /// Messages that somebody has deleted for everybody.
    pub deleted: Counter,
    /// Wraps that were added for members who came later.
    pub rewrapped: Counter,
    /// Reports of messages that were filed.
    pub reports: Counter,
    /// Connections that lost their queue because they were too slow.
    pub lagged: Counter,
    /// Messages in one commit.
    pub commit_messages: Histogram<12>,
    /// Seconds from the writer's first look at a batch to the end of its commit.
    pub commit_seconds: Histogram<12>,
    /// Batches that were written message by message, because the store did not take one of them.
    pub batches_split: Counter,
    /// TLS handshakes that succeeded.
    pub tls_handshakes: Counter,
    /// TLS handshakes that failed or took too long.
    pub tls_failed: Counter,
    /// Connections that were closed because there were too many.
    pub connections_refused: Counter,
    /// Blobs.
    pub blobs: BlobMetrics,
    /// Push.
    pub push: PushMetrics,
    rejects: Vec<Counter>,
    limited: Vec<Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Gauge::default(),
            connected: Counter::default(),
            connect_failed: Counter::default(),
            send_seconds: Histogram::with_bounds(LATENCIES),
            send_failed: Counter::default(),
            deliver_seconds: Histogram::with_bounds(LATENCIES),
            accepted: Counter::default(),
            duplicates: Counter::default(),
            delivered: Counter::default(),
            log_reads: Counter::default(),
            expired: Counter::default(),
            deleted: Counter::default(),
            rewrapped: Counter::default(),
            reports: Counter::default(),
            lagged: Counter::default(),
            commit_messages: Histogram::with_bounds([
                1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 192.0, 256.0, 384.0, 512.0,
            ]),
            commit_seconds: Histogram::with_bounds([
                0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 1.0, 4.0,
            ]),
            connections_refused: Counter::default(),
            batches_split: Counter::default(),
            tls_handshakes: Counter::default(),
            tls_failed: Counter::default(),
            blobs: BlobMetrics::default(),
            push: PushMetrics::default(),
            limited: Class::ALL.iter().map(|_| Counter::default()).collect(),
            rejects: RejectCode::ALL.iter().map(|_| Counter::default()).collect(),
        }
    }
}

impl Metrics {
    /// Counts a refusal.
    pub fn rejected(&self, code: RejectCode) {
        let place = RejectCode::ALL.iter().position(|known| *known == code);
        if let Some(counter) = place.and_then(|place| self.rejects.get(place)) {
            counter.add(1);
        }
    }

    /// Counts a refusal for having done too much of `class`.
    pub fn limited(&self, class: Class) {
        let place = Class::ALL.iter().position(|known| *known == class);
        if let Some(counter) = place.and_then(|place| self.limited.get(place)) {
            counter.add(1);
        }
    }

    /// Writes everything down.
    #[must_use]
    pub fn render(&self, bus: BusHealth, limits: LimitsHealth, audit: (u64, u64)) -> String {
        let mut text = String::with_capacity(8 * 1024);
        for (name, help, counter) in [
            ("connections_total", "WebSockets that were authenticated.", &self.connected),
            ("connections_failed_total", "WebSockets nobody logged in on.", &self.connect_failed),
            ("send_failed_total", "Messages that were refused.", &self.send_failed),
            ("accepted_total", "Messages that became durable.", &self.accepted),
            ("duplicates_total", "Resends that were recognised.", &self.duplicates),
            ("delivered_total", "Messages handed to devices.", &self.delivered),
            ("log_reads_total", "Reads of a log for a connected device.", &self.log_reads),
            ("expired_total", "Messages whose timer ended.", &self.expired),
            ("deleted_total", "Messages deleted for everybody.", &self.deleted),
            ("rewrapped_total", "Wraps of the past that were added.", &self.rewrapped),
            ("reports_total", "Reports filed.", &self.reports),
            ("lagged_total", "Connections that lost their queue.", &self.lagged),
            ("batches_split_total", "Batches written one by one.", &self.batches_split),
            ("tls_handshakes_total", "TLS handshakes.", &self.tls_handshakes),
            ("tls_failed_total", "TLS handshakes that failed.", &self.tls_failed),
            ("connections_refused_total", "Connections too many.", &self.connections_refused),
        ] {
            sample(&mut text, name, help, "counter", counter.get());
        }
        sample(&mut text, "connections", "Authenticated connections.", "gauge", {
            u64::try_from(self.connections.0.load(Relaxed)).unwrap_or_default()
        });
        let connected = u64::from(bus.connected == Connected::Yes);
        sample(&mut text, "bus_connected", "Whether other nodes are reached.", "gauge", connected);
        sample(&mut text, "bus_published_total", "Events sent.", "counter", bus.published);
        sample(&mut text, "bus_lost_total", "Events given up.", "counter", bus.lost);
        sample(&mut text, "bus_received_total", "Events received.", "counter", bus.received);
        for (name, help, value) in [
            ("limits_shared_total", "Requests counted for all nodes.", limits.shared),
            ("limits_alone_total", "Requests counted by this node alone.", limits.alone),
            ("audit_notes_total", "Notes in the audit log.", audit.0),
            ("audit_lost_total", "Notes for the audit log that were given up.", audit.1),
        ] {
            sample(&mut text, name, help, "counter", value);
        }
        self.blobs.render(&mut text);
        self.push.render(&mut text);
        self.render_limited(&mut text);
        self.render_rejects(&mut text);
        self.commit_messages.render(&mut text, "commit_messages", "Messages in one commit.");
        self.commit_seconds.render(&mut text, "commit_seconds", "Duration of a commit.");
        self.send_seconds.render(&mut text, "send_seconds", "From sending to the answer.");
        let help = "From acceptance to a device's socket.";
        self.deliver_seconds.render(&mut text, "deliver_seconds", help);
        text
    }

    fn render_limited(&self, text: &mut String) {
        text.push_str("# HELP sealwire_limited_total Refusals for too many requests, by class.\n");
        text.push_str("# TYPE sealwire_limited_total counter\n");
        for (class, counter) in Class::ALL.iter().zip(&self.limited) {
            let (class, count) = (class.name(), counter.get());
            let _ = writeln!(text, "sealwire_limited_total{{class=\"{class}\"}} {count}");
        }
    }

    fn render_rejects(&self, text: &mut String) {
        text.push_str("# HELP sealwire_rejects_total Refusals by code.\n");
        text.push_str("# TYPE sealwire_rejects_total counter\n");
        for (code, counter) in RejectCode::ALL.iter().zip(&self.rejects) {
            let (code, count) = (code.code(), counter.get());
            let _ = writeln!(text, "sealwire_rejects_total{{code=\"{code}\"}} {count}");
        }
    }
}

pub(crate) fn sample(text: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    // INVARIANT: writing to a String cannot fail.
    let _ = writeln!(text, "# HELP sealwire_{name} {help}");
    let _ = writeln!(text, "# TYPE sealwire_{name} {kind}\nsealwire_{name} {value}");
}

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// One more, until what is returned is dropped.
    #[must_use]
    pub fn enter(&self) -> Entered<'_> {
        self.0.fetch_add(1, Relaxed);
        Entered(self)
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Counted in a [`Gauge`] while it lives.
#[derive(Debug)]
pub struct Entered<'a>(&'a Gauge);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// How often a value fell below each of some bounds.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: [f64; N],
    counts: [AtomicU64; N],
    total: AtomicU64,
    sum_millionths: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// Counts nothing yet; `bounds` are upper ones, rising.
    #[must_use]
    pub fn with_bounds(bounds: [f64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            total: AtomicU64::new(0),
            sum_millionths: AtomicU64::new(0),
        }
    }

    /// Counts a duration, in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.observe(duration.as_secs_f64(), micros);
    }

    /// Counts a number of things.
    pub fn observe_count(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.observe(f64::from(count), u64::from(count).saturating_mul(1_000_000));
    }

    fn observe(&self, value: f64, millionths: u64) {
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            if value <= *bound {
                count.fetch_add(1, Relaxed);
            }
        }
        self.total.fetch_add(1, Relaxed);
        self.sum_millionths.fetch_add(millionths, Relaxed);
    }

    pub(crate) fn render(&self, text: &mut String, name: &str, help: &str) {
        let total = self.total.load(Relaxed);
        let _ = writeln!(text, "# HELP sealwire_{name} {help}\n# TYPE sealwire_{name} histogram");
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            let count = count.load(Relaxed);
            let _ = writeln!(text, "sealwire_{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = Duration::from_micros(self.sum_millionths.load(Relaxed)).as_secs_f64();
        let _ = writeln!(text, "sealwire_{name}_bucket{{le=\"+Inf\"}} {total}");
        let _ = writeln!(text, "sealwire_{name}_sum {sum}\nsealwire_{name}_count {total}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_written_down() {
        let metrics = Metrics::default();
        metrics.accepted.add(3);
        metrics.rejected(RejectCode::NotAMember);
        metrics.commit_messages.observe_count(3);
        let entered = metrics.connections.enter();

        let text = metrics.render(BusHealth::default(), LimitsHealth::default(), (0, 0));
        drop(entered);

        for line in [
            "sealwire_accepted_total 3",
            "sealwire_connections 1",
            "sealwire_rejects_total{code=\"not_a_member\"} 1",
            "sealwire_commit_messages_bucket{le=\"2\"} 0",
            "sealwire_commit_messages_bucket{le=\"4\"} 1",
            "sealwire_commit_messages_sum 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert_eq!(metrics.connections.get(), 0);
    }
}
