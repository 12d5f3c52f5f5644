//! The report: one figure a line to read, the same as JSON to compare, and a picture.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::nodes::Nodes;
use crate::{Outcome, machine, plot};

/// Latencies in microseconds, to three digits, up to a minute.
pub(crate) type Latencies = Histogram<u64>;

pub(crate) fn latencies() -> Outcome<Latencies> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// What a run has shown.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    stand: String,
    cores: usize,
    /// Of a small write, at the median, before the run.
    flush_micros: u64,
    figures: Vec<Figure>,
    distributions: Vec<Distribution>,
    seconds: Vec<Second>,
}

/// A count or a quantity.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
}

/// A distribution of latencies, in microseconds.
#[derive(Debug, Serialize)]
struct Distribution {
    what: String,
    count: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

/// What was due in one second of a run, and how long it took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Second {
    pub(crate) second: u64,
    pub(crate) delivered: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

impl Report {
    pub(crate) fn begin(scenario: &'static str, nodes: &Nodes) -> Outcome<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (stand, flush_micros) = (nodes.stand(), machine::flush_micros()?);
        println!("{scenario}: {stand}; {cores} cores, a flush takes {flush_micros} µs");
        let (figures, distributions, seconds) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { scenario, stand, cores, flush_micros, figures, distributions, seconds })
    }

    /// Adds a count or quantity.
    pub(crate) fn figure(&mut self, what: impl Display, value: f64, unit: &'static str) {
        let what = what.to_string();
        let digits = if value.fract() == 0.0 { 0 } else { 2 };
        println!("  {what:<34}{value:>12.digits$} {unit}");
        self.figures.push(Figure { what, value, unit });
    }

    /// Adds a distribution.
    pub(crate) fn distribution(&mut self, what: impl Display, latencies: &Latencies) {
        let at = |quantile| latencies.value_at_quantile(quantile);
        let shown = Distribution {
            what: what.to_string(),
            count: latencies.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max(),
        };
        let [p50, p99, max] = [shown.p50, shown.p99, shown.max].map(milliseconds);
        println!("  {:<34}p50 {p50}  p99 {p99}  max {max} ms  ({})", shown.what, shown.count);
        self.distributions.push(shown);
    }

    /// How it went, second by second.
    pub(crate) fn seconds(&mut self, seconds: Vec<Second>) {
        self.seconds = seconds;
    }

    /// Adds what each of `connections` weighs, where the nodes are ours.
    pub(crate) fn memory(&mut self, before: Option<u64>, after: Option<u64>, connections: usize) {
        let (Some(before), Some(after)) = (before, after) else { return };
        self.figure("memory before", approximate(before), "KiB");
        self.figure("memory after", approximate(after), "KiB");
        let grown = approximate(after.saturating_sub(before));
        self.figure("a connection", grown / approximate(connections.max(1)), "KiB");
    }

    /// Adds the processor time of a delivered message, where the nodes are ours.
    pub(crate) fn processor(&mut self, before: Option<u64>, after: Option<u64>, messages: u64) {
        let (Some(before), Some(after)) = (before, after) else { return };
        let used = approximate(after.saturating_sub(before));
        self.figure("processor time a message", used / approximate(messages.max(1)), "µs");
    }

    /// Writes the report and its picture into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.json", self.scenario));
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        println!("  report: {}", path.display());
        if !self.seconds.is_empty() {
            let path = folder.join(format!("{}.svg", self.scenario));
            fs::write(&path, plot::svg(self.scenario, &self.stand, &self.seconds)?)?;
            println!("  picture: {}", path.display());
        }
        Ok(())
    }
}

/// A count as a number that is reckoned with; none here is beyond what that holds exactly.
pub(crate) fn approximate<T: TryInto<u32>>(count: T) -> f64 {
    count.try_into().map_or(f64::MAX, f64::from)
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
}
