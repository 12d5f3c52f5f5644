//! `cargo xtask load`: what the relay bears. The load generator is a program of its own, so that
//! it shares no runtime with the relay it measures.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{cargo, root, run as run_command};
use crate::failure::Failure;
use crate::services;

/// Both at once: built one after the other, each would have the libraries compiled with features of
/// its own.
const BUILD: [&str; 8] =
    ["build", "--release", "--locked", "--bins", "-p", "load", "-p", "relay-server"];

/// Builds the load generator and the relay for release and runs the former with `arguments`, beside
/// a private PostgreSQL and Redis if they ask for nodes on these.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    run_command(&mut cargo(BUILD))?;
    let mut command = Command::new(built("load")?);
    command.current_dir(root()).args(arguments);
    let is_flag = |argument: &String| argument == "--cluster" || argument.starts_with("--nodes");
    match arguments.iter().any(is_flag) {
        true => services::run_beside(&mut command, services::For::Anything),
        false => run_command(&mut command),
    }
}

/// Where a program is after it was built for release: beside the profile that this one is in.
fn built(program: &str) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(Failure::files("cannot find myself"))?;
    let profiles = own.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
    Ok(profiles.join("release").join(format!("{program}{EXE_SUFFIX}")))
}
