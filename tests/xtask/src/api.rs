//! `cargo xtask api` rewrites the documents of the relay's interfaces; `cargo xtask api-fuzz` tries
//! whether the relay keeps what the one of REST promises.
//!
//! ```text
//!  api_target (a relay, somebody logged in) ◀── requests, sound and unsound ── schemathesis
//!       └── /v1/openapi.json ──────────────────────────────────────────────────────▶ │
//!                                                            docs/api/schemathesis.txt ◀┘
//! ```
//!
//! The documents are made from the routes and the types of the relay; the relay's own tests write
//! them when `SEALWIRE_VECTORS=write` is set, and compare otherwise. schemathesis comes from PyPI
//! into an environment of its own in the folder for temporary files.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{cargo, root, run as run_command, say};
use crate::failure::Failure;

/// Where the documents lie, from the root of the repository.
const FOLDER: &str = "docs/api";
/// What one run of schemathesis found.
const REPORT: &str = "docs/api/schemathesis.txt";
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What an answer must be: no failure of the relay's, of the kind and form that the document says,
/// and none without the token that it asks for.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth,\
                      unsupported_method";

/// Paths that are left out: the first would take the token away, the second is no REST, the third no
/// JSON.
const LEFT_OUT: [&str; 3] = ["/v1/auth/logout", "/v1/socket", "/metrics"];

/// How much is tried.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzArguments {
    /// Requests for each operation
    #[arg(long, default_value_t = 30)]
    examples: u32,
    /// Seconds for everything
    #[arg(long, default_value_t = 240)]
    seconds: u32,
    /// What the requests are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Rewrites both documents, then prints git's view of the folder.
pub(crate) fn run() -> Result<(), Failure> {
    let test = ["test", "--locked", "-p", "relay-server", "--test", "all", "--", "api::"];
    run_command(cargo(test).env("SEALWIRE_VECTORS", "write"))?;
    let diff = ["--no-pager", "diff", "--stat", "--", FOLDER];
    run_command(Command::new("git").current_dir(root()).args(diff))
}

/// Tries the REST interface of a relay of its own, and keeps the report.
pub(crate) fn fuzz(arguments: &FuzzArguments) -> Result<(), Failure> {
    let schemathesis = install()?;
    run_command(&mut cargo([
        "build",
        "--locked",
        "-p",
        "relay-server",
        "--example",
        "api_target",
    ]))?;
    let mut run = cargo(["run", "-q", "--locked", "-p", "relay-server", "--example", "api_target"]);
    let mut target = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut line = String::new();
    if let Some(output) = target.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(failed)?;
    }
    let said = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    let (Some(url), Some(token)) = (said("url"), said("token")) else {
        return Err(step("the relay did not say where it is".to_owned()));
    };
    let tried = try_all(&schemathesis, arguments, &url, &token);
    // It ends when its input does.
    drop(target.stdin.take());
    target.wait().map_err(failed)?;
    tried
}

fn try_all(
    schemathesis: &Path,
    arguments: &FuzzArguments,
    url: &str,
    token: &str,
) -> Result<(), Failure> {
    let mut command = Command::new(schemathesis);
    command
        .args(["run", &format!("{url}/v1/openapi.json"), "--phases", "examples,coverage,fuzzing"])
        .args(["--checks", CHECKS, "--request-timeout", "30", "--continue-on-failure"])
        .args(["--max-examples", &arguments.examples.to_string()])
        .args(["--max-time", &arguments.seconds.to_string()])
        .args(["--seed", &arguments.seed.to_string(), "--header"])
        .arg(format!("Authorization: Bearer {token}"))
        .env("NO_COLOR", "1")
        .current_dir(std::env::temp_dir());
    for path in LEFT_OUT {
        command.args(["--exclude-path", path]);
    }
    say("schemathesis asks; this takes some minutes");
    let output = command.output().map_err(failed)?;
    let said =
        String::from_utf8_lossy(&output.stdout).replace(url, "http://relay").replace(token, "…");
    fs::write(root().join(REPORT), &said).map_err(failed)?;
    let end: Vec<_> = said.lines().rev().take(12).collect();
    end.iter().rev().for_each(|line| say(line));
    if output.status.success() {
        Ok(())
    } else {
        Err(step(format!("the relay does not keep what its document promises: {REPORT}")))
    }
}

/// An environment with schemathesis in it; made once.
fn install() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join("sealwire-schemathesis");
    let program = folder.join("bin/st");
    if !program.is_file() {
        run_command(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        run_command(pip.args(["install", "--quiet", SCHEMATHESIS]))?;
    }
    Ok(program)
}

fn failed(error: std::io::Error) -> Failure {
    step(error.to_string())
}

fn step(detail: String) -> Failure {
    Failure::Step { what: "trying the interface".to_owned(), detail }
}
