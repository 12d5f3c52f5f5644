//! The relay's command line.
//!
//! `relay-server serve` needs nothing: SQLite, keys and all data are kept in `./sealwire-data`, and
//! it listens on loopback.

mod admin;
mod flags;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use relay_server::audit::verify;
use relay_server::clock::{Clock as _, SystemClock};
use relay_server::config::{Config, Database, without_password};
use relay_server::logging::{self, Format};
use relay_server::operator::OperatorError;
use relay_server::operator::backup::backup;
use relay_server::operator::doctor::{Verdict, examine};
use relay_server::operator::restore::restore;
use relay_server::{Relay, operator};

use crate::admin::AdminCommand;
use crate::flags::Flags;

/// The Sealwire relay: authenticates, stores ciphertext, routes it.
#[derive(Debug, Parser)]
#[command(name = "relay-server", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay.
    Serve(Flags),
    /// Look for what may be wrong: settings, clock, disk, certificate, database, Redis, audit log.
    Doctor(Flags),
    /// Bring the database's schema up to date.
    Migrate(Flags),
    /// Copy everything that the relay keeps into a new folder, also while it runs.
    Backup {
        /// The folder; made for its owner only.
        #[arg(long, value_name = "FOLDER")]
        into: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Bring a backup back, in place of nothing; everybody's devices log in again.
    Restore {
        /// The folder with the backup.
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
        #[command(flatten)]
        flags: Flags,
    },
    /// Read the security audit log, also while the relay runs.
    Audit {
        #[command(subcommand)]
        what: AuditCommand,
    },
    /// Look at workspaces, people and counts, and decide about them.
    Admin {
        #[command(subcommand)]
        what: AdminCommand,
    },
    /// Look at the configuration without running anything.
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Print the last entries, one line of JSON each.
    Tail {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20)]
        entries: u64,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print all entries that are kept, one line of JSON each.
    Export {
        /// Only those after the entry of this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
        #[command(flatten)]
        flags: Flags,
    },
    /// Check that no entry was changed, taken out or cut off.
    Verify {
        /// An anchor that was noted elsewhere, as the other commands print it.
        #[arg(long, value_name = "NUMBER:HASH")]
        anchor: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can be used, naming everything that is wrong with it.
    Check(Flags),
    /// Print the configuration as it would be used, without passwords.
    Print(Flags),
}

#[tokio::main]
async fn main() -> ExitCode {
    let wanted = std::env::var("SEALWIRE_LOG").unwrap_or_else(|_| "info".to_owned());
    let format = std::env::var("SEALWIRE_LOG_FORMAT").map_or(Ok(Format::Text), |it| it.parse());
    match format {
        Ok(format) => logging::start(&wanted, format),
        Err(error) => {
            eprintln!("SEALWIRE_LOG_FORMAT cannot be used: {error}.");
            return ExitCode::FAILURE;
        }
    }
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    match command {
        Command::Serve(flags) => serve(flags.check()?).await,
        Command::Doctor(flags) => {
            let mut output = std::io::stdout().lock();
            match examine(&flags.check()?, SystemClock.now(), &mut output).await? {
                Verdict::Fail => Err("Something needs to be done; see above.".into()),
                Verdict::Ok | Verdict::Warn => Ok(()),
            }
        }
        Command::Migrate(flags) => {
            let schema = operator::migrate(&flags.check()?).await?;
            println!("The schema is at version {schema}.");
            Ok(())
        }
        Command::Backup { into, flags } => {
            let manifest = backup(&flags.check()?, &into, SystemClock.now()).await?;
            let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
            println!("{} files with {bytes} bytes in {}", manifest.files.len(), into.display());
            Ok(())
        }
        Command::Restore { from, flags } => {
            let restored = restore(&flags.check()?, &from, SystemClock.now()).await?;
            print!("{restored}");
            Ok(())
        }
        Command::Audit { what } => audit(what).await,
        Command::Admin { what } => admin::run(what).await,
        Command::Config { what: ConfigCommand::Check(flags) } => {
            flags.check()?;
            println!("The configuration can be used.");
            Ok(())
        }
        Command::Config { what: ConfigCommand::Print(flags) } => {
            print!("{}", flags.explain()?);
            Ok(())
        }
    }
}

async fn audit(what: AuditCommand) -> Result<(), Box<dyn std::error::Error>> {
    let mut output = std::io::stdout().lock();
    match what {
        AuditCommand::Tail { entries, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            operator::tail(&*storage, entries, &mut output).await?;
        }
        AuditCommand::Export { after, flags } => {
            let storage = operator::open(&flags.check()?).await?;
            operator::export(&*storage, after, &mut output).await?;
        }
        AuditCommand::Verify { anchor, flags } => {
            let noted = anchor.as_deref().map(operator::anchor).transpose()?;
            let storage = operator::open(&flags.check()?).await?;
            let end = verify(&*storage, noted).await.map_err(OperatorError::Audit)?;
            writeln!(output, "The audit log is whole. It ends with {}", operator::show(end))?;
        }
    }
    Ok(())
}

async fn serve(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let place = match &config.database {
        Database::Sqlite(path) => format!("SQLite, {}", path.display()),
        Database::Postgres(url) => without_password(url),
    };
    let (node, return_within) = (config.node.clone(), config.operating.return_within());
    let relay = Relay::start(config, Arc::new(SystemClock)).await?;
    say(&format!("Sealwire relay {}", env!("CARGO_PKG_VERSION")));
    say(&format!("  listens on  {}", relay.address()));
    say(&format!("  clients use {}", relay.origin()));
    say(&format!("  data in     {place}"));
    if let Some(node) = node {
        say(&format!("  node        {node}"));
    }
    let why = until_told().await;
    say(&format!("Leaving ({why})."));
    relay.drain(return_within).await;
    Ok(())
}

/// Prints a line, unless nobody listens any more: a relay does not end because its terminal did.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Waits for Ctrl-C or, from whoever runs services, for SIGTERM.
async fn until_told() -> &'static str {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = terminate.recv() => "terminated",
                _ = tokio::signal::ctrl_c() => "interrupted",
            };
        }
    }
    let _ = tokio::signal::ctrl_c().await;
    "interrupted"
}
