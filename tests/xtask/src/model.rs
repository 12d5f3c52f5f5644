//! `cargo xtask model`: the symbolic model of the protocol, checked with Verifpal.
//!
//! ```text
//!  docs/protocol/model/*.vp ──▶ variants ──▶ verifpal ──▶ one verdict a query ──▶ as expected?
//! ```
//!
//! Some variants are weakened on purpose: a check is left out, and an attack is expected. A checker
//! that stopped finding attacks would fail here as one that finds a new one. Why it is this checker
//! is in `docs/adr`, what is modelled in `docs/protocol/model/README.md`.

mod file;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{cargo, not_started, root, run_quietly, say, seconds, tail};
use crate::failure::Failure;
use crate::signals;

use file::Variant;

/// Where the models lie, from the root of the repository.
const FOLDER: &str = "docs/protocol/model";

/// The checker, pinned: verdicts are compared with those of this version.
const VERSION: &str = "1.6.7";

/// How long one model may take. The longest takes seconds; a busy machine is given time.
const TIME_MAX: Duration = Duration::from_secs(300);

/// Checks every model and every variant of it.
///
/// # Errors
///
/// [`Failure::Checks`] naming those that came to another verdict than they should, or what kept
/// the checker from running.
pub(crate) fn run() -> Result<(), Failure> {
    let verifpal = provide()?;
    let place = tempfile::tempdir().map_err(Failure::files("cannot make a folder"))?;
    let mut failed = Vec::new();
    for path in models()? {
        for variant in read(&path)? {
            let started = Instant::now();
            let verdict = check(&verifpal, place.path(), &variant)?;
            signals::raised()?;
            let is_expected = report(&variant, &verdict, started.elapsed());
            if !is_expected {
                failed.push(variant.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Checks(failed.join(", "))) }
}

/// What came of a run: Verifpal's result code (`c0a1`), or why there is none.
type Outcome = Result<String, String>;

/// Prints what came of a variant, and tells whether it is what was expected.
fn report(variant: &Variant, outcome: &Outcome, elapsed: Duration) -> bool {
    let expected: String =
        variant.queries.iter().map(|query| code(&query.asks, query.expected.digit())).collect();
    let is_expected = outcome.as_ref() == Ok(&expected);
    let verdict = if is_expected { "passed" } else { "FAILED" };
    say(&format!("{verdict} {} ({})", variant.name, seconds(elapsed)));
    if let Err(reason) = outcome {
        say(&format!("       {reason}"));
        return false;
    }
    let digits = outcome.iter().flat_map(|code| code.chars().filter(char::is_ascii_digit));
    for (query, digit) in variant.queries.iter().zip(digits) {
        let mark = if digit == query.expected.digit() { ' ' } else { '!' };
        let found = if digit == '0' { "no attack" } else { "attack   " };
        say(&format!("     {mark} {found}  {}: {}", query.asks, query.means));
    }
    is_expected
}

/// A query's letter and digit in Verifpal's result code.
fn code(asks: &str, digit: char) -> String {
    asks.chars().take(1).chain([digit]).collect()
}

fn check(verifpal: &Path, place: &Path, variant: &Variant) -> Result<Outcome, Failure> {
    let file = place.join(format!("{}.vp", variant.name));
    fs::write(&file, &variant.source).map_err(Failure::files("cannot write a model"))?;
    let mut command = Command::new(verifpal);
    command
        .args(["verify", "--quiet", "--result-code", "--sessions", &variant.sessions.to_string()])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| not_started(&command, source))?;
    let passing_on = signals::pass_on_to(&child);
    let (said, hear) = mpsc::channel();
    for pipe in [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>),
    ] {
        let said = said.clone();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut text));
            said.send(text)
        });
    }
    let output =
        hear.recv_timeout(TIME_MAX).and_then(|one| Ok(one + &hear.recv_timeout(TIME_MAX)?));
    if output.is_err() {
        // It may have ended just now, which is as well.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|source| not_started(&command, source))?;
    drop(passing_on);
    Ok(match output {
        Err(_) => Err(format!("it took more than {}", seconds(TIME_MAX))),
        Ok(text) if status.success() => Ok(text.trim().to_owned()),
        Ok(text) => Err(tail(&text)),
    })
}

fn models() -> Result<Vec<PathBuf>, Failure> {
    let folder = root().join(FOLDER);
    let entries = fs::read_dir(folder).map_err(Failure::files(format!("cannot list {FOLDER}")))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "vp"));
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<Variant>, Failure> {
    let model = fs::read_to_string(path).map_err(Failure::files("cannot read a model"))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    file::variants(&name, &model)
        .map_err(|detail| Failure::Step { what: "reading a model".to_owned(), detail })
}

/// Finds the checker where a run before has installed it, or installs it.
fn provide() -> Result<PathBuf, Failure> {
    let place = target()?.join("tools").join(format!("verifpal-{VERSION}"));
    let program = place.join("bin").join(format!("verifpal{}", std::env::consts::EXE_SUFFIX));
    if program.is_file() {
        return Ok(program);
    }
    say(&format!("installing verifpal {VERSION}; this takes some minutes, once"));
    let mut install = cargo(["install", "verifpal", "--version", VERSION, "--locked"]);
    // It asks for a newer Rust than it needs.
    install.args(["--ignore-rust-version", "--no-default-features", "--features", "cli"]);
    // Elsewhere than what cargo builds for us, so that neither waits for the other.
    let build = tempfile::tempdir().map_err(Failure::files("cannot make a folder"))?;
    install.arg("--root").arg(&place).env("CARGO_TARGET_DIR", build.path());
    // Its own profile is slow to build, and the models are small.
    install.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    run_quietly("cargo install verifpal", &mut install)?;
    Ok(program)
}

/// Returns the folder that cargo builds into: this program lies in `target/debug`.
fn target() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(Failure::files("cannot find myself"))?;
    Ok(program.ancestors().nth(2).map_or_else(|| root().join("target"), PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_says_what_is_expected_of_it_and_is_explained() {
        let explanation = fs::read_to_string(root().join(FOLDER).join("README.md")).unwrap();
        let models = models().unwrap();

        assert!(!models.is_empty());
        for path in models {
            let variants = read(&path).unwrap();
            for name in variants.iter().map(|variant| &variant.name) {
                assert!(explanation.contains(&format!("`{name}`")), "README.md: no `{name}`");
            }
        }
    }

    #[test]
    fn every_model_has_a_variant_that_breaks() {
        for path in models().unwrap() {
            let variants = read(&path).unwrap();
            let (model, weakened) = variants.split_first().unwrap();

            let is_weaker = |variant: &Variant| {
                let pairs = variant.queries.iter().zip(&model.queries);
                pairs.into_iter().any(|(query, model)| query.expected != model.expected)
            };
            assert!(!weakened.is_empty() && weakened.iter().any(is_weaker), "{}", model.name);
        }
    }

    #[test]
    fn a_verdict_that_was_not_expected_fails() {
        let model = "// sessions: 1\nqueries[\n// holds: secrecy\nconfidentiality? m\n]\n";
        let variant = file::variants("m", model).unwrap().remove(0);

        assert!(report(&variant, &Ok("c0".to_owned()), Duration::ZERO));
        for outcome in
            [Ok("c1".to_owned()), Ok("a0".to_owned()), Ok(String::new()), Err("late".into())]
        {
            assert!(!report(&variant, &outcome, Duration::ZERO), "{outcome:?}");
        }
    }
}
