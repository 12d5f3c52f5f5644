//! `cargo xtask bench`: what the cryptography costs, by the crate's own benchmark.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// Measures in the bench profile; `arguments` go to the benchmark.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["bench", "--locked", "-p", "chat-crypto", "--bench", "*", "--"]);
    run_command(command.args(arguments))
}
