//! `cargo xtask chaos`: what `cargo xtask test` does a little of, for as long as one likes.
//!
//! ```text
//!  network   worlds over a network with faults, fresh seeds     --seeds, --minutes
//!  killed    a client killed while it sends and receives        --kills
//!  crash     a relay killed in a stream of messages             --kills
//!  points    a relay that dies between two steps                --deaths, at each of them
//!  outages   PostgreSQL and Redis killed, cut off, paused       --outages, of each kind
//!  gossip    a bus that loses, doubles and delays                --outages, as many seeds
//!  sluggish  50 consumers that stop reading                      a GiB for them
//! ```
//!
//! A seed that fails is printed; it belongs into `tests/seeds/regress.txt`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::{cargo, say};
use crate::failure::Failure;
use crate::services;

/// How much chaos.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Seeds of the network harness
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// The first seed; a fresh one unless it is said
    #[arg(long)]
    first: Option<u64>,
    /// Minutes after which no further seed is begun
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// How often clients and relays are killed
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// How often a relay dies at each named point
    #[arg(long, default_value_t = 20)]
    deaths: u64,
    /// How often each thing happens to PostgreSQL and Redis; connections are cut ten times as often
    #[arg(long, default_value_t = 20)]
    outages: u64,
    /// Mebibytes for consumers that stop reading
    #[arg(long, default_value_t = 1024)]
    pushed: u64,
    /// Senders, and as many receivers
    #[arg(long, default_value_t = 20)]
    pairs: u64,
}

/// Runs the stories that know more of the same, beside a private PostgreSQL and Redis.
///
/// # Errors
///
/// [`Failure::Command`] with cargo's own exit status when a story fails.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let first = arguments.first.unwrap_or_else(fresh);
    say(&format!("{} seeds from {first:#x}, {} kills", arguments.seeds, arguments.kills));
    let mut command = cargo(["test", "--locked", "-p", "chat-tests", "--test", "all", "--"]);
    command.args(["--nocapture", "--test-threads=1", "network::whatever", "killed::", "crash::"]);
    command.args(["points::", "outages::", "gossip::", "sluggish::", "clocks::", "full_disk::"]);
    command.env("SEALWIRE_CHAOS_FIRST", first.to_string());
    command.env("SEALWIRE_CHAOS_SEEDS", arguments.seeds.to_string());
    command.env("SEALWIRE_CHAOS_MINUTES", arguments.minutes.to_string());
    command.env("SEALWIRE_CHAOS_KILLS", arguments.kills.to_string());
    command.env("SEALWIRE_CHAOS_POINTS", arguments.deaths.to_string());
    command.env("SEALWIRE_CHAOS_RESTARTS", arguments.outages.to_string());
    command.env("SEALWIRE_CHAOS_OUTAGES", arguments.outages.to_string());
    command.env("SEALWIRE_CHAOS_CUTS", (arguments.outages * 10).to_string());
    command.env("SEALWIRE_CHAOS_SLUGGISH", "50");
    command.env("SEALWIRE_CHAOS_PUSHED_MIB", arguments.pushed.to_string());
    command.env("SEALWIRE_CHAOS_PAIRS", arguments.pairs.to_string());
    services::run_beside(&mut command, services::For::Tests)
}

/// A seed that nobody has run, most likely.
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() << 16
}
