//! Running other programs from the root of the repository.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::failure::Failure;
use crate::signals;

/// Prints one line of progress.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Formats a duration for a progress line: `0.4 s`.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// Returns the root of the repository.
///
/// Cargo says at run time where this crate lies, so that a moved clone needs no rebuild.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.ancestors().nth(2).map_or_else(|| here.clone(), PathBuf::from)
}

/// Prepares the cargo that runs us, in the root of the repository.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Runs `command` on our own standard streams and passes signals on to it.
///
/// # Errors
///
/// [`Failure::Command`] with its exit status unless that is 0.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let mut child = command.spawn().map_err(|source| not_started(command, source))?;
    let passing_on = signals::pass_on_to(&child);
    let status = child.wait().map_err(|source| not_started(command, source))?;
    drop(passing_on);
    if status.success() { Ok(()) } else { Err(Failure::Command(status)) }
}

/// Runs `command` quietly and returns what it printed.
///
/// # Errors
///
/// [`Failure::Step`] with the end of its output unless it exits with 0, or
/// [`Failure::Interrupted`] if a signal was the reason.
#[cfg_attr(not(unix), allow(dead_code, reason = "only the servers' set-up runs things quietly"))]
pub(crate) fn run_quietly(what: &str, command: &mut Command) -> Result<Output, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|source| not_started(command, source))?;
    let passing_on = signals::pass_on_to(&child);
    let output = child.wait_with_output().map_err(|source| not_started(command, source))?;
    drop(passing_on);
    if output.status.success() {
        return Ok(output);
    }
    signals::raised()?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(Failure::Step { what: what.to_owned(), detail: tail(&said) })
}

/// Tells whether `command` runs and exits with 0, whatever it prints.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Names the program that `command` could not run.
pub(crate) fn not_started(command: &Command, source: std::io::Error) -> Failure {
    Failure::NotStarted { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// Keeps the last lines of what a program said, for an error.
pub(crate) fn tail(said: &str) -> String {
    const LINES_MAX: usize = 15;
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let first = lines.len().saturating_sub(LINES_MAX);
    lines.iter().skip(first).map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();

        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn a_long_complaint_keeps_its_end() {
        let said: String = (0..100).map(|line| format!("line {line}\n")).collect();

        let kept = tail(&said);

        assert!(kept.ends_with("line 99"));
        assert!(!kept.contains("line 84\n"));
    }
}
