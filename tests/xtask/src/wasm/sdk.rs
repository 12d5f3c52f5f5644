//! The SDK's tests in WebAssembly, and who they need beside them.
//!
//! ```text
//!  node ───────┐                     ┌─ a relay on port N + 1 that takes pages of port N
//!  chromium ───┤◀── page, port N     beside-browser
//!   (headless) └── requests, frames ─┘─ a store that was written natively
//! ```
//!
//! A browser tells the relay which page asks, and the relay takes none that was not named, so the
//! ports are chosen before either starts. Where there is no Chromium and none can be installed, what
//! only a browser shows is left out, and that is said.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::{Compiler, target_folder};
use crate::command::{cargo, not_started, run as run_command, say, succeeds};
use crate::failure::Failure;

/// What runs beside the browser.
const BESIDE: &str = "beside-browser";
/// How long all tests may take in a browser.
const SECONDS_MAX: &str = "300";
/// Debian's browser, with the program that steers it.
#[cfg(unix)]
const BROWSER: [&str; 2] = ["chromium", "chromium-driver"];
/// Debian's C compiler, of the version of the linker that comes with its Rust for the web.
#[cfg(unix)]
const C_COMPILER: [&str; 2] = ["clang-19", "llvm-19"];
/// How clang calls its versions: the one that is nobody's in particular first.
const CLANGS: [&str; 9] = ["", "-22", "-21", "-20", "-19", "-18", "-17", "-16", "-15"];
/// How often to look whether what was asked to end has ended, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: usize = 100;

/// Runs the SDK's tests under Node, and in a browser where there is one.
pub(super) fn test(
    compiler: &Compiler,
    runner: &Path,
    arguments: &[String],
) -> Result<(), Failure> {
    let page = free_port()?;
    let beside = Beside::start(page)?;
    let prepare = || {
        let mut test = compiler.cargo("test");
        test.args(["-p", "browser-tests", "--test", "sdk"])
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
        test
    };

    say("running the SDK's tests under Node");
    let mut node = prepare();
    node.args(arguments)
        .env("WASM_BINDGEN_USE_NODE_EXPERIMENTAL", "1")
        .env("SEALWIRE_RELAY", beside.relay())
        .env("SEALWIRE_NATIVE_STORE", beside.store());
    match websocket_of_node() {
        Some(flag) => drop(node.env("NODE_ARGS", flag)),
        None => {
            say("left out: conversations under this Node, which has no WebSocket");
            node.args(["--", "store"]);
        }
    }
    run_command(&mut node)?;

    let Some(driver) = browser()? else {
        say("left out: the SDK's tests in a browser; on Debian install chromium chromium-driver");
        return Ok(());
    };
    say("running the SDK's tests in a headless Chromium");
    let mut browser = prepare();
    browser
        .args(arguments)
        // A page has no way to the file that the relay's neighbour has written.
        .args(["--", "--skip", "written_natively"])
        .env("WASM_BINDGEN_USE_DEDICATED_WORKER", "1")
        .env("WASM_BINDGEN_TEST_ADDRESS", format!("{}:{page}", Ipv4Addr::LOCALHOST))
        .env("WASM_BINDGEN_TEST_TIMEOUT", SECONDS_MAX)
        .env("CHROMEDRIVER", driver);
    run_command(&mut browser)
}

/// Names the C compiler that can build for the browser, for the crate that builds SQLite.
pub(super) fn c_compiler() -> Result<Vec<(&'static str, String)>, Failure> {
    if std::env::var_os("CC_wasm32_unknown_unknown").is_some() {
        return Ok(Vec::new());
    }
    if let Some(found) = clang() {
        return Ok(found);
    }
    #[cfg(unix)]
    if crate::tools::install_packages(&C_COMPILER)?
        && let Some(found) = clang()
    {
        return Ok(found);
    }
    Err(Failure::Missing(
        "SQLite for the browser needs a clang that can build for wasm32, and its llvm-ar; on Debian \
         or Ubuntu `sudo apt-get install clang llvm`"
            .to_owned(),
    ))
}

fn clang() -> Option<Vec<(&'static str, String)>> {
    let fits = |version: &&&str| {
        let targets = Command::new(format!("clang{version}")).arg("--print-targets").output();
        let is_web = targets.is_ok_and(|targets| {
            String::from_utf8_lossy(&targets.stdout).lines().any(|line| line.contains("wasm32"))
        });
        is_web && succeeds(Command::new(format!("llvm-ar{version}")).arg("--version"))
    };
    let version = CLANGS.iter().find(fits)?;
    Some(vec![
        ("CC_wasm32_unknown_unknown", format!("clang{version}")),
        ("AR_wasm32_unknown_unknown", format!("llvm-ar{version}")),
    ])
}

/// Finds the program that steers a Chromium, installing both where that is ours to do.
fn browser() -> Result<Option<PathBuf>, Failure> {
    let driver = PathBuf::from("chromedriver");
    let is_there = || succeeds(Command::new(&driver).arg("--version"));
    #[cfg(unix)]
    if !is_there() {
        crate::tools::install_packages(&BROWSER)?;
    }
    // By its whole path: the runner looks for no program where it is told of one.
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&driver));
    Ok(found.into_iter().find(|path| path.exists()).filter(|_| is_there()))
}

/// What makes Node have a WebSocket: nothing, a flag, or nothing does.
fn websocket_of_node() -> Option<&'static str> {
    const ASK: [&str; 2] = ["-e", "process.exit(globalThis.WebSocket ? 0 : 1)"];
    ["", "--experimental-websocket"].into_iter().find(|flag| {
        let mut node = Command::new("node");
        let flags = Some(flag).filter(|flag| !flag.is_empty());
        succeeds(node.args(flags).args(ASK))
    })
}

/// Finds a port that is free and whose next is free too.
fn free_port() -> Result<u16, Failure> {
    let what = || Failure::files("cannot find two free ports");
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    // As many as one may need to be refused by bad luck: hardly ever two.
    for _ in 0..64 {
        let first = bind(0).and_then(|listener| listener.local_addr()).map_err(what())?.port();
        if first.checked_add(1).is_some_and(|next| bind(first).is_ok() && bind(next).is_ok()) {
            return Ok(first);
        }
    }
    Err(Failure::Missing("there are no two free ports next to each other".to_owned()))
}

/// The relay and the native store; ended with this.
struct Beside {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Beside {
    fn start(page: u16) -> Result<Self, Failure> {
        say("building the relay beside the browser");
        let mut build = cargo(["build", "--locked", "--workspace", "--bin", BESIDE]);
        run_command(&mut build)?;
        let program = format!("debug/{BESIDE}{}", std::env::consts::EXE_SUFFIX);
        let folder = tempfile::tempdir().map_err(Failure::files("cannot make a folder"))?;
        let port = page.saturating_add(1);
        let mut command = Command::new(target_folder().join(program));
        command
            .arg(format!("{}:{port}", Ipv4Addr::LOCALHOST))
            .arg(format!("http://{}:{page}", Ipv4Addr::LOCALHOST))
            .arg(folder.path().join("native.store"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let child = command.spawn().map_err(|source| not_started(&command, source))?;
        let mut beside = Self { child, folder, port };
        beside.wait_until_ready()?;
        Ok(beside)
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(Failure::files("cannot hear the relay"))?;
        }
        if line.trim() == "ready" {
            return Ok(());
        }
        Err(Failure::Step { what: "starting the relay".to_owned(), detail: "it ended".to_owned() })
    }

    fn relay(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("native.store")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It serves until there is nothing more to read.
        drop(self.child.stdin.take());
        for _ in 0..LOOKS_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_next_to_each_other_are_free() {
        let first = free_port().unwrap();

        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, first + 1)).is_ok());
    }
}
