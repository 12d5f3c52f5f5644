//! `cargo xtask demo`: the quickstart.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// Runs the quickstart with `arguments`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--locked", "-p", "quickstart", "--"]);
    run_command(command.args(arguments))
}
