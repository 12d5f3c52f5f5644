//! `cargo xtask mutants`: does any test notice when core or crypto lies?
//!
//! cargo-mutants changes one thing at a time in a copy of the tree and runs the crate's tests; what
//! it changes, and which mutants are excused and why, stands in `.cargo/mutants.toml`.

use std::path::PathBuf;

use crate::command::{cargo, root, run as run_command, say, succeeds};
use crate::failure::Failure;

/// Runs cargo-mutants; `arguments` choose, e.g. `-p chat-core` or `--re padding.rs`;
/// `--file` would only add to what the configuration names.
///
/// # Errors
///
/// [`Failure::Missing`] without cargo-mutants, [`Failure::Command`] when a mutant survives.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if !succeeds(&mut cargo(["mutants", "--version"])) {
        return Err(Failure::Missing(
            "this needs cargo-mutants (`cargo install cargo-mutants --locked`)".to_owned(),
        ));
    }
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("mutants");
    std::fs::create_dir_all(&folder).map_err(Failure::files("cannot make a folder"))?;
    say(&format!("what becomes of each mutant: {}", folder.join("mutants.out").display()));

    let mut command = cargo(["mutants", "--output"]);
    command.arg(folder).args(arguments);
    // Each copy of the tree has a target folder of its own.
    run_command(command.env_remove("CARGO_TARGET_DIR"))
}
