//! `cargo xtask wasm`: core, crypto and the SDK as a browser has them, and their tests there.
//!
//! ```text
//!  compiler   rustup's target, added where it is missing
//!             or, as root on Debian, its packages: a compiler that builds the library itself
//!             clang, for SQLite
//!  build      chat-core, chat-crypto, alone: they ask no system for randomness; then chat-sdk
//!  tests      of the first two the same binaries as natively, under Node, with the vectors
//!             of the SDK its own, under Node and in a headless Chromium, at a real relay
//!  size       of a module with all of the cryptography in it, and of one with the SDK
//! ```
//!
//! The runner must be of the very version of `wasm-bindgen` that the lock file names. It is taken
//! from the `PATH`, or built once into the target folder.

mod sdk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{cargo, root, run as run_command, run_quietly, say, succeeds};
use crate::failure::Failure;

/// The browser.
const TARGET: &str = "wasm32-unknown-unknown";

/// What a browser has no operating system for.
const RANDOMNESS: &str = "getrandom";

/// Wasm-bindgen's test runner.
const RUNNER: &str = "wasm-bindgen-test-runner";

/// Debian's compiler that can build for the browser, and the linker it needs.
#[cfg(unix)]
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// Builds for the browser, then runs the tests there; `arguments` go to `cargo test`.
///
/// # Errors
///
/// [`Failure::Missing`] without Node or a compiler, [`Failure::Command`] when a test fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if !succeeds(Command::new("node").arg("--version")) {
        return Err(Failure::Missing(
            "the tests in WebAssembly need Node; on Debian or Ubuntu `sudo apt-get install nodejs`"
                .to_owned(),
        ));
    }
    let compiler = Compiler::find()?;
    refuse_randomness()?;

    say("building chat-core and chat-crypto for the browser");
    let mut build = compiler.cargo("build");
    run_command(build.args(["-p", "chat-core", "-p", "chat-crypto"]))?;

    let runner = runner()?;
    say("running their tests under Node");
    let mut test = compiler.cargo("test");
    test.args(["-p", "chat-core", "-p", "chat-crypto", "--test", "*"])
        .args(arguments)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner)
        .env("WASM_BINDGEN_USE_NO_MODULE", "0");
    run_command(&mut test)?;
    sdk::test(&compiler, &runner, arguments)?;

    for (module, what) in [("crypto", "all of the cryptography"), ("sdk", "the SDK")] {
        let mut build = compiler.cargo("build");
        build.args(["-p", "browser-tests", "--example", module, "--profile", "web"]);
        run_command(&mut build)?;
        let file = format!("web/examples/{module}.wasm");
        tell_size(what, &compiler.target_folder.join(TARGET).join(file))?;
    }
    Ok(())
}

/// A cargo that can build for the browser.
struct Compiler {
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    arguments: &'static [&'static str],
    target_folder: PathBuf,
}

impl Compiler {
    /// Takes the toolchain that runs us if it can, adds the target if rustup can, and otherwise
    /// falls back on Debian's packages.
    fn find() -> Result<Self, Failure> {
        if !has_target() {
            say(&format!("adding the target {TARGET}"));
            succeeds(Command::new("rustup").args(["target", "add", TARGET]));
        }
        if has_target() {
            return Ok(Self {
                program: cargo([]).get_program().into(),
                environment: sdk::c_compiler()?,
                arguments: &[],
                target_folder: target_folder(),
            });
        }
        Self::of_debian()
    }

    /// Debian's compiler has no library for the browser, but its source: cargo builds it along.
    #[cfg(unix)]
    fn of_debian() -> Result<Self, Failure> {
        let (program, rustc) = (Path::new("/usr/bin/cargo"), "/usr/bin/rustc");
        let linker = "wasm-ld-19";
        let is_there = succeeds(Command::new(linker).arg("--version"))
            && Path::new("/usr/share/doc/rust-web-src").exists();
        if !is_there && !crate::tools::install_packages(&DEBIAN)? {
            return Err(no_compiler());
        }
        let mut environment = sdk::c_compiler()?;
        environment.extend([
            ("RUSTC", rustc.to_owned()),
            // Building the library is unstable; it is what this compiler is packaged for.
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.to_owned()),
        ]);
        Ok(Self {
            program: program.to_owned(),
            environment,
            arguments: &["-Zbuild-std=std,panic_abort"],
            // Another compiler would throw away what the usual one built.
            target_folder: target_folder().join("debian"),
        })
    }

    #[cfg(not(unix))]
    fn of_debian() -> Result<Self, Failure> {
        Err(no_compiler())
    }

    /// Prepares one of cargo's verbs for the browser.
    fn cargo(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(root())
            .args([verb, "--locked", "--target", TARGET])
            .args(self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("CARGO_TARGET_DIR", &self.target_folder);
        command
    }
}

fn no_compiler() -> Failure {
    Failure::Missing(format!(
        "this toolchain cannot build for {TARGET}; add it with `rustup target add {TARGET}`, or on \
         Debian install rustc-web cargo-web rust-web-src lld-19"
    ))
}

/// Tells whether the toolchain that runs us has the library for the browser.
fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(root()).args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(output) = rustc.stdin(Stdio::null()).stderr(Stdio::null()).output() else {
        return false;
    };
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success() && fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some())
}

/// Refuses a crypto crate that would ask an operating system for randomness.
fn refuse_randomness() -> Result<(), Failure> {
    let mut tree = cargo(["tree", "--locked", "--target", TARGET, "-p", "chat-crypto"]);
    let tree = run_quietly("cargo tree", tree.args(["--edges", "normal", "--prefix", "none"]))?;
    if links(&String::from_utf8_lossy(&tree.stdout), RANDOMNESS) {
        return Err(Failure::Step {
            what: "building for the browser".to_owned(),
            detail: format!("chat-crypto links {RANDOMNESS}"),
        });
    }
    Ok(())
}

/// Tells whether a `cargo tree` without indentation names `crate_name`.
fn links(tree: &str, crate_name: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(crate_name))
}

/// Finds the runner of the version in the lock file, or builds it.
fn runner() -> Result<PathBuf, Failure> {
    let lock = root().join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(Failure::files("cannot read Cargo.lock"))?;
    let version = locked_version(&lock, "wasm-bindgen").ok_or_else(|| Failure::Step {
        what: "finding the version of wasm-bindgen".to_owned(),
        detail: "Cargo.lock does not name it".to_owned(),
    })?;
    let tools = target_folder().join("tools");
    let ours = tools.join("bin").join(format!("{RUNNER}{}", std::env::consts::EXE_SUFFIX));
    let fits = |runner: &Path| {
        let output = Command::new(runner).arg("--version").stderr(Stdio::null()).output();
        output.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == version)
        })
    };
    if fits(Path::new(RUNNER)) {
        return Ok(RUNNER.into());
    }
    if !fits(&ours) {
        build_runner(version, &tools)?;
    }
    Ok(ours)
}

fn build_runner(version: &str, tools: &Path) -> Result<(), Failure> {
    say(&format!("building {RUNNER} {version}; this takes some minutes, once"));
    let install = |more: &[&str]| {
        let mut install = cargo(["install", "wasm-bindgen-cli", "--version", version, "--force"]);
        install.args(["--no-default-features", "--bin", RUNNER]).arg("--root").arg(tools);
        install.env("CARGO_TARGET_DIR", tools.join("build")).args(more);
        run_quietly("cargo install wasm-bindgen-cli", &mut install).map(drop)
    };
    // A registry that mirrors another may lack one of the versions that its authors locked.
    install(&["--locked"]).or_else(|_| install(&[]))
}

/// Reads the version of `package` out of a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn tell_size(of: &str, module: &Path) -> Result<(), Failure> {
    let what = || Failure::files(format!("cannot read {}", module.display()));
    let bytes = fs::metadata(module).map_err(what())?.len();
    say(&format!("{of} in one module: {} KiB", bytes.div_ceil(1024)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_is_of_the_locked_version() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"…\"\n";

        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }

    #[test]
    fn randomness_is_found_below_others() {
        let tree = "chat-crypto v0.1.0\nrand_core v0.10.0\ngetrandom v0.4.3\n";

        assert!(links(tree, RANDOMNESS));
        assert!(!links("chat-crypto v0.1.0\ngetrandom_not v1.0.0\n", RANDOMNESS));
    }
}
