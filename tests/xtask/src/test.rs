//! `cargo xtask test`: every test, those on PostgreSQL and Redis too.
//!
//! The tests learn where the servers are from the environment (see [`crate::services`]) and each
//! makes a database of its own, so that they run side by side.

use crate::command::cargo;
use crate::failure::Failure;
use crate::services;

/// Runs `cargo test` with `arguments` beside a private PostgreSQL and Redis; a failure in one crate
/// hides none in the others.
///
/// # Errors
///
/// [`Failure::Command`] with cargo's own exit status when a test fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let mut command = cargo(["test", "--locked", "--no-fail-fast"]);
    if !names_packages(arguments) {
        command.arg("--workspace");
    }
    services::run_beside(command.args(arguments), services::For::Tests)
}

/// Tells whether `arguments` choose packages: cargo would otherwise ignore the choice and test all.
fn names_packages(arguments: &[String]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(arguments: &[&str]) -> bool {
        names_packages(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_chosen_package_replaces_the_workspace() {
        assert!(named(&["-p", "xtask"]));
        assert!(named(&["-pxtask"]));
        assert!(named(&["--package=xtask"]));
    }

    #[test]
    fn the_test_binarys_own_arguments_choose_no_package() {
        assert!(!named(&["storage", "--", "-p"]));
        assert!(!named(&[]));
    }
}
