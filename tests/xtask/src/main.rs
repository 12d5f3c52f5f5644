//! The task runner: one verb for each thing one does to this repository.
//!
//! ```text
//!  cargo xtask check      formatting, lints, documentation, dependency policy
//!  cargo xtask test       every test, on a private PostgreSQL and Redis
//!  cargo xtask chaos      more of it: faults on the network, kills, for as long as one likes
//!  cargo xtask services   the same two servers, for a command or until Ctrl-C
//!  cargo xtask bench      what the cryptography and the SDK cost
//!  cargo xtask load       what the relay bears
//!  cargo xtask vectors    rewrites the test vectors of the protocol
//!  cargo xtask api        rewrites the documents of the relay's interfaces
//!  cargo xtask api-fuzz   tries whether REST keeps what its document promises
//!  cargo xtask wasm       core, crypto and the SDK for the browser, and their tests there
//!  cargo xtask fuzz       hostile bytes, a minute a target
//!  cargo xtask mutants    whether the tests notice when the code lies
//!  cargo xtask model      checks the symbolic model of the protocol
//!  cargo xtask demo       the main job at work
//! ```
//!
//! `.ci/run` and the workflows call the same verbs, so that a green run here is a green run there.
//! Progress goes to standard error; standard output belongs to the commands that are run.

mod api;
mod bench;
mod chaos;
mod check;
mod command;
mod demo;
mod failure;
mod fuzz;
#[cfg(unix)]
mod instance;
mod load;
mod model;
mod mutants;
mod services;
mod signals;
mod test;
#[cfg(unix)]
mod tools;
mod vectors;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "One verb for each check of this repository")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check formatting, lints, documentation and dependency policy
    Check,
    /// Run every test on a private PostgreSQL and Redis, e.g. `test -- -p relay-server`
    Test {
        /// Arguments for `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Let the network fail and processes be killed, e.g. `chaos --seeds 5000 --minutes 60`
    Chaos(chaos::Arguments),
    /// Start a private PostgreSQL and Redis for a command, or until Ctrl-C
    Services {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Measure the cryptography or the SDK, e.g. `bench sdk`
    Bench {
        /// `crypto` or `sdk`, then arguments for cargo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run the load generator, e.g. `load -- --help`
    Load {
        /// Arguments for the load generator
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Rewrite the protocol's test vectors and show what changed
    Vectors,
    /// Rewrite the documents of the relay's interfaces and show what changed
    Api,
    /// Try whether the relay keeps what its OpenAPI document promises
    ApiFuzz(api::FuzzArguments),
    /// Build core, crypto and the SDK for the browser and run their tests there, e.g. `wasm -- store`
    Wasm {
        /// Arguments for `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Fuzz core and crypto, e.g. `fuzz dialogue --seconds 600 -- -jobs=2`
    Fuzz(fuzz::Arguments),
    /// Run the tests of core and crypto against mutants of them, e.g. `mutants -- -p chat-core`
    Mutants {
        /// Arguments for cargo-mutants
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check the symbolic model of the protocol
    Model,
    /// Show the main job: a relay, two people and a group
    Demo {
        /// Arguments for the demonstration
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let verb = Arguments::parse().verb;
    match signals::listen().and_then(|()| run(verb)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.was_told_already() {
                command::say(&failure.to_string());
            }
            failure.exit_code()
        }
    }
}

fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Check => check::run(),
        Verb::Test { arguments } => test::run(&arguments),
        Verb::Chaos(arguments) => chaos::run(&arguments),
        Verb::Services { command } => services::run(&command),
        Verb::Bench { arguments } => bench::run(&arguments),
        Verb::Load { arguments } => load::run(&arguments),
        Verb::Vectors => vectors::run(),
        Verb::Api => api::run(),
        Verb::ApiFuzz(arguments) => api::fuzz(&arguments),
        Verb::Fuzz(arguments) => fuzz::run(&arguments),
        Verb::Mutants { arguments } => mutants::run(&arguments),
        Verb::Wasm { arguments } => wasm::run(&arguments),
        Verb::Model => model::run(),
        Verb::Demo { arguments } => demo::run(&arguments),
    }
}
