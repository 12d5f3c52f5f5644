//! The steady clock: what the system counts since it was started, and nobody can set.
//!
//! Linux and Android say so in files, and count on while the device sleeps. Elsewhere, and where
//! the files may not be read, a boot is this process (in a browser, this worker): then what was left
//! when the app was closed is the most a timer has when it is opened, and the wall clock says the
//! rest.

use std::sync::OnceLock;
use std::time::Duration;

use web_time::Instant;

/// A reading of the steady clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Steady {
    /// Which start of the system; readings of different ones cannot be compared.
    pub boot: [u8; 16],
    /// How long ago that was.
    pub since: Duration,
}

impl Steady {
    /// The reading of this process's system.
    #[must_use]
    pub fn now() -> Self {
        of_system().unwrap_or_else(of_process)
    }

    /// What the same clock shows `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self { since: self.since.saturating_add(by), ..self }
    }

    pub(crate) fn millis(self) -> i64 {
        i64::try_from(self.since.as_millis()).unwrap_or(i64::MAX)
    }
}

fn of_system() -> Option<Steady> {
    static BOOT: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    let boot = (*BOOT.get_or_init(boot_id))?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some(Steady { boot, since: Duration::try_from_secs_f64(seconds).ok()? })
}

fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

fn of_process() -> Steady {
    static BEGAN: OnceLock<(Instant, [u8; 16])> = OnceLock::new();
    let (began, boot) = *BEGAN.get_or_init(|| {
        let mut boot = [0; 16];
        // Without randomness every process is the same boot, whose clock began with it: what is left
        // of a timer is then taken for more than it is, and the wall clock still ends it.
        let _ = getrandom::fill(&mut boot);
        (Instant::now(), boot)
    });
    Steady { boot, since: began.elapsed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_reading_shows_no_less_of_the_same_boot() {
        for read in [Steady::now, of_process] {
            let (first, second) = (read(), read());

            assert_eq!(first.boot, second.boot);
            assert!(second.since >= first.since);
        }
    }
}
