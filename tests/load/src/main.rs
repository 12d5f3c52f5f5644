//! The load generator: what a relay bears, measured over its real protocol.
//!
//! ```text
//!  load ──spawns──▶ relay-server, a process of its own      (or --relay URL: somebody else's)
//!    │ people: the SDK registers accounts, opens conversations, seals one message each
//!    │ then only links: frames with those envelopes under new message ids, on an open loop
//!    └ report: counts, latencies from the moment a message was due, memory a connection
//! ```
//!
//! Nothing is sealed while measuring: ciphertext is repeated under new ids, which the relay cannot
//! tell. Generator and relay share the machine; on few cores both figures say so.

mod connections;
mod people;
mod relay;
mod report;
mod sustained;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::relay::Relay;

/// Whatever goes wrong ends the program with its sentence.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "load", about = "Measures what a relay bears")]
struct Cli {
    /// A relay that runs already, with its limits raised; without this, one is built and started.
    #[arg(long, value_name = "URL", global = true)]
    relay: Option<String>,
    /// The database of the relay that is started [default: SQLite in a temporary folder].
    #[arg(long, value_name = "URL", global = true)]
    database: Option<String>,
    #[command(subcommand)]
    scenario: Option<Scenario>,
}

#[derive(Clone, Debug, Subcommand)]
enum Scenario {
    /// Messages at a steady rate, each from one device to another.
    Sustained {
        /// Open connections; half of them send.
        #[arg(long, default_value_t = 200)]
        connections: usize,
        /// Messages a second, over all senders.
        #[arg(long, default_value_t = 2_000)]
        rate: u32,
        /// How long, in seconds.
        #[arg(long, default_value_t = 15)]
        seconds: u64,
        /// Bytes of text in a message.
        #[arg(long, default_value_t = 1_024)]
        payload: usize,
    },
    /// Devices that are connected and say nothing.
    Connections {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        connections: usize,
    },
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
    let standard =
        Scenario::Sustained { connections: 200, rate: 2_000, seconds: 15, payload: 1_024 };
    let relay = match cli.relay {
        Some(url) => Relay::elsewhere(url),
        None => Relay::start(cli.database.as_deref()).await?,
    };
    match cli.scenario.unwrap_or(standard) {
        Scenario::Sustained { connections, rate, seconds, payload } => {
            let duration = Duration::from_secs(seconds);
            sustained::run(&relay, connections, rate, duration, payload).await
        }
        Scenario::Connections { connections } => connections::run(&relay, connections).await,
    }
}
