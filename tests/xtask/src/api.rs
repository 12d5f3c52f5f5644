//! `cargo xtask api`: rewrites the documents of the relay's interfaces and shows what changed.
//!
//! They are made from the routes and the types of the relay; the relay's own tests write them when
//! `SEALWIRE_VECTORS=write` is set, and compare otherwise.

use std::process::Command;

use crate::command::{cargo, root, run as run_command};
use crate::failure::Failure;

/// Where the documents lie, from the root of the repository.
const FOLDER: &str = "docs/api";

/// Rewrites both, then prints git's view of the folder.
pub(crate) fn run() -> Result<(), Failure> {
    let test = ["test", "--locked", "-p", "relay-server", "--test", "all", "--", "api::"];
    run_command(cargo(test).env("SEALWIRE_VECTORS", "write"))?;
    let diff = ["--no-pager", "diff", "--stat", "--", FOLDER];
    run_command(Command::new("git").current_dir(root()).args(diff))
}
