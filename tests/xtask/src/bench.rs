//! `cargo xtask bench`: what the cryptography costs, by the crate's own benchmarks.
//!
//! `bench` and `bench crypto` are the same; what follows goes to cargo, so that
//! `bench crypto --features chat-crypto/aws-lc` measures the faster provider.

use crate::command::{cargo, run as run_command};
use crate::failure::Failure;

/// Measures in the bench profile; `arguments` go to `cargo bench`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let arguments = match arguments {
        [what, rest @ ..] if what == "crypto" => rest,
        all => all,
    };
    let mut command = cargo(["bench", "--locked", "-p", "chat-crypto", "--bench", "*"]);
    run_command(command.args(arguments))
}
