//! `cargo xtask fuzz`: libFuzzer on the targets of tests/fuzz, a minute each unless told otherwise.
//!
//! ```text
//!  seeds ─┐
//!  corpus ┼─▶ libFuzzer ─▶ found/<target>    in the target folder, kept from run to run
//!         │       └──────▶ corpus/<target>/crash-…   a finding: the replay test fails from now on
//!         └── few inputs that reach as much ◀─ corpus and found
//! ```
//!
//! Built with the nightly compiler: coverage of every edge, addresses checked, assertions on. What
//! the flags are is what cargo-fuzz uses; `cargo +nightly fuzz run --fuzz-dir tests/fuzz --features
//! libfuzzer <target>` does the same where it is installed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{root, run as run_command, run_quietly, say, succeeds};
use crate::failure::Failure;

/// Where targets, seeds and corpora are.
const FOLDER: &str = "tests/fuzz";

/// What libFuzzer needs of the compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares \
                     -Zsanitizer=address -Ccodegen-units=1 -Cdebug-assertions";

/// The longest input that is tried, in bytes; longer seeds are tried as they are.
const LENGTH_MAX: usize = 4096;

/// What the caller chose.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The target; all of them if none is named
    target: Option<String>,
    /// How long each target is tried
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Arguments for libFuzzer
    #[arg(last = true)]
    libfuzzer: Vec<String>,
}

/// Tries the chosen target, or every one, then keeps what was found.
///
/// # Errors
///
/// [`Failure::Missing`] without a nightly compiler, [`Failure::Checks`] naming the targets with a
/// finding.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let every = targets()?;
    let chosen = match &arguments.target {
        None => every,
        Some(target) if every.contains(target) => vec![target.clone()],
        Some(target) => {
            let all = every.join(", ");
            return Err(Failure::Missing(format!("there is no target {target}; there are {all}")));
        }
    };
    let machine = host()?;
    say("building the targets with the nightly compiler");
    let folder = target_folder();
    run_command(&mut build(&machine, &folder))?;
    write_seeds(&folder)?;

    let programs = folder.join(&machine).join("release");
    let mut with_findings = Vec::new();
    for target in chosen {
        say(&format!("trying {target} for {} s", arguments.seconds));
        let place = Place::of(&target, &folder, &programs);
        if place.fuzz(arguments).is_err() {
            crate::signals::raised()?;
            with_findings.push(target);
            continue;
        }
        place.minimise()?;
    }
    if with_findings.is_empty() { Ok(()) } else { Err(Failure::Checks(with_findings.join(", "))) }
}

/// Where the things of one target are.
struct Place {
    program: PathBuf,
    corpus: PathBuf,
    found: PathBuf,
    seeds: PathBuf,
}

impl Place {
    fn of(target: &str, folder: &Path, programs: &Path) -> Self {
        Self {
            program: programs.join(target),
            corpus: root().join(FOLDER).join("corpus").join(target),
            found: folder.join("found").join(target),
            seeds: folder.join("seeds").join(target),
        }
    }

    fn fuzz(&self, arguments: &Arguments) -> Result<(), Failure> {
        for folder in [&self.corpus, &self.found] {
            make_folder(folder)?;
        }
        let mut findings = OsString::from("-artifact_prefix=");
        findings.push(&self.corpus);
        findings.push("/");
        let mut command = Command::new(&self.program);
        command
            .current_dir(root())
            .args([&self.found, &self.corpus, &self.seeds])
            .arg(findings)
            .arg(format!("-max_total_time={}", arguments.seconds))
            .arg(format!("-max_len={LENGTH_MAX}"))
            .args([
                "-timeout=20",
                "-rss_limit_mb=2048",
                "-print_funcs=0",
                "-print_final_stats=1",
                "-verbosity=0",
            ])
            .args(&arguments.libfuzzer);
        run_command(&mut command)
    }

    /// Replaces the corpus by the smallest set of inputs that reaches everything known.
    fn minimise(&self) -> Result<(), Failure> {
        let smallest = self.found.with_extension("smallest");
        let _ = fs::remove_dir_all(&smallest);
        make_folder(&smallest)?;
        let mut merge = Command::new(&self.program);
        merge.arg("-set_cover_merge=1").arg(format!("-max_len={LENGTH_MAX}"));
        merge.args([&smallest, &self.corpus, &self.found, &self.seeds]);
        run_quietly("libFuzzer's merge", &mut merge)?;

        // What was once a finding stays, whatever it reaches now.
        for file in files_in(&self.corpus)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !is_finding(&name) {
                fs::remove_file(&file).map_err(Failure::files("cannot remove an input"))?;
            }
        }
        let kept = files_in(&smallest)?;
        for file in &kept {
            let to = self.corpus.join(file.file_name().unwrap_or_default());
            fs::copy(file, to).map_err(Failure::files("cannot copy an input"))?;
        }
        say(&format!("{} inputs are kept in {}", kept.len(), self.corpus.display()));
        Ok(())
    }
}

/// Tells whether a file of a corpus was a finding: libFuzzer names its kind first.
fn is_finding(name: &str) -> bool {
    ["crash-", "leak-", "oom-", "slow-unit-", "timeout-"].iter().any(|kind| name.starts_with(kind))
}

fn build(machine: &str, folder: &Path) -> Command {
    let mut build = nightly(&["cargo", "build", "--locked", "--release", "-p", "chat-fuzz"]);
    build
        .args(["--bins", "--features", "libfuzzer", "--target", machine])
        .env("CARGO_TARGET_DIR", folder)
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("RUSTFLAGS", FLAGS);
    build
}

/// Has the library write the seeds of every target.
fn write_seeds(folder: &Path) -> Result<(), Failure> {
    let mut seeds = crate::command::cargo(["run", "--locked", "--quiet", "-p", "chat-fuzz"]);
    run_command(seeds.args(["--example", "seeds", "--"]).arg(folder.join("seeds")))
}

/// The names of the targets: those of their entry points.
fn targets() -> Result<Vec<String>, Failure> {
    let files = files_in(&root().join(FOLDER).join("fuzz_targets"))?;
    let name = |file: &PathBuf| Some(file.file_stem()?.to_string_lossy().into_owned());
    Ok(files.iter().filter_map(name).collect())
}

/// Asks the nightly compiler for what machine it builds.
fn host() -> Result<String, Failure> {
    let missing = || {
        Failure::Missing(
            "fuzzing needs a nightly compiler (`rustup toolchain install nightly`) and a C++ one"
                .to_owned(),
        )
    };
    if !succeeds(&mut nightly(&["rustc", "--version"])) {
        return Err(missing());
    }
    let told = run_quietly("rustc", &mut nightly(&["rustc", "--version", "--verbose"]))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).ok_or_else(missing)
}

fn nightly(command: &[&str]) -> Command {
    let mut nightly = Command::new("rustup");
    nightly.current_dir(root()).args(["run", "nightly"]).args(command);
    nightly
}

/// Builds of another compiler with other flags have a target folder of their own.
fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("fuzz")
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(Failure::files(format!("cannot make {}", folder.display())))
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let what = || Failure::files(format!("cannot list {}", folder.display()));
    let entries = fs::read_dir(folder).map_err(what())?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(what())?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_entry_points() {
        let targets = targets().unwrap();

        assert!(targets.contains(&"dialogue".to_owned()), "{targets:?}");
    }

    #[test]
    fn a_finding_is_never_minimised_away() {
        assert!(is_finding("crash-da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        assert!(!is_finding("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    }
}
