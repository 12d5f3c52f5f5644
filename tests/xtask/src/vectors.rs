//! `cargo xtask vectors`: rewrites the protocol's test vectors and shows what changed.
//!
//! The vectors' own tests write them when `SEALWIRE_VECTORS=write` is set, and compare otherwise.
//! A difference here is a change of the protocol: it needs a decision record and a version.

use std::process::Command;

use crate::command::{cargo, root, run as run_command, say};
use crate::failure::Failure;

/// Where the vectors lie, from the root of the repository.
const FOLDER: &str = "docs/protocol/vectors";

/// Rewrites every vector, then prints git's view of the folder.
pub(crate) fn run() -> Result<(), Failure> {
    let mut writing = cargo(["test", "--locked", "-p", "chat-core", "-p", "chat-crypto"]);
    run_command(writing.env("SEALWIRE_VECTORS", "write"))?;

    let written = std::fs::read_dir(root().join(FOLDER)).map_or(0, Iterator::count);
    if written == 0 {
        return Err(Failure::Step {
            what: "writing the vectors".to_owned(),
            detail: format!("the tests passed, but {FOLDER} is empty"),
        });
    }
    say(&format!("{written} files in {FOLDER}; what changed:"));
    git(&["--no-pager", "diff", "--stat", "--", FOLDER])?;
    git(&["--no-pager", "status", "--short", "--", FOLDER])
}

fn git(arguments: &[&str]) -> Result<(), Failure> {
    run_command(Command::new("git").current_dir(root()).args(arguments))
}
