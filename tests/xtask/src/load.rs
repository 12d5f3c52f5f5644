//! `cargo xtask load`: what the relay bears. The load generator is a program of its own, so that
//! it shares no runtime with the relay it measures.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;
use crate::services;

/// Builds the load generator for release and runs it with `arguments`, beside a private PostgreSQL
/// and Redis if they ask for nodes on these.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--release", "--locked", "-p", "load", "--"]);
    command.args(arguments);
    let is_flag = |argument: &String| argument == "--cluster" || argument.starts_with("--nodes");
    match arguments.iter().any(is_flag) {
        true => services::run_beside(&mut command, services::For::Anything),
        false => run_command(&mut command),
    }
}
