//! What is printed: one figure a line.

use hdrhistogram::Histogram;

use crate::Outcome;

/// Latencies in microseconds, to three digits, up to a minute.
pub(crate) type Latencies = Histogram<u64>;

pub(crate) fn latencies() -> Outcome<Latencies> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Prints a line.
pub(crate) fn say(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<12}{figure}");
}

/// Prints a distribution in milliseconds.
pub(crate) fn distribution(what: &str, latencies: &Latencies) {
    let [p50, p99, max] =
        [latencies.value_at_quantile(0.5), latencies.value_at_quantile(0.99), latencies.max()]
            .map(milliseconds);
    say(what, format!("p50 {p50}   p99 {p99}   max {max}   ({} messages)", latencies.len()));
}

/// Prints what connections weigh, where the relay is ours.
pub(crate) fn memory(before: Option<u64>, after: Option<u64>, connections: usize) {
    let (Some(before), Some(after)) = (before, after) else {
        return say("memory", "not known: the relay is not ours");
    };
    let grown = after.saturating_sub(before);
    let connections = u64::try_from(connections).unwrap_or(u64::MAX).max(1);
    let each = format!("{}.{}", grown / connections, grown % connections * 10 / connections);
    say("memory", format!("{before} KiB before, {after} KiB after: {each} KiB a connection"));
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}
