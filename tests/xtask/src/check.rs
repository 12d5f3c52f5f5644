//! `cargo xtask check`: formatting, lints, documentation, dependency policy.
//!
//! Every check runs, whatever became of the one before, and the verdicts stand together at the
//! end. A check whose tool is missing is skipped, and said so: a toolchain without clippy must be
//! able to build and test.

use std::path::PathBuf;
use std::time::Instant;

use crate::command::{cargo, run as run_command, say, seconds, succeeds};
use crate::failure::Failure;
use crate::signals;

/// What became of a check.
enum Verdict {
    Passed,
    Failed,
    /// It did not run; the sentence says what is missing.
    Skipped(&'static str),
}

/// A name and how to come to a verdict.
type Check = (&'static str, fn() -> Verdict);

const CHECKS: [Check; 6] = [
    ("formatting", formatting),
    ("lints", lints),
    ("lints of the relay without its features", lints_of_the_relay),
    ("documentation", documentation),
    ("licences, bans, sources", dependencies),
    ("advisories", advisories),
];

/// Runs every check.
///
/// # Errors
///
/// [`Failure::Checks`] naming those that failed.
pub(crate) fn run() -> Result<(), Failure> {
    let mut failed = Vec::new();
    let mut verdicts = Vec::new();
    for (name, check) in CHECKS {
        say(&format!("checking {name}"));
        let started = Instant::now();
        let verdict = check();
        signals::raised()?;
        let elapsed = seconds(started.elapsed());
        verdicts.push(match verdict {
            Verdict::Passed => format!("  passed   {name} ({elapsed})"),
            Verdict::Failed => {
                failed.push(name);
                format!("  FAILED   {name} ({elapsed})")
            }
            Verdict::Skipped(reason) => format!("  SKIPPED  {name}: {reason}"),
        });
    }
    verdicts.iter().for_each(|verdict| say(verdict));
    if failed.is_empty() { Ok(()) } else { Err(Failure::Checks(failed.join(", "))) }
}

fn formatting() -> Verdict {
    if !succeeds(&mut cargo(["fmt", "--version"])) {
        return Verdict::Skipped("rustfmt is not installed (`rustup component add rustfmt`)");
    }
    verdict_of(&["fmt", "--all", "--check"])
}

fn lints() -> Verdict {
    if !succeeds(&mut cargo(["clippy", "--version"])) {
        return Verdict::Skipped("clippy is not installed (`rustup component add clippy`)");
    }
    verdict_of(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

/// The tests bring every feature of the relay; who builds it alone has none.
fn lints_of_the_relay() -> Verdict {
    if !succeeds(&mut cargo(["clippy", "--version"])) {
        return Verdict::Skipped("clippy is not installed (`rustup component add clippy`)");
    }
    verdict_of(&[
        "clippy",
        "-p",
        "relay-server",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ])
}

fn documentation() -> Verdict {
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--locked"]);
    let outcome = run_command(command.env("RUSTDOCFLAGS", format!("{flags} -D warnings")));
    verdict(outcome)
}

fn dependencies() -> Verdict {
    if !has_cargo_deny() {
        return Verdict::Skipped("cargo-deny is not installed (`cargo install cargo-deny`)");
    }
    verdict_of(&["deny", "--locked", "check", "licenses", "bans", "sources"])
}

fn advisories() -> Verdict {
    if !has_cargo_deny() {
        return Verdict::Skipped("cargo-deny is not installed (`cargo install cargo-deny`)");
    }
    if !has_advisories() {
        return Verdict::Skipped("there is no advisory database (`cargo deny fetch db`)");
    }
    verdict_of(&["deny", "--locked", "--offline", "check", "advisories"])
}

fn has_cargo_deny() -> bool {
    succeeds(&mut cargo(["deny", "--version"]))
}

/// Tells whether cargo-deny's database was fetched before, which is the only way we use it.
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok())
        .is_some_and(|mut databases| databases.next().is_some())
}

fn verdict_of(arguments: &[&str]) -> Verdict {
    verdict(run_command(&mut cargo(arguments.iter().copied())))
}

fn verdict(outcome: Result<(), Failure>) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Passed,
        Err(failure) => {
            if !failure.was_told_already() {
                say(&failure.to_string());
            }
            Verdict::Failed
        }
    }
}
