//! Rows of figures: ours, vodozemac's from the same run, the ratio of the two, and the aim.

use std::time::Duration;

/// Begins a table.
pub(crate) fn head(title: &str) {
    println!("\n{title:<50}{:>12}{:>12}{:>8}{:>12}", "sealwire", "vodozemac", "ratio", "aim");
}

/// A time; the aim in microseconds.
pub(crate) fn time(name: &str, ours: Duration, theirs: Option<Duration>, aim: Option<f64>) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let shown = |micros: f64| format!("{micros:.1} µs");
    row(name, micros(ours), theirs.map(micros), aim, shown);
}

/// A number of bytes.
#[allow(dead_code, reason = "one of the benchmarks measures no bytes")]
pub(crate) fn bytes(name: &str, ours: usize, theirs: Option<usize>, aim: Option<usize>) {
    let number = |bytes: usize| bytes as f64;
    let shown = |bytes: f64| format!("{bytes:.0} B");
    row(name, number(ours), theirs.map(number), aim.map(number), shown);
}

fn row(
    name: &str,
    ours: f64,
    theirs: Option<f64>,
    aim: Option<f64>,
    shown: impl Fn(f64) -> String,
) {
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    let ratio = or_none(theirs.map(|theirs| format!("{:.2}", ours / theirs)));
    let theirs = or_none(theirs.map(&shown));
    let aim = aim.map(|aim| format!("{} {}", if ours <= aim { "≤" } else { "!" }, shown(aim)));
    println!("{name:<50}{:>12}{theirs:>12}{ratio:>8}{:>12}", shown(ours), or_none(aim));
}
