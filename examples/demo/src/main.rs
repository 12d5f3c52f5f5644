//! The main job, as it happens: a relay, two people and a group, really encrypted.
//!
//! ```text
//!  cargo run -p demo                     starts a relay of its own, on SQLite, on loopback
//!  cargo run -p demo -- --relay URL      goes to one that somebody else started
//! ```
//!
//! Everything is the product: real sockets, a database on disk, the SDK as an app would use it.
//! It ends with status 0 only if every step did what it says.

mod evidence;
mod person;
mod report;
mod story;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use relay_server::Relay;
use relay_server::clock::SystemClock;
use relay_server::config::Config;

use crate::evidence::Evidence;
use crate::report::Report;

/// Shows Sealwire at work: registers people, exchanges messages, and looks at what the relay kept.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The relay to use, for example http://127.0.0.1:7300; without this, one is started.
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut report = Report::begin();
    match run(&Arguments::parse(), &mut report).await {
        Ok(()) => {
            report.summary();
            ExitCode::SUCCESS
        }
        Err(error) => {
            report.failure(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments, report: &mut Report) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let stores = folder.path().join("devices");
    std::fs::create_dir(&stores)?;
    match &arguments.relay {
        Some(url) => {
            report.step("Relay");
            report.line(&format!("using {url}; what it stores cannot be looked at from here"));
            story::tell(url, &stores, None, report).await
        }
        None => with_own_relay(folder.path(), &stores, report).await,
    }
}

async fn with_own_relay(folder: &Path, stores: &Path, report: &mut Report) -> Outcome<()> {
    report.step("Relay");
    let data = folder.join("relay");
    let mut config = Config::with_data(&data);
    config.listen.set_port(0);
    let relay = Relay::start(config, Arc::new(SystemClock)).await?;
    report.line(&format!(
        "listening on http://{}, SQLite, no configuration, its data in {}",
        relay.address(),
        data.display()
    ));

    let evidence = Evidence::in_folder(&data)?;
    let url = format!("http://{}", relay.address());
    let told = story::tell(&url, stores, Some(&evidence), report).await;
    relay.drain(std::time::Duration::ZERO).await;
    told
}
