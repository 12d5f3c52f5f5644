//! What the machine is like while it measures: what a flush costs it, and what a process has used.

use std::io::Write as _;
use std::time::Instant;

use crate::Outcome;

/// Flushes that are timed.
const FLUSHES: usize = 33;

/// How long a flush of a small write takes at the median, in microseconds. Every durable figure
/// goes by this, and it differs by a factor of fifty between one hour and another.
pub(crate) fn flush_micros() -> Outcome<u64> {
    let mut file = tempfile::tempfile()?;
    let mut taken = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        taken.push(u64::try_from(began.elapsed().as_micros())?);
    }
    taken.sort_unstable();
    Ok(taken.get(FLUSHES / 2).copied().unwrap_or_default())
}

/// The memory that a process has in use, in KiB, where the system tells.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The processor time that a process has used, in microseconds, where the system tells.
pub(crate) fn processor_micros(process: u32) -> Option<u64> {
    /// What the times are counted in on every Linux: hundredths of a second.
    const MICROS_A_TICK: u64 = 10_000;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name may hold anything and ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * MICROS_A_TICK)
}

/// Lets this process and those it starts have as many files and sockets open as they may.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Who may not raise it has what it has; a load that needs more says so when it fails.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
