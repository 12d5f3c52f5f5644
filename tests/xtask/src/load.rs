//! `cargo xtask load`: what the relay bears. The load generator is a program of its own, so that
//! it shares no runtime with the relay it measures.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// Builds the load generator for release and runs it with `arguments`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--release", "--locked", "-p", "load", "--"]);
    run_command(command.args(arguments))
}
