//! The load generator: what a relay bears, measured over its real protocol.
//!
//! ```text
//!  load ──spawns──▶ relay-server × nodes, processes of their own    (or --relay URL: somebody's)
//!    │ people: the SDK registers accounts, opens conversations, seals one message each
//!    │ then only wires: frames with those envelopes under new message ids, on an open loop
//!    └ report: counts, latencies from the moment a message was due, memory, processor time
//! ```
//!
//! Nothing is sealed while measuring: ciphertext is repeated under new ids, which the relay cannot
//! tell. Generator and relay share the machine; on few cores both figures say so. Every scenario
//! ends by itself.

mod acts;
mod backlog;
mod channel;
mod expiry;
mod idle;
mod machine;
mod nodes;
mod people;
mod plot;
mod profile;
mod report;
mod storm;
mod traffic;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::nodes::{Nodes, Stand};
use crate::profile::{Phase, Profile};
use crate::report::Report;

/// Whatever goes wrong ends the program with its sentence.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "load", about = "Measures what a relay bears")]
struct Cli {
    /// A relay that runs already, with its limits raised; without this, one is started.
    #[arg(long, value_name = "URL", global = true)]
    relay: Option<String>,
    /// Nodes to start; more than one share a PostgreSQL and a Redis that are started for them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8), global = true)]
    nodes: u8,
    /// PostgreSQL and Redis also for a single node [default: SQLite in a temporary folder].
    #[arg(long, global = true)]
    cluster: bool,
    /// Where the report goes as JSON and its picture as SVG.
    #[arg(long, value_name = "FOLDER", default_value = "target/load", global = true)]
    out: PathBuf,
    #[command(subcommand)]
    scenario: Option<Scenario>,
}

#[derive(Clone, Debug, Subcommand)]
enum Scenario {
    /// Messages at a steady rate, each from one device to another.
    Sustained {
        /// Open connections; half of them send.
        #[arg(long, default_value_t = 200)]
        connections: u32,
        /// Messages a second, over all senders.
        #[arg(long, default_value_t = 2_000)]
        rate: u32,
        /// How long, in seconds.
        #[arg(long, default_value_t = 15)]
        seconds: u32,
        /// Bytes of text in a message.
        #[arg(long, default_value_t = 1_024)]
        payload: usize,
    },
    /// A rate that rises step by step, for a few seconds each.
    Ramp {
        /// Open connections; half of them send.
        #[arg(long, default_value_t = 200)]
        connections: u32,
        /// The rates, in messages a second.
        #[arg(long, value_delimiter = ',', default_value = "1000,2000,4000,8000,12000,16000")]
        rates: Vec<u32>,
        /// How long each lasts, in seconds.
        #[arg(long, default_value_t = 5)]
        seconds: u32,
    },
    /// A rate that jumps, and falls back.
    Spike {
        /// Open connections; half of them send.
        #[arg(long, default_value_t = 200)]
        connections: u32,
        /// Messages a second before and after.
        #[arg(long, default_value_t = 2_000)]
        rate: u32,
        /// Messages a second in between.
        #[arg(long, default_value_t = 10_000)]
        peak: u32,
        /// How long each of the three lasts, in seconds.
        #[arg(long, default_value_t = 5)]
        seconds: u32,
    },
    /// A moderate rate for long: whether latency and memory stay where they are.
    Soak {
        /// Open connections; half of them send.
        #[arg(long, default_value_t = 200)]
        connections: u32,
        /// Messages a second.
        #[arg(long, default_value_t = 1_000)]
        rate: u32,
        /// How long, in minutes.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
    /// Devices that are connected and say nothing.
    Connections {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        connections: u32,
        /// Over TLS.
        #[arg(long)]
        tls: bool,
    },
    /// Everybody is connected, the nodes are killed and started again, and everybody comes back.
    Storm {
        /// How many devices.
        #[arg(long, default_value_t = 2_000)]
        connections: u32,
    },
    /// One channel that somebody writes to and everybody reads.
    Channel {
        /// Members beside the one who writes; they join all at once, and so are fewer than 1 000.
        #[arg(long, default_value_t = 999)]
        members: u32,
        /// Messages a second.
        #[arg(long, default_value_t = 5)]
        rate: u32,
        /// How long, in seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// Single acts, one at a time: connecting, a message, typing, presence, a page of history.
    Acts {
        /// How often each.
        #[arg(long, default_value_t = 200)]
        times: u32,
    },
    /// Messages that waited for devices which were away.
    Backlog {
        /// How many devices were away.
        #[arg(long, default_value_t = 50)]
        devices: u32,
        /// How many messages wait for each.
        #[arg(long, default_value_t = 1_000)]
        messages: u32,
    },
    /// Messages whose time is over all at once, while others are delivered.
    Expiry(expiry::Plan),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Outcome<()> {
    let mut nodes = match &cli.relay {
        Some(url) => Nodes::elsewhere(url.clone()),
        None => Nodes::start(Stand::of(cli.nodes, cli.cluster)?).await?,
    };
    let standard =
        Scenario::Sustained { connections: 200, rate: 2_000, seconds: 15, payload: 1_024 };
    let scenario = cli.scenario.unwrap_or(standard);
    let mut report = Report::begin(scenario.name(), &nodes)?;
    let outcome = scenario.run(&mut nodes, &mut report).await;
    report.write(&cli.out)?;
    outcome
}

impl Scenario {
    fn name(&self) -> &'static str {
        match self {
            Self::Sustained { .. } => "sustained",
            Self::Ramp { .. } => "ramp",
            Self::Spike { .. } => "spike",
            Self::Soak { .. } => "soak",
            Self::Connections { .. } => "connections",
            Self::Storm { .. } => "storm",
            Self::Channel { .. } => "channel",
            Self::Acts { .. } => "acts",
            Self::Backlog { .. } => "backlog",
            Self::Expiry(_) => "expiry",
        }
    }

    async fn run(self, nodes: &mut Nodes, report: &mut Report) -> Outcome<()> {
        let steady = |rate, seconds| Profile::of([Phase { rate, seconds }]);
        match self {
            Self::Sustained { connections, rate, seconds, payload } => {
                traffic::run(nodes, report, connections, &steady(rate, seconds), payload).await
            }
            Self::Ramp { connections, rates, seconds } => {
                let steps = rates.into_iter().map(|rate| Phase { rate, seconds });
                traffic::run(nodes, report, connections, &Profile::of(steps), 1_024).await
            }
            Self::Spike { connections, rate, peak, seconds } => {
                let phases = [rate, peak, rate].map(|rate| Phase { rate, seconds });
                traffic::run(nodes, report, connections, &Profile::of(phases), 1_024).await
            }
            Self::Soak { connections, rate, minutes } => {
                traffic::run(nodes, report, connections, &steady(rate, minutes * 60), 1_024).await
            }
            Self::Connections { connections, tls } => {
                idle::run(nodes, report, connections, tls).await
            }
            Self::Storm { connections } => storm::run(nodes, report, connections).await,
            Self::Channel { members, rate, seconds } => {
                channel::run(nodes, report, members, &steady(rate, seconds)).await
            }
            Self::Acts { times } => acts::run(nodes, report, times).await,
            Self::Backlog { devices, messages } => {
                backlog::run(nodes, report, devices, messages).await
            }
            Self::Expiry(plan) => expiry::run(nodes, report, plan).await,
        }
    }
}
