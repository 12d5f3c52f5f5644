//! `cargo xtask demo`: the main job, at work.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// Runs the demonstration with `arguments`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--locked", "-p", "demo", "--"]);
    run_command(command.args(arguments))
}
